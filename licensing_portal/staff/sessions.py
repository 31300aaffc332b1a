"""Where somebody is signed in, and ending it there."""

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from licenses.events import Kind
from licensing_portal.staff.audit import note


def sessions_of(request: HttpRequest) -> list[UserSession]:
    """This one first, then the newest."""
    found = UserSession.objects.purge_and_list(request.user)
    return sorted(found, key=lambda row: (row.session_key != request.session.session_key, -row.created_at.timestamp()))


@transaction.atomic
def end_sessions(request: HttpRequest, *, only: int | None = None) -> int:
    """End the others of whoever asks, or `only` the one with this id; returns how many. Never the one that asks."""
    others = UserSession.objects.filter(user=request.user).exclude(session_key=request.session.session_key)
    ended = list(others.filter(pk=only) if only is not None else others)
    for session in ended:
        session.end()
    if ended and isinstance(request.user, User):
        note(Kind.STAFF_SESSIONS_ENDED, request, request.user, ended=len(ended))
    return len(ended)
