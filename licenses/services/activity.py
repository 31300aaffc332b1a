"""What happened on which day, counted from the audit events once, by their place in the chain.

A place is given in strict order and under a lock (audit_chain.py), so nothing appears later below one that is there.
"""

from datetime import UTC

from django.db import OperationalError, transaction
from django.db.models import BigIntegerField, Case, Count, OuterRef, Subquery, When
from django.db.models.functions import Coalesce, TruncDate

from licenses.events import Kind
from licenses.models import AuditChain, AuditEvent, Figures, LicenseKey
from licenses.services.daily_counts import Counted, add_to_daily_counts

BATCH = 5_000  # places of the chain in one transaction; a page counts so many while somebody waits for it


@transaction.atomic
def roll_up_activity(*, wait: bool = True) -> int:
    """Count the next audit events by day, each exactly once; how many places of the chain there were.

    0 when all are counted; without `wait` also when somebody else is at it. Events that were pruned leave places empty.
    """
    Figures.objects.get_or_create(pk=1)
    mark = Figures.objects.select_for_update(skip_locked=not wait).filter(pk=1).first()
    if mark is None:
        return 0
    through = min(mark.position + BATCH, _end_of_chain())
    if through <= mark.position:
        return 0
    add_to_daily_counts(_counts(mark.position, through))
    Figures.objects.filter(pk=1).update(position=through)
    return through - mark.position


def count_what_is_left() -> int:
    """What a page adds to the roll-up before it shows it, bounded; how many events are still to be counted after that.

    The worker leaves it little or nothing to do, and where no worker runs, the page does its work bit by bit.
    """
    left = _left()
    if not left:  # asked first: most pages then write nothing
        return 0
    try:
        return max(left - roll_up_activity(wait=False), 0)
    except OperationalError:  # SQLite has one writer, and he takes longer than a page waits
        return left


def _left() -> int:
    counted = Figures.objects.filter(pk=1).values_list("position", flat=True).first() or 0
    return max(_end_of_chain() - counted, 0)


def _end_of_chain() -> int:
    return AuditChain.objects.filter(pk=1).values_list("position", flat=True).first() or 0


def _counts(after: int, through: int) -> dict[Counted, int]:
    """By day and kind. Assignments by product too: what a stock is sold of is compared with it."""
    product = Subquery(
        LicenseKey.objects.filter(pk=OuterRef("object_id")).values("product_id"), output_field=BigIntegerField()
    )
    assigned = When(kind=Kind.LICENSE_KEY_ASSIGNED, then=Coalesce(product, 0))
    rows = (
        AuditEvent.objects.filter(position__gt=after, position__lte=through)
        .annotate(day=TruncDate("occurred_at", tzinfo=UTC), product_number=Case(assigned, default=0))
        .order_by()
        .values_list("day", "kind", "product_number")
        .annotate(number=Count("pk"))
    )
    return {Counted(day, kind, product_number): number for day, kind, product_number, number in rows}
