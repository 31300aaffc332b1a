"""What staff do to license keys: one row per verb of the services."""

from collections.abc import Sequence

from django import forms

from licenses.admin.verbs import Verb
from licenses.models import LicenseKey
from licenses.models.license_keys import MAX_VALIDITY_DAYS
from licenses.reports.lists import live_activations_of
from licenses.services.activations import deactivate_all
from licenses.services.license_keys import (
    assign_license_key,
    block_license_key,
    extend_license_key,
    unblock_license_key,
)


class AssignForm(forms.Form):
    owner_email = forms.EmailField(
        label="Owner's e-mail address",
        max_length=254,
        help_text="An owner with this address is used whatever its case, or a new one is made.",
    )
    owner_name = forms.CharField(
        label="Owner's name",
        max_length=255,
        required=False,
        help_text="An owner who is known already keeps the name that is stored.",
    )
    reference = forms.CharField(
        max_length=255,
        required=False,
        help_text="Your own note, an order number for example. Empty: it stays as it is.",
    )


class ExtendForm(forms.Form):
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_VALIDITY_DAYS,
        initial=30,
        help_text="Added to the expiry; an expired license key counts from today, one without an owner gets a longer "
        "validity.",
    )


def _activations_end(license_keys: Sequence[LicenseKey]) -> str:
    count = live_activations_of(license_keys)
    if count == 0:
        return "There is no active activation."
    return "1 active activation ends now." if count == 1 else f"{count} active activations end now."


VERBS = (
    Verb(
        name="assign",
        label="Assign",
        service=assign_license_key,
        done="assigned",
        unchanged="assigned already",
        explanation="Gives the license keys to an owner. Their validity starts today.",
        form=AssignForm,
        applies=lambda license_key: license_key.status == LicenseKey.Status.AVAILABLE,
    ),
    Verb(
        name="extend",
        label="Extend",
        service=extend_license_key,
        done="extended",
        unchanged="because they never expire",
        explanation="Moves the expiry further into the future.",
        form=ExtendForm,
    ),
    Verb(
        name="deactivate_all",
        label="Deactivate all",
        service=deactivate_all,
        done="deactivated everywhere",
        unchanged="active nowhere",
        explanation="Ends every activation. The license keys stay as they are and can be activated again.",
        dangerous=True,
        applies=lambda license_key: license_key.live_count > 0,
        consequence=_activations_end,
    ),
    Verb(
        name="unblock",
        label="Unblock",
        service=unblock_license_key,
        done="unblocked",
        unchanged="not blocked",
        explanation="Takes a block back: assigned again if there is an owner, else available. "
        "The activations that the block ended stay ended.",
        applies=lambda license_key: license_key.is_blocked,
    ),
    Verb(
        name="block",
        label="Block",
        service=block_license_key,
        done="blocked",
        unchanged="blocked already",
        explanation="A blocked license key is refused everywhere until it is unblocked.",
        dangerous=True,
        applies=lambda license_key: not license_key.is_blocked,
        consequence=_activations_end,
    ),
)
