"""The block list: addresses and identifiers whose calls are answered with 150."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from licenses.codes import Code, Refused
from licenses.models import Actor, BlockListEntry
from licenses.services.activations import end_activations
from licenses.services.lookup import lock_license_key
from licenses.services.records import save_record


def require_not_blocked(*, address: str, identifiers: Iterable[str]) -> None:
    """Refuses 150 when the address, a network around it, or one of these identifiers is on the block list."""
    if BlockListEntry.objects.matching(address=address, identifiers=identifiers).exists():
        raise Refused(Code.ACCESS_DENIED)


@transaction.atomic
def block_identifier(*, license_key: str, identifier: str, reason: str = "", actor: Actor) -> bool:
    """Put the identifier on the block list and end its activation of this license key; False if both was so already.

    Activations of other license keys there stay, and keep their places: their calls are answered with 150.
    """
    found = lock_license_key(license_key)
    ended = end_activations(found.activations.live().filter(identifier=identifier), actor=actor)
    added = _add(BlockListEntry(kind=BlockListEntry.Kind.IDENTIFIER, value=identifier, reason=reason), actor)
    return bool(ended) or added


def _add(entry: BlockListEntry, actor: Actor) -> bool:
    same = BlockListEntry.objects.filter(kind=entry.kind, value=entry.value)
    if same.exists():
        return False
    try:
        with transaction.atomic():
            save_record(entry, actor=actor)
    except (IntegrityError, ValidationError):  # somebody else has just added it
        if not same.exists():
            raise
        return False
    return True
