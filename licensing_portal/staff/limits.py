"""S14: how often somebody may try to sign in, per address and per account, counted exactly in all processes.

Every try counts, also one that succeeds: five at once, then one a minute. So the sixth within a minute waits, with the
right password too, and what is guessed is guessed at 1,440 a day. Passwords and codes are counted apart: one sign-in
with a second factor takes one of each. Refused tries are not counted, so nobody waits longer than a minute after the
tries have ended.

The price: whoever keeps trying on an account keeps its owner out of the form. The owner's passkey and single sign-on
still work, because there is nothing to guess and their tries count per address alone; and an operator can let the
account try at once with `manage.py unlock_sign_in NAME`.
"""

import math
import unicodedata
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.stagekit import unstash_login
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from licenses.events import Kind, record, record_address
from licenses.models import Actor, AuditEvent, Door
from licenses.services.throttles import network_of, take

BURST, PER_MINUTE = 5, 1
LONGEST_NAME = 150  # characters
TOLD_AGAIN_AFTER = 15  # minutes: a lock-out that lasts is one row of the audit in that time, not one for each try

View = Callable[..., HttpResponse]
Account = Callable[[HttpRequest], str]


def limited(step: str, account: Account) -> Callable[[View], View]:
    """Count every POST as a try of this `step`, before the view sees it. `account`: whose it is, or "" for nobody's."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            wait = _count(request, step, account(request)) if request.method == "POST" else 0.0
            return _refuse(request, wait) if wait else view(request, *args, **kwargs)

        return wrapped

    return decorate


def typed_account(request: HttpRequest) -> str:
    """Nobody's with a NUL in it: no account has one, and PostgreSQL cannot look it up. The form refuses it."""
    name = username(request.POST.get("login", ""))
    return "" if "\0" in name else name


def username(text: str) -> str:
    """As accounts are named in the database: what looks the same is the same. No name is longer than its column."""
    return unicodedata.normalize("NFKC", text[:LONGEST_NAME]).strip()


def account_half_in(request: HttpRequest) -> str:
    """Whose password was right, and whose second factor is asked for now."""
    login = unstash_login(request, peek=True)
    return login.user.get_username() if login and login.user else ""


def account_signed_in(request: HttpRequest) -> str:
    return request.user.get_username()


def no_account(request: HttpRequest) -> str:
    """For what cannot be guessed: a stranger must not be able to lock somebody else out by naming them."""
    return ""


def _count(request: HttpRequest, step: str, account: str) -> float:
    """Seconds to wait, or 0.0. The address comes first: what it may not try does not count for the account."""
    address = request.META.get("REMOTE_ADDR") or "no address"
    wait = take(f"sign-in {step} from {network_of(address)}", burst=BURST, per_minute=PER_MINUTE)
    if wait:
        _tell(
            f"sign-in from {network_of(address)}",
            lambda actor: record_address(Kind.STAFF_LOCKED_OUT, address, actor=actor),
            request,
        )
    elif account:
        wait = take(f"sign-in {step} of {_since_unlocked(account)} {account}", burst=BURST, per_minute=PER_MINUTE)
        if wait:
            _tell(f"sign-in of {account}", lambda actor: _record_account(account, actor), request)
    return wait


def _since_unlocked(account: str) -> int:
    """Which event has unlocked it last: there its count begins anew. One query, also for a name that nobody has."""
    number = User.objects.filter(username=account).values("pk")
    events = AuditEvent.objects.filter(kind=Kind.STAFF_UNLOCKED, object_type="user", object_id__in=number)
    return events.values_list("pk", flat=True).order_by("-pk").first() or 0


def _tell(name: str, record_it: Callable[[Actor], None], request: HttpRequest) -> None:
    if not take(f"{name} told", burst=1, per_minute=1 / TOLD_AGAIN_AFTER):
        record_it(Actor(Door.ADMIN, "somebody", request.META.get("REMOTE_ADDR") or None))


def _record_account(account: str, actor: Actor) -> None:
    """Of a name that nobody has, the audit says nothing: it may be a password in the wrong field."""
    user = User.objects.filter(username=account).first()
    if user:
        record(Kind.STAFF_LOCKED_OUT, user, actor=actor)
    else:
        record_address(Kind.STAFF_LOCKED_OUT, actor.address or "", actor=actor, after={"account": "unknown"})


def _refuse(request: HttpRequest, wait: float) -> HttpResponse:
    seconds = math.ceil(wait)
    response = render(request, "staff/locked_out.html", {"seconds": seconds}, status=429)
    response["Retry-After"] = str(seconds)
    response["Cache-Control"] = "no-store"
    return response


@transaction.atomic
def unlock(*, account: User, actor: Actor) -> None:
    """Let this account try again at once; addresses go on waiting."""
    record(Kind.STAFF_UNLOCKED, account, actor=actor)
