"""The chain of audit events: each one's digest covers what it says and the digest before it.

An event gets its place right after the commit that wrote it, in a short transaction of its own: taking the end of the
chain inside the changes' transactions would make all of them wait for each other, and deadlock with the rows they lock.
An event that is not linked yet (its process was killed) is linked by whoever comes next.

The row that says where the chain ends is under seal, and `migrate` alone makes it: else whoever owns the tables could
set the end back to nothing, rewrite the past, and have the portal itself link what he wrote.
"""

import hmac
import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import QuerySet

from licenses.models import AuditChain, AuditEvent
from licenses.signing import vault

logger = logging.getLogger(__name__)

BATCH = 1_000  # events linked in one transaction
AT_ONCE, ROUNDS = 2 * BATCH, 10  # what one change links for others at most: its caller waits for its answer
KEY_BYTES = 32
KEY_LABEL = b"audit chain:"  # before the key where it is locked: nothing else that the vault has locked begins so
CONTENT = (
    "pk",
    "occurred_at",
    "kind",
    "door",
    "actor",
    "address",
    "object_type",
    "object_id",
    "object_label",
    "before",
    "after",
)
# As text: this happens after every change, and composing these each time would take longer than doing them
END = "SELECT position, digest, seal, locked_key FROM licenses_auditchain WHERE id = 1"
LINK = {  # PostgreSQL takes all of them in one statement
    "postgresql": """
        UPDATE licenses_auditevent SET position = link.position, digest = link.digest
        FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS link (position, digest, id)
        WHERE licenses_auditevent.id = link.id
    """,
    "sqlite": "UPDATE licenses_auditevent SET position = %s, digest = %s WHERE id = %s",
}
MOVE_END = "UPDATE licenses_auditchain SET position = %s, digest = %s, seal = %s"
IS_ONE_LEFT = "SELECT EXISTS (SELECT 1 FROM licenses_auditevent WHERE position IS NULL)"

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Unreadable(Exception):
    """The chain cannot be gone on with: its key or its row is not there, or not the one of this portal."""


class EndAltered(Unreadable):
    """The row with the end of the chain is not as the portal left it: what is linked to it now would bless that."""

    def __init__(self) -> None:
        super().__init__(
            "the end of the audit chain was set back or altered, or its key replaced: its seal does not fit. "
            "Nothing is linked until the table licenses_auditchain is restored from a backup"
        )


class End(NamedTuple):
    """Where the chain ends, as its row says."""

    position: int
    digest: str
    seal: str
    locked_key: bytes | memoryview


def digest_of(key: bytes, previous: str, position: int, content: Sequence[Any]) -> str:
    """What links an event, whose `content` are the values of `CONTENT`, to the digest before it."""
    return _mac(key, f"{previous}{_encode([position, *map(_plain, content)])}")


def seal_of(key: bytes, position: int, digest: str) -> str:
    """Says that the chain was pruned up to here by somebody who has its key. No digest: those cover JSON lists."""
    return _mac(key, f"pruned {position}:{digest}")


def end_seal_of(key: bytes, position: int, digest: str) -> str:
    """Says that somebody who has the key left the chain ending here. Migration 0012 makes the first one."""
    return _mac(key, f"end {position}:{digest}")


def _mac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), sha256).hex()  # no text in a row may stop the reader


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def link_soon() -> None:
    """Link the events of this transaction once it is committed; several calls in one transaction are one."""
    if not any(function is link_committed for _, function, *_ in connection.run_on_commit):
        transaction.on_commit(link_committed, robust=True)


def link_committed() -> None:
    """Link what is committed, or leave it to whoever is at it. The change is done: no failure may reach its caller."""
    try:
        linked = 0
        for _ in range(ROUNDS):
            count = link_batch(wait=False)
            linked += count
            # Asked after the lock is gone: who found it taken meanwhile relies on us
            if not count or linked >= AT_ONCE or not is_one_left():
                return
    except (DatabaseError, InterfaceError, Unreadable) as error:
        logger.error(
            "Audit events are recorded but not linked to the chain; the next change tries again, "
            "`manage.py verify_audit` says what is wrong: %s",
            error,
        )


def link_all(show: Callable[[int], None] = lambda count: None) -> int:
    """Link everything, waiting for whoever is at it; how many there were. Raises Unreadable, and the database's errors.

    `show` is told from time to time how many are linked.
    """
    count = 0
    while linked := link_batch(wait=True):
        count += linked
        show(count)
    return count


@transaction.atomic
def link_batch(*, wait: bool) -> int:
    """Link the oldest events that are not linked; how many. 0 too when another process is at it and we do not wait."""
    with connection.cursor() as cursor:
        end = _lock_end(cursor, wait=wait)
        if end is None:
            return 0
        key = key_of(end)
        links = _links(key, end.position, end.digest)
        if links:
            _store(cursor, links)
            position, digest, _ = links[-1]
            cursor.execute(MOVE_END, [position, digest, end_seal_of(key, position, digest)])
    return len(links)


def _store(cursor: Any, links: list[tuple[int, str, int]]) -> None:
    statement = LINK[connection.vendor]
    if connection.vendor == "postgresql":
        cursor.execute(statement, [list(column) for column in zip(*links, strict=True)])
    else:
        cursor.executemany(statement, links)


def _lock_end(cursor: Any, *, wait: bool) -> End | None:
    """The end of the chain; None when another process has it."""
    statement = END  # on SQLite the transaction has the only lock there is
    if connection.vendor == "postgresql":
        statement += " FOR UPDATE" if wait else " FOR UPDATE SKIP LOCKED"
        if not wait:  # the change itself is safe on disk: should the machine crash now, its event is linked again
            cursor.execute("SET LOCAL synchronous_commit TO off")
    cursor.execute(statement)
    found = cursor.fetchone()
    if found is None and not AuditChain.objects.filter(pk=1).exists():
        raise _gone()
    return End(*found) if found else None


def _links(key: bytes, position: int, digest: str) -> list[tuple[int, str, int]]:
    """What to store in the next events: position, digest, number of the event."""
    links = []
    for content in unlinked().order_by("pk").values_list(*CONTENT)[:BATCH]:
        position += 1
        digest = digest_of(key, digest, position, content)
        links.append((position, digest, content[0]))
    return links


def is_one_left() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_ONE_LEFT)
        return bool(cursor.fetchone()[0])


def unlinked() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(position=None)


def lock_chain() -> AuditChain:
    """The row with the end of the chain, locked for this transaction. Raises Unreadable when it is gone."""
    chain = AuditChain.objects.select_for_update().filter(pk=1).first()
    if chain is None:
        raise _gone()
    return chain


def _gone() -> Unreadable:
    return Unreadable(
        "the row with the end and the key of the audit chain is gone: "
        "restore the table licenses_auditchain from a backup"
    )


def key_of(end: End | AuditChain) -> bytes:
    """For going on from this end. Raises Unreadable, and of that EndAltered when the seal does not fit."""
    key = unsealed_key_of(end)
    if not hmac.compare_digest(end.seal.encode(), end_seal_of(key, end.position, end.digest).encode()):
        raise EndAltered
    return key


def unsealed_key_of(end: End | AuditChain) -> bytes:
    """For reading what is there, whatever was done to the end. Raises Unreadable."""
    return _unlock(bytes(end.locked_key), tuple(settings.VAULT_KEYS))


@lru_cache(maxsize=8)
def _unlock(locked_key: bytes, vault_keys: tuple[str, ...]) -> bytes:
    try:
        key = vault(vault_keys).decrypt(locked_key)
    except InvalidToken:
        raise Unreadable(
            "the key of the audit chain cannot be decrypted with any of VAULT_KEYS: "
            "put the vault key it was made under back into VAULT_KEYS, after the newest one"
        ) from None
    if not key.startswith(KEY_LABEL):  # something else that this vault has locked, which somebody may know
        raise Unreadable(
            "the key of the audit chain is not one: somebody has put another secret in its place. "
            "Restore the table licenses_auditchain from a backup"
        )
    return key.removeprefix(KEY_LABEL)
