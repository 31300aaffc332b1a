"""The rights of programs: making and revoking API keys."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from licenses.events import Kind, record
from licenses.models import Actor, ApiKey, Contract, Profile
from licenses.models.api_keys import PREFIX_LENGTH, digest_of

LAST_USED_EVERY = timedelta(minutes=1)


@transaction.atomic
def create_api_key(
    *,
    name: str,
    capabilities: Sequence[str],
    allowed_networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    profile: str = Profile.DOCUMENTED,
    contract: Contract | None = None,
    requests_per_minute: int | None = None,
    wrong_keys_per_minute: int | None = None,
    actor: Actor,
) -> tuple[ApiKey, str]:
    """A new API key and its text, which is nowhere else: show it once. ValidationError names a bad field.

    With a `contract` it is for the holder of that contract, and the contracts/… endpoints speak of no other. Of the two
    limits None stands for the portal's default and 0 for none.
    """
    text = f"lp_{secrets.token_hex(4)}{secrets.token_urlsafe(32)}"
    api_key = ApiKey(
        name=name,
        prefix=text[:PREFIX_LENGTH],
        digest=digest_of(text),
        capabilities=list(capabilities),
        allowed_networks=list(allowed_networks),
        expires_at=expires_at,
        profile=profile,
        contract=contract,
        requests_per_minute=requests_per_minute,
        wrong_keys_per_minute=wrong_keys_per_minute,
    )
    api_key.full_clean()
    api_key.save(force_insert=True)
    record(Kind.API_KEY_CREATED, api_key, actor=actor, after=_facts(api_key))
    return api_key, text


def _facts(api_key: ApiKey) -> dict[str, Any]:
    """What the audit keeps of a new API key: what it may, and how often where that is not as the portal says."""
    limits = {name: getattr(api_key, name) for name in ("requests_per_minute", "wrong_keys_per_minute")}
    facts = {"capabilities": api_key.capabilities, "profile": api_key.profile, "contract": api_key.contract_id}
    return facts | {name: limit for name, limit in limits.items() if limit is not None}


@transaction.atomic
def revoke_api_key(*, api_key: ApiKey, actor: Actor) -> bool:
    """Make the API key answer 101 from the next request on; False when it was inactive already."""
    if not ApiKey.objects.filter(pk=api_key.pk, is_active=True).update(is_active=False):
        return False
    record(Kind.API_KEY_REVOKED, api_key, actor=actor, before={"is_active": True}, after={"is_active": False})
    return True


def note_used(api_key: ApiKey) -> None:
    """Write when the key was last used, at most once a minute. Not for a transaction: a failure is passed over."""
    now = timezone.now()
    if api_key.last_used_at is None or api_key.last_used_at <= now - LAST_USED_EVERY:
        with suppress(DatabaseError):  # a note, no reason to turn the caller away
            ApiKey.objects.filter(pk=api_key.pk).update(last_used_at=now)
