"""The audit rows of signing in, and of what staff do to their own accounts."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest

from licenses.events import Kind, record
from licenses.models import Actor, Door


def actor_of(request: HttpRequest, account: User | None = None) -> Actor:
    """Who asks: `account` while it signs in, or whoever is signed in."""
    name = (account or request.user).get_username() or "somebody"
    return Actor(Door.ADMIN, name, request.META.get("REMOTE_ADDR") or None)


def note(kind: Kind, request: HttpRequest, account: User, **facts: Any) -> None:
    """Record what `account` has done to itself. Facts are JSON values; no password, code or secret."""
    record(kind, account, actor=actor_of(request, account), after=facts)


def note_sign_out(request: HttpRequest) -> None:
    """Of a session that has ended by itself there is nobody to name."""
    if isinstance(request.user, User):
        note(Kind.STAFF_SIGNED_OUT, request, request.user)
