"""What the portal's word rests on: signing keys, and the audit trail."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from licenses.audit_chain import Unreadable, key_of
from licenses.models import AuditChain, AuditEvent, SigningKey
from licenses.reports.counting import count_up_to
from licenses.signing import vault
from licensing_portal.checkup.lines import Line, State, ago, plural, span

Status = SigningKey.Status

OLD = timedelta(days=365)
LINKED_WITHIN = timedelta(minutes=5)  # an event is linked right after its change, or with the next one
COUNTED = 1_000
ROTATE = (
    "Consider a new one: publish it as upcoming, wait until customers' software has read it, then put it in use. "
    "Old signatures stay valid."
)


def signing_keys() -> Iterator[Line]:
    keys = SigningKey.objects.defer("private_key_locked")
    yield _global_key(keys.active_of(None))
    yield from _of_products(keys.filter(status=Status.ACTIVE).exclude(product=None))
    upcoming = count_up_to(keys.filter(status=Status.UPCOMING), COUNTED)
    oldest = keys.filter(status=Status.UPCOMING).order_by("pk").first()
    if oldest:
        value = f"{upcoming} published, the oldest {ago(oldest.created_at)}"
        yield Line("Upcoming signing keys", value, State.PLAIN, "Put each in use once customers' software knows it.")
    compromised = count_up_to(keys.filter(status=Status.COMPROMISED), COUNTED)
    if compromised.number:
        yield Line("Compromised signing keys", f"{compromised}, cut off", State.PLAIN)


def _global_key(key: SigningKey | None) -> Line:
    title = "Global signing key"
    if key is None:
        return Line(title, "There is none", State.BAD, "Run manage.py create_signing_key: nothing can be signed.")
    if not _opens(key):
        advice = "Put the vault key that it was stored under back into VAULT_KEYS."
        return Line("Vault keys", f"None decrypts the global signing key {key}", State.BAD, advice)
    since = _since(key)
    value = f"{key.fingerprint[:12]}…, {key.bits} bits, in use for {span(timezone.now() - since)}"
    return Line(title, value, State.WARN, ROTATE) if _is_old(since) else Line(title, value)


def _opens(key: SigningKey) -> bool:
    try:
        vault(settings.VAULT_KEYS).decrypt(bytes(key.private_key_locked))
    except InvalidToken:
        return False
    return True


def _since(key: SigningKey) -> datetime:
    return key.activated_at or key.created_at


def _is_old(since: datetime) -> bool:
    return timezone.now() - since > OLD


def _of_products(keys: QuerySet[SigningKey]) -> Iterator[Line]:
    since = [_since(key) for key in keys.order_by("pk")[:COUNTED]]
    if not since:
        return
    old = sum(map(_is_old, since))
    value = f"{plural(len(since), 'signing key')} in use, the oldest for {span(timezone.now() - min(since))}"
    if old:
        yield Line("Signing keys of products", f"{value}; {old:,} over a year old", State.WARN, ROTATE)
    else:
        yield Line("Signing keys of products", value)


def audit_trail() -> Iterator[Line]:
    chain = AuditChain.objects.filter(pk=1).first()
    try:
        if chain is None:
            raise Unreadable("its row is gone: restore the table licenses_auditchain from a backup")
        key_of(chain)
    except Unreadable as problem:
        yield Line("Audit chain", "Cannot be gone on with", State.BAD, f"{str(problem)[0].upper()}{str(problem)[1:]}.")
    else:
        last = AuditEvent.objects.filter(position=chain.position).values_list("occurred_at", flat=True).first()
        when = f", {ago(last)}" if last else ""
        yield Line("Audit chain", f"Under seal up to event {chain.position:,}{when}")
    yield _unlinked()
    yield Line(
        "Whole chain", "Not read here", State.PLAIN, "manage.py verify_audit reads it and names what is not as it was."
    )


def _unlinked() -> Line:
    waiting = AuditEvent.objects.filter(position=None)
    count = count_up_to(waiting, COUNTED)
    oldest = waiting.order_by("pk").values_list("occurred_at", flat=True).first()
    if oldest is None:
        return Line("Events to be linked", "None waits")
    value = f"{count}, the oldest {ago(oldest)}"
    if timezone.now() - oldest <= LINKED_WITHIN:
        return Line("Events to be linked", value)
    advice = "The next change links them; if they stay, the log says why, and manage.py verify_audit too."
    return Line("Events to be linked", value, State.WARN, advice)
