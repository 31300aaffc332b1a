"""The keys that seal answers: making, importing, replacing and finding them."""

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import Error, IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from licenses import signing
from licenses.events import Kind, record
from licenses.models import Actor, Product, SigningKey

Status = SigningKey.Status


class Signer(NamedTuple):
    """A private key ready to sign, with the label that answers carry."""

    label: str
    private_key: RSAPrivateKey


def create_signing_key(
    *, product: Product | None, bits: int | None = None, upcoming: bool = False, actor: Actor
) -> SigningKey:
    """A new active key for the product, or the global one for `product=None`; the active one before it retires.

    An `upcoming` one is only published, until `use_signing_key`; ValidationError when there is one already. `bits` is
    2048, 3072 or 4096 (default SIGNING_KEY_BITS); ValueError otherwise. Old signatures stay valid: a retired key keeps
    its public half.
    """
    # Before the transaction: making a large key takes seconds, in which SQLite would let nobody else write
    private_key = signing.generate_private_key(bits or settings.SIGNING_KEY_BITS)
    status = Status.UPCOMING if upcoming else Status.ACTIVE
    return _add(private_key, product=product, status=status, kind=Kind.SIGNING_KEY_CREATED, actor=actor)


@sensitive_variables("pem", "passphrase")
def import_signing_key(
    *, pem: bytes, passphrase: str = "", product: Product | None, status: SigningKey.Status, actor: Actor
) -> SigningKey:
    """A key that was made elsewhere, so that software in the field goes on trusting it: active, upcoming or retired.

    An active one retires the one before it. ValidationError names the field, `pem` or `passphrase`, and quotes nothing.
    """
    try:
        private_key = signing.read_private_key(pem, passphrase)
    except ValueError as error:
        field = "passphrase" if isinstance(error, signing.WrongPassphrase) else "pem"
        raise ValidationError({field: str(error)}) from None
    return _add(private_key, product=product, status=status, kind=Kind.SIGNING_KEY_IMPORTED, actor=actor)


@transaction.atomic
def use_signing_key(*, signing_key: SigningKey, actor: Actor) -> bool:
    """Let an upcoming key sign from now on; the active one before it retires. False when it is active already.

    ValidationError for one that is retired or compromised: those never sign again.
    """
    found = _locked(signing_key)
    if found.status == Status.ACTIVE:
        return False
    if found.status != Status.UPCOMING:
        raise ValidationError(f"{found} is {found.status}: only an upcoming signing key can be put in use.")
    _retire_active(found.product, actor=actor)
    _activate(found, actor=actor)
    return True


def mark_compromised(*, signing_key: SigningKey, since: datetime, actor: Actor) -> bool:
    """Cut a key off: what it signed from `since` on is not to be trusted. False when that is known already.

    An active one is replaced in the same moment, by the upcoming key or else by a new one that is no smaller. One that
    is marked already gets the other date. ValidationError when `since` is to come, or before the key was made here.
    """
    product, replaced = signing_key.product, SigningKey.objects.filter(pk=signing_key.pk, status=Status.ACTIVE).exists()
    needed = replaced and SigningKey.objects.upcoming_of(product) is None
    return _cut_off(signing_key, since, spare=_similar_key(signing_key) if needed else None, actor=actor)


@transaction.atomic
def _cut_off(signing_key: SigningKey, since: datetime, *, spare: RSAPrivateKey | None, actor: Actor) -> bool:
    found = _locked(signing_key)
    _require_possible(found, since)
    if found.compromised_at == since:
        return False
    before, was_active = _facts(found), found.status == Status.ACTIVE
    found.retired_at = timezone.now() if was_active else found.retired_at
    found.status, found.compromised_at = Status.COMPROMISED, since
    found.save(update_fields=["status", "retired_at", "compromised_at"])
    record(Kind.SIGNING_KEY_COMPROMISED, found, actor=actor, before=before, after=_facts(found))
    if was_active:
        _succeed(found, spare, actor=actor)
    return True


def _succeed(compromised: SigningKey, spare: RSAPrivateKey | None, *, actor: Actor) -> None:
    upcoming = SigningKey.objects.upcoming_of(compromised.product)
    if upcoming:
        _activate(upcoming, actor=actor)
        return
    private_key = spare or _similar_key(compromised)  # none is spare: things changed while this call waited
    _insert(private_key, compromised.product, Status.ACTIVE, kind=Kind.SIGNING_KEY_CREATED, actor=actor)


def _similar_key(signing_key: SigningKey) -> RSAPrivateKey:
    return signing.generate_private_key(next(bits for bits in signing.RSA_BITS if bits >= signing_key.bits))


def _require_possible(signing_key: SigningKey, since: datetime) -> None:
    """A key that came here in use may have leaked before that; of the others, dates are given to the minute."""
    if since > timezone.now():
        raise ValidationError({"since": "This moment is still to come: give one that has been."})
    came_in_use = signing_key.activated_at is None and signing_key.status != Status.UPCOMING
    made_at = signing_key.created_at.replace(second=0, microsecond=0)
    if since < made_at and not came_in_use:
        words = f"The signing key was made only at {made_at:%Y-%m-%d %H:%M} UTC: give that moment, or a later one."
        raise ValidationError({"since": words})


def _facts(signing_key: SigningKey) -> dict[str, str]:
    since = signing_key.compromised_at
    return {"status": signing_key.status} | ({"compromised_at": since.isoformat()} if since else {})


@transaction.atomic
def _add(
    private_key: RSAPrivateKey, *, product: Product | None, status: SigningKey.Status, kind: Kind, actor: Actor
) -> SigningKey:
    _lock_keys_of(product)
    _require_room(product, status)
    known = SigningKey.objects.filter(fingerprint=signing.fingerprint(signing.public_pem(private_key))).first()
    if known:
        raise ValidationError({"pem": f"This signing key is here already: {known}, {known.status}."})
    if status == Status.ACTIVE:
        _retire_active(product, actor=actor)
    try:
        with transaction.atomic():
            return _insert(private_key, product, status, kind=kind, actor=actor)
    except IntegrityError:  # the very first one of a product has no row before it that could be locked
        raise ValidationError("Somebody else added a signing key at the same moment. Look at it first.") from None


def _require_room(product: Product | None, status: SigningKey.Status) -> None:
    if status != Status.UPCOMING:
        return
    if upcoming := SigningKey.objects.upcoming_of(product):
        raise ValidationError(f"There is an upcoming signing key already: {upcoming}. Put it in use first.")
    if product is None and SigningKey.objects.active_of(None) is None:
        raise ValidationError("There is no global signing key yet: the first one has to sign at once.")


def _insert(
    private_key: RSAPrivateKey, product: Product | None, status: SigningKey.Status, *, kind: Kind, actor: Actor
) -> SigningKey:
    public_key, now = signing.public_pem(private_key), timezone.now()
    made_here = kind is Kind.SIGNING_KEY_CREATED
    signing_key = SigningKey.objects.create(
        product=product,
        status=status,
        bits=private_key.key_size,
        public_key=public_key,
        private_key_locked=signing.lock_private_key(private_key, settings.VAULT_KEYS),
        fingerprint=signing.fingerprint(public_key),
        activated_at=now if made_here and status == Status.ACTIVE else None,
        retired_at=now if status == Status.RETIRED else None,
    )
    record(kind, signing_key, actor=actor, after={"bits": signing_key.bits, "status": status})
    _forget_replaced(product)
    return signing_key


def _lock_keys_of(product: Product | None) -> None:
    """Let changes of one product's keys, or of the global ones, wait for each other.

    The oldest row is never deleted and stands for them all: a lock on the active one would not do, because who has
    waited for it finds it retired and its successor not yet.
    """
    SigningKey.objects.select_for_update().filter(product=product).order_by("pk").only("pk").first()


def _locked(signing_key: SigningKey) -> SigningKey:
    _lock_keys_of(signing_key.product)
    return SigningKey.objects.select_for_update(of=("self",)).select_related("product").get(pk=signing_key.pk)


def _retire_active(product: Product | None, *, actor: Actor) -> None:
    signing_key = SigningKey.objects.active_of(product)
    if signing_key is None:
        return
    signing_key.status, signing_key.retired_at = Status.RETIRED, timezone.now()
    signing_key.save(update_fields=["status", "retired_at"])
    record(Kind.SIGNING_KEY_RETIRED, signing_key, actor=actor)


def _activate(signing_key: SigningKey, *, actor: Actor) -> None:
    signing_key.status, signing_key.activated_at = Status.ACTIVE, timezone.now()
    signing_key.save(update_fields=["status", "activated_at"])
    record(Kind.SIGNING_KEY_ACTIVATED, signing_key, actor=actor)
    _forget_replaced(signing_key.product)


def signer_for(product_id: int | None) -> Signer:
    """Who signs an answer about this product: its own active key, else the global one.

    Raises ImproperlyConfigured when there is no key at all, and the database's errors when it is away.
    """
    # The row is read each time, so that a key that is replaced or cut off on one node signs on none any more
    rows = list(SigningKey.objects.in_use(product_id).only("product_id", "private_key_locked"))
    _remember_global(rows)
    if not rows:
        raise ImproperlyConfigured("There is no global signing key: run `manage.py create_signing_key`.")
    return Signer(rows[0].label, unlock(bytes(rows[0].private_key_locked)))


def global_signer_seen_last() -> Signer | None:
    """The global key that this process saw last, with whatever answer: "the database is away" is worth a signature too.

    A key that was cut off meanwhile is not it, as far as this process can know: each answer that it signed has looked.
    """
    try:
        return Signer("global", unlock(_last_global[0]))
    except (IndexError, InvalidToken):
        return None


_last_global: list[bytes] = []  # the global key in use, encrypted as in its row


def _remember_global(rows: list[SigningKey]) -> None:
    _last_global[:] = [bytes(row.private_key_locked) for row in rows if row.product_id is None]


def _forget_replaced(product: Product | None) -> None:
    """What replaced the global key shall be what this process remembers, also if the database goes away right now."""
    if product is None:
        transaction.on_commit(_look_again)


def _look_again() -> None:
    _last_global.clear()
    with suppress(Error):
        _remember_global(list(SigningKey.objects.in_use(None)))


@lru_cache(maxsize=1024)
def unlock(private_key_locked: bytes) -> RSAPrivateKey:
    """The private key of a row. Kept in this process's memory: decrypting and parsing cost more than signing."""
    return signing.unlock_private_key(private_key_locked, settings.VAULT_KEYS)
