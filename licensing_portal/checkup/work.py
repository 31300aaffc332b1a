"""Who does what was put off, and what waits."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from licenses.models import Assignment, QueuedAssignment, Worker
from licenses.reports.counting import count_up_to
from licensing_portal.checkup.lines import Line, State, ago, plural

Delivery = QueuedAssignment.State

LOST_AFTER = timedelta(minutes=1)  # a worker says every few seconds that it lives, but a delivery may take ten
LATE = timedelta(minutes=2)  # after which something that is due should have been begun
LATEST = 10_000  # queued assignments that are looked at for failures, the newest
LATEST_BULK = 200
START_ONE = "Start one: manage.py run_worker, beside the server; make run starts one itself."


def workers() -> Iterator[Line]:
    rows: list[Any] = list(Worker.objects.annotate(now=Now())[:100])
    alive = [row for row in rows if row.now - row.seen_at <= LOST_AFTER]
    if not alive:
        late = _due_since(timezone.now() - LATE)
        state = State.BAD if late else State.WARN
        waits = ", and work is waiting" if late else ""
        yield Line("Worker", f"None runs{waits}", state, f"{START_ONE} Without one, queued and bulk assignments wait.")
    for row in alive:
        yield _alive(row)
    for row in rows:
        if row not in alive:
            yield _lost(row, another=bool(alive))


def _alive(row: Any) -> Line:
    value = f"{row.doing}; seen {ago(row.seen_at, row.now)}, started {ago(row.started_at, row.now)}"
    title = f"Worker {row.name}"
    if row.version != settings.PORTAL_VERSION:
        advice = f"It runs version {row.version} of the portal: restart it."
        return Line(title, value, State.WARN, advice)
    return Line(title, value)


def _lost(row: Any, *, another: bool) -> Line:
    """A worker that ends takes its row away, so this one was killed, or hangs, or its machine is gone."""
    value = f"Last seen {ago(row.seen_at, row.now)}, doing: {row.doing}"
    if another:
        return Line(f"Former worker {row.name}", value, State.PLAIN, "It was killed, and another works in its place.")
    advice = "It was killed or hangs: look at its log, and start it again."
    return Line(f"Worker {row.name}", value, State.WARN, advice)


def _due_since(moment: Any) -> bool:
    return _unfinished().filter(due_at__lte=moment).exists()


def _unfinished() -> QuerySet[QueuedAssignment]:
    return QueuedAssignment.objects.filter(state__in=(Delivery.QUEUED, Delivery.DELIVERING))


def queue() -> Iterator[Line]:
    now = timezone.now()
    waiting = count_up_to(_unfinished())
    oldest = _unfinished().order_by("due_at").values_list("due_at", flat=True).first()
    if oldest and oldest < now - LATE:
        advice = "Start a worker, or another one: several share the work."
        yield Line("Queue", f"{waiting} waiting, the oldest was due {ago(oldest, now)}", State.WARN, advice)
    else:
        yield Line("Queue", f"{waiting} waiting" if waiting.number else "Empty")
    yield _failed()


def _failed() -> Line:
    """Of the latest ones: what was given up long ago has been seen, and no index leads there."""
    numbers = QueuedAssignment.objects.order_by("-pk").values_list("pk", flat=True)
    first = next(iter(numbers[LATEST - 1 : LATEST]), 0)
    latest = QueuedAssignment.objects.filter(pk__gte=first)
    failed = count_up_to(latest.filter(state=Delivery.FAILED)).number
    uncertain = count_up_to(latest.filter(state=Delivery.UNCERTAIN)).number
    if not failed and not uncertain:
        return Line("Deliveries to shops", "None has failed")
    counts = ((failed, "not delivered"), (uncertain, "perhaps delivered"))
    value = ", ".join(f"{count:,} {words}" for count, words in counts if count)
    advice = "Queued assignments, filtered by state, say why; what is to be sent again is sent from there."
    return Line("Deliveries to shops", value, State.WARN, advice)


def bulk_assignments() -> Iterator[Line]:
    latest: Any = Assignment.objects.order_by("-pk")
    names = {field.name for field in Assignment._meta.get_fields()}
    if "state" not in names:
        open_ones = sum(1 for row in latest[:LATEST_BULK] if row.finished_at is None)
        yield Line("Bulk assignments", f"{plural(open_ones, 'file')} not finished", State.PLAIN)
        return
    counts = Counter(latest.values_list("state", flat=True)[:LATEST_BULK])
    if not counts:
        yield Line("Bulk assignments", "None yet", State.PLAIN)
        return
    states: Any = next(field for field in Assignment._meta.get_fields() if field.name == "state")
    labels = {value: str(label).lower() for value, label in states.flatchoices}
    value = ", ".join(f"{count:,} {labels.get(state, state)}" for state, count in counts.most_common())
    advice = "Open the failed ones under Bulk assignments: each says why." if counts["failed"] else ""
    yield Line("Bulk assignments", value, State.WARN if counts["failed"] else State.GOOD, advice)
