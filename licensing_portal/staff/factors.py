"""Second factors: who needs one, codes that work once, and taking one away."""

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from licenses.events import Kind, record
from licenses.models import Actor

MAIN = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes stand in for one of these


def requires_second_factor(user: User) -> bool:
    return {"nobody": False, "superusers": user.is_superuser, "staff": user.is_staff}[settings.SECOND_FACTOR_REQUIRED]


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether this person must set one up before anything else. Who came by single sign-on is the provider's to ask."""
    user = request.user
    if not (isinstance(user, User) and requires_second_factor(user)):
        return False
    return not came_by_single_sign_on(request) and not Authenticator.objects.filter(user=user, type__in=MAIN).exists()


def came_by_single_sign_on(request: HttpRequest) -> bool:
    return any(row["method"] == "socialaccount" for row in get_authentication_records(request, request.user))


def may_remove(authenticator: Authenticator) -> bool:
    """The last second factor of somebody who needs one stays; to change it, add the new one first."""
    others = Authenticator.objects.filter(user=authenticator.user, type__in=MAIN).exclude(pk=authenticator.pk)
    return not requires_second_factor(authenticator.user) or others.exists()


@transaction.atomic
def use_code(user: User, code: str) -> Authenticator | None:
    """What accepts this code, which is then used up: an authenticator app or recovery codes. None when nothing does."""
    rows = Authenticator.objects.select_for_update().filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN)
    return next((row for row in rows.order_by("-type") if _accepts(row, code)), None)


def _accepts(authenticator: Authenticator, code: str) -> bool:
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        return authenticator.wrap().validate_code(code)
    return use_time_step(authenticator, time_step_of(decrypt(authenticator.data["secret"]), code))


def use_time_step(authenticator: Authenticator, step: int | None) -> bool:
    """Each time step works once, and none before it again (RFC 6238, 5.2). The row remembers, not a cache: several
    processes serve, and a cache in the memory of one would let the same code in once for each."""
    if step is None or step <= authenticator.data.get("used_step", -1):
        return False
    authenticator.data["used_step"] = step
    authenticator.save(update_fields=["data"])
    return True


def time_step_of(secret: str, code: str) -> int | None:
    """The 30 seconds to which this code belongs, now or one step away; None when to none."""
    for step in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))):
            return step
    return None


@transaction.atomic
def reset_second_factor(*, account: User, actor: Actor) -> int:
    """Remove every second factor of somebody who has lost them; returns how many there were."""
    User.objects.select_for_update().get(pk=account.pk)
    removed, _ = Authenticator.objects.filter(user=account).delete()
    record(Kind.STAFF_SECOND_FACTOR_RESET, account, actor=actor, after={"removed": removed})
    return removed
