"""The vault: what is stored encrypted under VAULT_KEYS, and moving it from older keys to the first one."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from licenses.events import Kind, record
from licenses.models import Actor
from licenses.signing import vault


class State(StrEnum):
    """Of a row: under the first key, under an older one, or under none of them."""

    CURRENT = "current"
    OLD = "old"
    UNREADABLE = "unreadable"


class Place(NamedTuple):
    """A column of settings.VAULT. `members` are those of a JSON field that hold a token, or a list of them."""

    model: type[models.Model]
    field: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.field}"


class Entry(NamedTuple):
    """One row and the state it is in."""

    place: Place
    pk: Any
    state: State

    def __str__(self) -> str:
        return f"{self.place} of row {self.pk}"


def survey_vault() -> Iterator[Entry]:
    """Every row that holds something encrypted. Reads, and locks nothing."""
    for place in _places():
        rows = place.model._default_manager.order_by("pk").values_list("pk", place.field)
        for pk, stored in rows.iterator():
            if tokens := list(_tokens(place, stored)):
                yield Entry(place, pk, _state(tokens))


@transaction.atomic
def reencrypt(*, entry: Entry, actor: Actor) -> State:
    """Move a row to the first of VAULT_KEYS; the state that it was in, and is still when it is unreadable.

    The row is locked and looked at again: somebody may have changed it since the survey.
    """
    place = entry.place
    row = place.model._default_manager.select_for_update().filter(pk=entry.pk).first()
    stored = getattr(row, place.field, None)
    state = _state(list(_tokens(place, stored)))
    if row is None or state is not State.OLD:
        return state
    # update() and not save(): for people nothing was changed, so no date of the last change is
    place.model._default_manager.filter(pk=row.pk).update(**{place.field: _moved(place, stored)})
    record(Kind.VAULT_REENCRYPTED, row, actor=actor)
    return state


def _places() -> Iterator[Place]:
    for label, field, members in settings.VAULT:
        if label.partition(".")[0] in apps.app_configs:
            yield Place(apps.get_model(label), field, tuple(members))


def _tokens(place: Place, stored: Any) -> Iterator[bytes]:
    """What is encrypted in a value of this column: it may be empty, and JSON may lack a member."""
    if not place.members:
        yield from [bytes(stored)] if stored else []
        return
    for name in place.members:
        held = (stored or {}).get(name) or []
        yield from (token.encode() for token in (held if isinstance(held, list) else [held]))


def _state(tokens: list[bytes]) -> State:
    newest = Fernet(settings.VAULT_KEYS[0])
    if all(_opens(newest, token) for token in tokens):
        return State.CURRENT
    return State.OLD if all(_opens(vault(settings.VAULT_KEYS), token) for token in tokens) else State.UNREADABLE


def _opens(fernet: Fernet | MultiFernet, token: bytes) -> bool:
    try:
        fernet.decrypt(token)
    except InvalidToken:
        return False
    return True


def _moved(place: Place, stored: Any) -> Any:
    if not place.members:
        return vault(settings.VAULT_KEYS).rotate(bytes(stored))
    return stored | {name: _moved_member(stored[name]) for name in place.members if stored.get(name)}


def _moved_member(held: str | list[str]) -> str | list[str]:
    rotate = vault(settings.VAULT_KEYS).rotate
    return [rotate(token).decode() for token in held] if isinstance(held, list) else rotate(held).decode()
