"""Refused calls, remembered: how many a day for the charts, and by license key for its timeline.

No request writes them. Each process adds them up in memory and one thread of its own stores the sums every few seconds,
and once more when the process ends. A process that is killed loses the counts of those seconds and nothing else; so
does a database that is away for so long that `MOST_WAITING` is reached. A text that is no license key is never stored:
it may be a guess, or somebody's secret.
"""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count
from django.utils import timezone

from licenses.codes import Code
from licenses.models import LicenseKey, RefusedCall
from licenses.services.daily_counts import Counted, add_to_daily_counts

logger = logging.getLogger(__name__)

EVERY = 3.0  # seconds between two writes of a process
MOST_WAITING = 5_000  # rows in the memory of a process; what comes beyond them is in the daily counts alone
AT_ONCE = 500  # rows of one transaction: license keys are locked while it lasts
MOST_A_DAY = 100  # rows of a license key; then identifiers are no longer told apart
KEPT_FOR = timedelta(days=90)
FORGOTTEN_AT_ONCE = 10_000
TRIES_AT_THE_END = 5

ADD = """
INSERT INTO licenses_refused_call AS stored
    (license_key_id, day, endpoint, code, identifier, address, api_key, count, first_at, last_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (license_key_id, day, endpoint, code, identifier) DO UPDATE SET
    count = stored.count + excluded.count,
    address = CASE WHEN excluded.last_at >= stored.last_at THEN excluded.address ELSE stored.address END,
    api_key = CASE WHEN excluded.last_at >= stored.last_at THEN excluded.api_key ELSE stored.api_key END,
    first_at = CASE WHEN excluded.first_at < stored.first_at THEN excluded.first_at ELSE stored.first_at END,
    last_at = CASE WHEN excluded.last_at > stored.last_at THEN excluded.last_at ELSE stored.last_at END
"""
# Against being deleted until the counts are committed, which lets everybody else refer to them. Nobody is waited for:
# what somebody is changing just now has its turn the next time
LOCK = """
SELECT license_key, id FROM licenses_licensekey WHERE license_key = ANY(%s) ORDER BY id FOR KEY SHARE SKIP LOCKED
"""


class Call(NamedTuple):
    """What is counted together."""

    license_key: str
    day: date
    endpoint: str
    code: int
    identifier: str


@dataclass(frozen=True)
class Sum:
    """How many of these calls, from when to when; who made the last one."""

    count: int
    first_at: datetime
    last_at: datetime
    address: str | None
    api_key: str

    def __add__(self, other: "Sum") -> "Sum":
        last = max(self, other, key=lambda each: each.last_at)
        return replace(last, count=self.count + other.count, first_at=min(self.first_at, other.first_at))


class Waiting:
    """What this process has counted and not stored yet; for many threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[Counted] = Counter()
        self.calls: dict[Call, Sum] = {}

    def add(self, counts: Mapping[Counted, int], calls: Mapping[Call, Sum]) -> None:
        with self.lock:
            self.counts.update(counts)
            for call, more in calls.items():
                if known := self.calls.get(call):
                    self.calls[call] = known + more
                elif len(self.calls) < MOST_WAITING:
                    self.calls[call] = more

    def take(self) -> tuple[Counter[Counted], dict[Call, Sum]]:
        with self.lock:
            taken = self.counts, self.calls
            self.counts, self.calls = Counter(), {}
        return taken


waiting = Waiting()


def count_refused(
    code: Code,
    *,
    product_id: int | None,
    license_key: str = "",
    identifier: str = "",
    endpoint: str,
    address: str,
    api_key: str,
) -> None:
    """Remember one refusal, in memory. `license_key` is what was sent, if it can be one; see `LicenseKey`'s field."""
    if not settings.COUNT_REFUSED_CALLS:
        return
    now, number = timezone.now(), int(code.value.number)
    day = now.astimezone(UTC).date()
    calls = {}
    if license_key and code is not Code.LICENSE_KEY_INVALID:
        call = Call(license_key, day, endpoint, number, identifier if is_let_in(code) else "")
        calls[call] = Sum(1, now, now, _plain(address), api_key[:255])
    waiting.add({Counted(day, f"refused.{number}", product_id or 0): 1}, calls)
    wake()


def _plain(address: str) -> str | None:
    """An address as every database takes it; None for what is none, as a server on a socket names its callers."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return None


def is_let_in(code: Code) -> bool:
    """Whether the caller got as far as the license key: what others say about themselves is not kept."""
    return code is Code.ACCESS_DENIED or int(code.value.number) >= int(Code.VALID_LICENSE_KEY.value.number)


def flush() -> bool:
    """Store what is waiting. True when some is left: of license keys that somebody is changing, or because the database
    does not serve, which is no reason to stop, nor to forget. Try again soon."""
    counts, calls = waiting.take()
    left: dict[Call, Sum] = {}
    try:
        with transaction.atomic():
            add_to_daily_counts(counts)
        counts.clear()
        while calls:
            some = {call: calls[call] for call in sorted(calls)[:AT_ONCE]}
            left |= _store(some)
            calls = {call: total for call, total in calls.items() if call not in some}
    except (OperationalError, InterfaceError) as error:
        logger.warning("Refused calls could not be stored and wait: %s", type(error).__name__)
        waiting.add(counts, calls | left)
        return True
    waiting.add({}, left)
    return bool(left)


def _store(calls: Mapping[Call, Sum]) -> dict[Call, Sum]:
    """Add these calls to what is stored; returns those of license keys that are locked."""
    texts = sorted({call.license_key for call in calls})
    with transaction.atomic():
        numbers = _lock(texts)
        rows = sorted(_rows(calls, numbers), key=lambda row: row[:5])  # in one order: no two wait for each other
        with connection.cursor() as cursor:
            cursor.executemany(ADD, rows)
    existing = set(LicenseKey.objects.filter(license_key__in=texts).values_list("license_key", flat=True))
    left = existing - numbers.keys()
    return {call: total for call, total in calls.items() if call.license_key in left}


def _lock(texts: list[str]) -> dict[str, int]:
    """The numbers of those that are license keys, by their text."""
    if connection.vendor != "postgresql":
        return dict(LicenseKey.objects.filter(license_key__in=texts).values_list("license_key", "pk"))
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [texts])
        return dict(cursor.fetchall())


def _rows(calls: Mapping[Call, Sum], numbers: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
    """The parameters of `ADD`. A license key that has its fill of rows gets no further identifiers that day."""
    days = {call.day for call in calls}
    stored = RefusedCall.objects.filter(license_key__in=numbers.values(), day__in=days).order_by()
    counted = stored.values_list("license_key", "day").annotate(rows=Count("pk"))
    rows: Counter[tuple[int, date]] = Counter({(number, day): count for number, day, count in counted})
    adapt = connection.ops
    for call, total in calls.items():
        if (number := numbers.get(call.license_key)) is None:
            continue
        rows[number, call.day] += 1
        identifier = call.identifier if rows[number, call.day] <= MOST_A_DAY else ""
        first_at, last_at = map(adapt.adapt_datetimefield_value, (total.first_at, total.last_at))
        day, address = adapt.adapt_datefield_value(call.day), adapt.adapt_ipaddressfield_value(total.address)
        named = (number, day, call.endpoint, call.code, identifier)
        yield (*named, address, total.api_key, total.count, first_at, last_at)


@transaction.atomic
def forget_old_refusals() -> int:
    """Delete some of the rows that are past their time; returns how many. The worker calls it now and then."""
    oldest = timezone.now().astimezone(UTC).date() - KEPT_FOR
    old = RefusedCall.objects.select_for_update(skip_locked=True).filter(day__lt=oldest).order_by("day")
    return RefusedCall.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])).delete()[0]


# The thread

_something = threading.Event()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def wake() -> None:
    """See to it that what is waiting is stored in a few seconds. The first call in a process starts its thread."""
    global _thread  # noqa: PLW0603  one a process
    _something.set()
    if _thread is None:
        with _starting, contextlib.suppress(RuntimeError):  # no thread can be started any more: the process ends
            if _thread is None:
                atexit.register(flush_at_the_end)
                _thread = threading.Thread(target=_flush_for_ever, name="refused-calls", daemon=True)
                _thread.start()


def _flush_for_ever() -> None:
    while _something.wait():
        _something.clear()
        time.sleep(EVERY)
        try:
            if flush():
                _something.set()
        except Exception:
            logger.exception("Refused calls could not be stored")
        finally:
            connection.close()  # this thread's own; between two writes nobody needs it


def flush_at_the_end() -> None:
    """Before the process ends; again for a moment while others change the license keys, or the database is busy."""
    for _ in range(TRIES_AT_THE_END):
        if not flush():
            return
        time.sleep(EVERY / 30)


def _begin_anew() -> None:
    """In a process that was forked: what its parent counted is its parent's, whose thread it does not have."""
    global waiting, _something, _starting, _thread
    waiting, _something, _starting, _thread = Waiting(), threading.Event(), threading.Lock(), None


os.register_at_fork(after_in_child=_begin_anew)
