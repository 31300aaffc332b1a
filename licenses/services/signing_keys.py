"""The keys that seal answers: making, replacing and finding them."""

from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from licenses import signing
from licenses.events import Kind, record
from licenses.models import Actor, Product, SigningKey


class Signer(NamedTuple):
    """A private key ready to sign, with the label that answers carry."""

    label: str
    private_key: RSAPrivateKey


def create_signing_key(*, product: Product | None, bits: int | None = None, actor: Actor) -> SigningKey:
    """A new active key for the product, or the global one for `product=None`; the active one before it retires.

    `bits` is 2048, 3072 or 4096 (default SIGNING_KEY_BITS); ValueError otherwise. Old signatures stay valid: a
    retired key keeps its public half.
    """
    # Before the transaction: making a large key takes seconds, in which SQLite would let nobody else write
    private_key = signing.generate_private_key(bits or settings.SIGNING_KEY_BITS)
    return _put_in_use(private_key, product=product, actor=actor)


@transaction.atomic
def _put_in_use(private_key: RSAPrivateKey, *, product: Product | None, actor: Actor) -> SigningKey:
    _retire_active(product, actor=actor)
    public_key = signing.public_pem(private_key)
    signing_key = SigningKey.objects.create(
        product=product,
        bits=private_key.key_size,
        public_key=public_key,
        private_key_locked=signing.lock_private_key(private_key, settings.VAULT_KEYS),
        fingerprint=signing.fingerprint(public_key),
    )
    record(Kind.SIGNING_KEY_CREATED, signing_key, actor=actor, after={"bits": signing_key.bits})
    return signing_key


def _retire_active(product: Product | None, *, actor: Actor) -> None:
    signing_key = SigningKey.objects.select_for_update().active_of(product)
    if signing_key is None:
        return
    signing_key.status, signing_key.retired_at = SigningKey.Status.RETIRED, timezone.now()
    signing_key.save(update_fields=["status", "retired_at"])
    record(Kind.SIGNING_KEY_RETIRED, signing_key, actor=actor)


def signer_for(product_id: int | None) -> Signer:
    """Who signs an answer about this product: its own active key, else the global one.

    Raises ImproperlyConfigured when there is no key at all, and the database's errors when it is away.
    """
    signing_key = SigningKey.objects.signing_for(product_id)
    if signing_key is None:
        raise ImproperlyConfigured("There is no global signing key: run `manage.py create_signing_key`.")
    signer = Signer(signing_key.label, unlock(bytes(signing_key.private_key_locked)))
    if signing_key.product_id is None:
        _last_global[:] = [signer]
    return signer


def global_signer_seen_last() -> Signer | None:
    """What `signer_for(None)` found last in this process: "the database is away" is worth a signature too."""
    return _last_global[0] if _last_global else None


_last_global: list[Signer] = []


@lru_cache(maxsize=1024)
def unlock(private_key_locked: bytes) -> RSAPrivateKey:
    """The private key of a row. Kept in this process's memory: decrypting and parsing cost more than signing."""
    return signing.unlock_private_key(private_key_locked, settings.VAULT_KEYS)
