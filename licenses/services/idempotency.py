"""Doing a call once, however often it is sent (R1): the effect and its answer are committed together."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.models import ApiKey, IdempotencyRecord

KEPT_FOR = timedelta(hours=24)
WAIT = "5s"  # for another request with the same Idempotency-Key that is still running
FORGOTTEN_AT_ONCE = 1_000


class Answer(NamedTuple):
    """An answer as it left the portal."""

    http_status: int
    body: str


@transaction.atomic
def answer_once(*, api_key: ApiKey, idempotency_key: str, request_digest: str, produce: Callable[[], Answer]) -> Answer:
    """What `produce` answers, the first time; afterwards the same answer without doing it again.

    Refuses 161 when the key came with another request. Whatever `produce` raises leaves no trace, so that the caller
    may try again. A request that is still running is waited for; after `WAIT` the database's OperationalError says so.
    """
    record = _claim(api_key, idempotency_key, request_digest)
    if record.request_digest != request_digest:
        raise Refused(Code.IDEMPOTENCY_KEY_REUSED)
    if record.http_status is None:
        record.http_status, record.body = produce()
        record.save(update_fields=["http_status", "body"])
    return Answer(record.http_status, record.body)


def _claim(api_key: ApiKey, idempotency_key: str, request_digest: str) -> IdempotencyRecord:
    """A new record that nobody else can make until this transaction ends, or the one that is there."""
    named = IdempotencyRecord.objects.filter(api_key=api_key, idempotency_key=idempotency_key)
    _limit_waiting(WAIT)
    try:
        named.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()
        with transaction.atomic():
            return IdempotencyRecord.objects.create(
                api_key=api_key, idempotency_key=idempotency_key, request_digest=request_digest
            )
    except IntegrityError:
        return named.get()
    finally:
        _limit_waiting("DEFAULT")


def _limit_waiting(duration: str) -> None:
    """SQLite needs none: its transactions run one after the other, and wait as long as its own timeout says."""
    if connection.vendor == "postgresql" and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout TO {duration if duration == 'DEFAULT' else repr(duration)}")


def forget_old_answers() -> int:
    """Delete some of the records that are past their time; returns how many. The worker calls it now and then."""
    old = IdempotencyRecord.objects.filter(created_at__lte=timezone.now() - KEPT_FOR)
    numbers = list(old.order_by("created_at").values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    return IdempotencyRecord.objects.filter(pk__in=numbers).delete()[0]
