"""What staff do to license keys: one row per verb of the services."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone

from licenses.admin.verbs import Verb
from licenses.models import Actor, LicenseKey
from licenses.models.license_keys import MAX_VALIDITY_DAYS, UNLIMITED
from licenses.reports.lists import live_activations_of
from licenses.services.activations import deactivate_all
from licenses.services.license_key_changes import Revision, revise_license_key
from licenses.services.license_keys import (
    assign_license_key,
    block_license_key,
    extend_license_key,
    unblock_license_key,
    update_license_key,
)

Status = LicenseKey.Status
MAX_LIMIT = 2**31 - 1  # that the column holds


class AssignForm(forms.Form):
    owner_email = forms.EmailField(
        label="Owner's e-mail address",
        max_length=254,
        help_text="Such as ann@example.com. An owner with this address is used whatever its case, or a new one is "
        "made.",
    )
    owner_name = forms.CharField(
        label="Owner's name",
        max_length=255,
        required=False,
        help_text="Such as Ann Example. An owner who is known already keeps the name that is stored.",
    )
    reference = forms.CharField(
        max_length=255,
        required=False,
        help_text="Your own note, such as order 4711. Empty: it stays as it is.",
    )


class ExtendForm(forms.Form):
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_VALIDITY_DAYS,
        initial=30,
        help_text="Days, such as 30. Added to the expiry; an expired license key counts from today, one without an "
        "owner gets a longer validity.",
    )


class LimitForm(forms.Form):
    activation_limit = forms.IntegerField(
        min_value=0,
        max_value=MAX_LIMIT,
        initial=1,
        help_text=f"Places where each may be active at the same time, such as 3. {UNLIMITED}: as many as anybody "
        "likes. A license key that is active in more places is refused.",
    )


class ReferenceForm(forms.Form):
    reference = forms.CharField(
        max_length=255,
        required=False,
        help_text="Your own note, the same for each, such as order 4711. Empty: the reference is taken away.",
    )


def _update(*, license_key: str, actor: Actor, **changes: Any) -> bool:
    """The service, which writes nothing where nothing is different; whether it wrote."""
    began = timezone.now()
    return update_license_key(license_key=license_key, changes=changes, actor=actor).updated_at >= began


def _make_available(*, license_key: str, actor: Actor) -> bool:
    return _set_free(license_key, Status.AVAILABLE, actor)


def _make_reserved(*, license_key: str, actor: Actor) -> bool:
    return _set_free(license_key, Status.RESERVED, actor)


def _set_free(license_key: str, status: str, actor: Actor) -> bool:
    began = timezone.now()
    revision = Revision(status=status)
    return revise_license_key(license_key=license_key, revision=revision, actor=actor).updated_at >= began


def _days_longer(fields: dict[str, Any]) -> str:
    days = fields["days"]
    return f"was extended by {days:,} {'day' if days == 1 else 'days'}"


def _new_limit(fields: dict[str, Any]) -> str:
    limit = fields["activation_limit"]
    words = "no activation limit" if limit == UNLIMITED else f"an activation limit of {limit:,}"
    return f"has {words} now"


def _new_reference(fields: dict[str, Any]) -> str:
    return f"has the reference “{fields['reference']}” now" if fields["reference"] else "has no reference any more"


def _activations_end(license_keys: Sequence[LicenseKey]) -> str:
    count = live_activations_of(license_keys)
    if count == 0:
        return "There is no active activation."
    return "1 active activation ends now." if count == 1 else f"{count} active activations end now."


def _owners_go(license_keys: Sequence[LicenseKey]) -> str:
    """What is lost when assigned license keys go back into the stock."""
    owned = sum(license_key.owner_id is not None for license_key in license_keys)
    if not owned:
        return ""
    owners = "1 of them has an owner, who loses it." if owned == 1 else f"{owned:,} of them have owners, who lose them."
    return f"{owners} {_activations_end(license_keys)}"


VERBS = (
    Verb(
        name="assign",
        label="Assign",
        service=assign_license_key,
        done="was assigned",
        unchanged="assigned already",
        explanation="Gives the license keys to an owner. Their validity starts today.",
        form=AssignForm,
        applies=lambda license_key: license_key.status == Status.AVAILABLE,
    ),
    Verb(
        name="extend",
        label="Extend",
        service=extend_license_key,
        done=_days_longer,
        unchanged="without an expiry",
        explanation="Moves the expiry further into the future.",
        form=ExtendForm,
    ),
    Verb(
        name="set_limit",
        label="Set activation limit",
        service=_update,
        done=_new_limit,
        unchanged="with this limit already",
        explanation="Says in how many places each of these license keys may be active at the same time. "
        "No activation ends.",
        form=LimitForm,
        applies=lambda license_key: False,  # its own page has the field
    ),
    Verb(
        name="set_reference",
        label="Set reference",
        service=_update,
        done=_new_reference,
        unchanged="with this reference already",
        explanation="Writes the same note of yours to each of these license keys. Customers never see it.",
        form=ReferenceForm,
        applies=lambda license_key: False,  # its own page has the field
    ),
    Verb(
        name="deactivate_all",
        label="Deactivate all",
        service=deactivate_all,
        done="was deactivated everywhere",
        unchanged="active nowhere",
        explanation="Ends every activation. The license keys stay as they are and can be activated again.",
        dangerous=True,
        applies=lambda license_key: license_key.live_count > 0,
        consequence=_activations_end,
    ),
    Verb(
        name="make_available",
        label="Make available",
        service=_make_available,
        done="was made available",
        unchanged="available already",
        explanation="Puts license keys back into the stock, to be given to others: they lose their owner, their expiry "
        "and their activations, and a block on them is taken back. A license key that a customer knows should rather "
        "be blocked.",
        permission="restock",
        dangerous=True,
        applies=lambda license_key: license_key.status == Status.RESERVED,
        consequence=_owners_go,
    ),
    Verb(
        name="make_reserved",
        label="Reserve",
        service=_make_reserved,
        done="was reserved",
        unchanged="reserved already",
        explanation="Sets license keys aside: no shop and no bulk assignment hands them out until they are made "
        "available. Those with an owner lose it, with their expiry and their activations.",
        permission="restock",
        dangerous=True,
        applies=lambda license_key: license_key.status == Status.AVAILABLE,
        consequence=_owners_go,
    ),
    Verb(
        name="unblock",
        label="Unblock",
        service=unblock_license_key,
        done="was unblocked",
        unchanged="not blocked",
        explanation="Takes a block back: assigned again if there is an owner, else available. "
        "The activations that the block ended stay ended.",
        applies=lambda license_key: license_key.is_blocked,
    ),
    Verb(
        name="block",
        label="Block",
        service=block_license_key,
        done="was blocked",
        unchanged="blocked already",
        explanation="A blocked license key is refused everywhere until it is unblocked.",
        dangerous=True,
        applies=lambda license_key: not license_key.is_blocked,
        consequence=_activations_end,
    ),
)
