"""Where license keys run: activating, deactivating, verifying. The rule that limits activations is here."""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.events import Kind, event, record, record_many
from licenses.models import Activation, Actor, LicenseKey
from licenses.services.lookup import (
    find_license_key,
    lock_license_key,
    require_assigned,
    require_identifier,
    require_usable,
)

LAST_VERIFIED_EVERY = timedelta(hours=1)  # a verification is a read; it writes its time at most this often


@transaction.atomic
def activate_license(*, license_key: str, identifier: str, post_url: str = "", actor: Actor) -> LicenseKey:
    """Let the license key run at `identifier`. Refuses 301 when it does already, 302 when the limit is reached."""
    found = lock_license_key(license_key)
    activation = check_activation(found, identifier)
    activation = activation or Activation(license_key=found, identifier=identifier)
    activation.activated_at, activation.deactivated_at = timezone.now(), None
    activation.post_url, activation.address = post_url, actor.address
    activation.save()
    record(Kind.ACTIVATION_ACTIVATED, found, actor=actor, after={"identifier": identifier})
    return found


def check_activation(found: LicenseKey, identifier: str) -> Activation | None:
    """Refuses what activating there would be refused with; returns the activation that has ended there, if one has.

    It reads alone. To go on from its answer, lock the license key first.
    """
    require_usable(found)
    require_identifier(found, identifier)
    activation = found.activations.filter(identifier=identifier).first()
    if activation and activation.is_live:
        raise Refused(Code.LICENSE_KEY_ALREADY_ACTIVE, product_id=found.product_id)
    if not found.has_room_for(found.activations.live().count()):
        raise Refused(Code.ACTIVATION_LIMIT_REACHED, product_id=found.product_id)
    return activation


@transaction.atomic
def deactivate_license(*, license_key: str, identifier: str | None, actor: Actor) -> LicenseKey:
    """End the activation at `identifier`, or with None every one, also of a blocked or expired key (D7).

    Refuses 401 when there is none.
    """
    found = lock_license_key(license_key)
    require_assigned(found)
    require_identifier(found, identifier)
    live = found.activations.live() if identifier is None else found.activations.live().filter(identifier=identifier)
    if not end_activations(live, actor=actor):
        raise Refused(Code.LICENSE_KEY_ALREADY_INACTIVE, product_id=found.product_id)
    return found


@transaction.atomic
def deactivate_all(*, license_key: str, actor: Actor) -> int:
    """End every activation of the license key, whatever its state; returns how many there were."""
    found = lock_license_key(license_key)
    return end_activations(found.activations.live(), actor=actor)


def end_activations(activations: Collection[Activation], *, actor: Actor) -> int:
    """Deactivate these activations, whose license keys the caller has locked, and record each; returns how many."""
    Activation.objects.filter(pk__in=[activation.pk for activation in activations]).update(
        deactivated_at=timezone.now()
    )
    record_many(
        event(
            Kind.ACTIVATION_DEACTIVATED,
            activation.license_key,
            actor=actor,
            before={"identifier": activation.identifier},
        )
        for activation in activations
    )
    return len(activations)


def verify_license(*, license_key: str, identifier: str | None) -> LicenseKey:
    """The license key, if it may run at `identifier` now, and a note that it was seen there. Not for a transaction.

    With `None` for an identifier it is the license key, if it may be used at all.
    """
    found, activation = find_running(license_key=license_key, identifier=identifier)
    now = timezone.now()
    if activation and (activation.last_verified_at is None or activation.last_verified_at <= now - LAST_VERIFIED_EVERY):
        with suppress(DatabaseError):  # a database that only reads, or is busy, still answers customers' software
            Activation.objects.filter(pk=activation.pk).update(last_verified_at=now)
    return found


def find_running(*, license_key: str, identifier: str | None) -> tuple[LicenseKey, Activation | None]:
    """A usable license key and its live activation at `identifier`, as `check_running` finds it."""
    found = find_license_key(license_key)
    return found, check_running(found, identifier)


def check_running(found: LicenseKey, identifier: str | None) -> Activation | None:
    """The live activation at `identifier` of a usable license key; refuses 202 when it was not activated there.

    `None` for an identifier asks for no activation: so ask the client profile sdk, and whoever wants to know a feature.
    """
    require_usable(found)
    require_identifier(found, identifier)
    if identifier is None:
        return None
    activation = found.activations.live().filter(identifier=identifier).first()
    if activation is None:
        raise Refused(Code.NO_ACTIVATION_FOUND, product_id=found.product_id)
    return activation
