"""Reading the audit chain: every event is there, unchanged, in its place. What is not is named."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from licenses.audit_chain import (
    CONTENT,
    EndAltered,
    Unreadable,
    digest_of,
    link_all,
    link_committed,
    lock_chain,
    seal_of,
    unlinked,
    unsealed_key_of,
)
from licenses.events import Kind
from licenses.models import AuditEvent

CHUNK = 2_000  # events read at once
NAMED = 100  # problems that are told one by one
SEARCHED = 20  # events out of their place that are looked for
NEAR = 100  # numbers of events, to both sides, among which one that belongs here is looked for
BEFORE_ALL = -(2**63)
LATE = timedelta(hours=1)  # an event that waited for its place for so long was not left to the next change alone
HEAD = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{16,64})")


class Row(NamedTuple):
    """An event as it stands in the chain; `content` are the values of `CONTENT`."""

    position: int
    digest: str
    content: tuple[Any, ...]

    @property
    def pk(self) -> int:
        return int(self.content[0])

    def __str__(self) -> str:
        return f"event {self.pk}, {self.content[2]}, {self.content[1]:%Y-%m-%d %H:%M}"


class Late(NamedTuple):
    """Events that `verify_audit` had to link itself, and when the oldest of them occurred, more than an hour ago."""

    events: int
    oldest: datetime


@dataclass
class Walk:
    """Goes along the chain, row by row. `fits` are the digests that the next row may continue; none after a gap."""

    key: bytes
    position: int = 0
    fits: tuple[str, ...] = ("",)
    last: Row | None = None
    linked_now: int = 0  # events that had no place when the walk began
    late: Late | None = None
    can_link: bool = True
    pruned: int = 0  # how many positions at the beginning are deleted by right
    events: int = 0
    fitting: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    def step(self, row: Row) -> None:
        if row.position > self.position + 1:
            self._pass_gap(row.position - 1)
        self.events += 1
        if row.position <= self.position:
            self.complain(f"position {row.position} ({row}) was put in")
            return
        found = self._digests_of(row, row.position)
        if not self.fits or row.digest in found:
            self.fitting += bool(self.fits)
            self.fits, self.last = (row.digest,), row
        else:
            self._explain(row, found)
        self.position = row.position

    def complain(self, problem: str) -> None:
        self.problem_count += 1
        if self.problem_count <= NAMED:
            self.problems.append(problem)

    def _digests_of(self, row: Row, position: int) -> tuple[str, ...]:
        """The digests this row would have at this position."""
        return tuple(digest_of(self.key, previous, position, row.content) for previous in self.fits)

    def _pass_gap(self, through: int) -> None:
        """Rows up to here are not there. They were deleted by right when somebody with the key has said so."""
        digest = pruned_digest(self.key, through)
        if digest is None:
            self.complain(_missing(self.position + 1, through))
        else:
            self.pruned = through
        self.position, self.fits = through, (digest,) if digest else ()

    def _explain(self, row: Row, found: tuple[str, ...]) -> None:
        """The row is not the one that was linked here: it was changed, or another one belongs here."""
        right, digest = self._belongs_here(row) if self.problem_count < SEARCHED else (None, "")
        if right is None:
            self.complain(f"position {row.position} ({row}) was altered: it is not what was recorded there")
            self.fits, self.last = (row.digest, *found), row
            return
        self.complain(f"position {row.position} holds {row}, but {right}, which is at {right.position}, belongs there")
        self.fits, self.last = (digest, row.digest), right

    def _belongs_here(self, row: Row) -> tuple[Row | None, str]:
        """The row that was linked at this position, wherever it stands now: its number is near that of the last."""
        number = self.last.pk if self.last else row.pk
        near = linked().filter(pk__range=(number - NEAR, number + NEAR)).exclude(pk=row.pk)
        for other in map(_row, near.values_list("position", "digest", *CONTENT)):
            for digest in self._digests_of(other, row.position):
                if digest in (other.digest, row.digest):
                    return other, digest
        return None, ""


@dataclass(frozen=True)
class Verification:
    """What the chain is like. `head` is where it ends, to be noted elsewhere; empty without events."""

    events: int
    pruned: int
    head: str
    problems: Sequence[str]
    problem_count: int
    late: Late | None = None


def verify_audit(*, contains: str = "", show: Callable[[int], None] = lambda events: None) -> Verification:
    """Link what is not linked yet, then read the whole chain in pieces; `show` is told how many events are read.

    `contains` is the head of an earlier verification, which must still be in the chain; ValidationError when it is
    nothing like one. Not for a transaction: the portal works on meanwhile.
    """
    noted = _parse(contains)
    try:
        walk = _begin(show)
    except Unreadable as error:
        return Verification(0, 0, "", [str(error)], 1)
    for events in _chunks(walk):
        show(walk.linked_now + events)
    _compare_end(walk)
    if walk.can_link:
        link_committed()  # what others could not link while the end was compared
    if noted:
        _require_contained(walk, *noted)
    return _told(walk)


def events_to_verify() -> int:
    """About how many events `verify_audit` is going to read."""
    first = linked().order_by("position").values_list("position", flat=True).first()
    last = linked().order_by("-position").values_list("position", flat=True).first()
    return (last - first + 1 if first is not None and last is not None else 0) + unlinked().count()


def linked() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(position__isnull=False)


def rows_after(position: int, *, limit: int) -> list[Row]:
    rows = linked().filter(position__gt=position).order_by("position").values_list("position", "digest", *CONTENT)
    return [_row(values) for values in rows[:limit]]


def pruned_digest(key: bytes, through: int) -> str | None:
    """The digest at this position, if an event says under seal that the chain was pruned up to there."""
    for after in AuditEvent.objects.filter(kind=Kind.AUDIT_PRUNED, after__through=through).values_list(
        "after", flat=True
    ):
        if after.get("seal") == seal_of(key, through, str(after.get("digest"))):
            return str(after["digest"])
    return None


def _begin(show: Callable[[int], None]) -> Walk:
    oldest, problem, count = _oldest_unlinked(), "", 0
    try:
        count = link_all(show)
    except EndAltered as error:
        problem = str(error)
    except IntegrityError:
        problem = "new events cannot be linked: their positions, from the chain's end on, are taken"
    walk = Walk(_key(), linked_now=count, late=_late(count, oldest), can_link=not problem)
    if problem:
        walk.complain(problem)
    return walk


@transaction.atomic
def _key() -> bytes:
    return unsealed_key_of(lock_chain())


def _oldest_unlinked() -> datetime | None:
    oldest: datetime | None = unlinked().aggregate(oldest=Min("occurred_at"))["oldest"]
    return oldest


def _late(count: int, oldest: datetime | None) -> Late | None:
    return Late(count, oldest) if count and oldest and oldest < timezone.now() - LATE else None


def _chunks(walk: Walk) -> Iterator[int]:
    position = BEFORE_ALL
    while rows := rows_after(position, limit=CHUNK):
        for row in rows:
            walk.step(row)
        position = rows[-1].position
        yield walk.events


@transaction.atomic
def _compare_end(walk: Walk) -> None:
    """The chain's own row says where it ends. It is locked, so that the end stands still."""
    chain = lock_chain()
    for row in rows_after(walk.position, limit=CHUNK):  # linked since
        walk.step(row)
    if walk.position < chain.position:
        walk.complain(f"{_missing(walk.position + 1, chain.position)}: the end of the chain was cut off")
    elif walk.position > chain.position:
        walk.complain(f"the chain was set back to position {chain.position}, though it goes on to {walk.position}")
    elif chain.digest not in walk.fits and chain.position:
        walk.complain(f"the end of the chain at position {chain.position} was altered")


def _require_contained(walk: Walk, position: int, digest: str) -> None:
    if position <= walk.pruned:
        walk.complain(f"the noted head {position} was pruned since: note a newer one")
        return
    stored = linked().filter(position=position).values_list("digest", flat=True).first()
    if stored is None or not stored.startswith(digest):
        walk.complain(
            f"the noted head {position}:{digest[:16]}… is not in the chain: it was cut off and begun anew, "
            "or the head is mistyped or that of another portal"
        )


def _parse(head: str) -> tuple[int, str] | None:
    if not head:
        return None
    parts = HEAD.fullmatch(head.strip().removesuffix("…"))
    if parts is None:
        raise ValidationError("A noted head looks like 118:3f2a…, with at least 16 of the digits after the colon.")
    return int(parts[1]), parts[2]


def _told(walk: Walk) -> Verification:
    if walk.events > 1 and not walk.fitting and walk.problem_count >= walk.events:
        return Verification(
            walk.events,
            walk.pruned,
            "",
            ["no event fits the key of the chain: it is not the key they were linked with"],
            1,
        )
    head = f"{walk.last.position}:{walk.last.digest}" if walk.last else ""
    return Verification(walk.events, walk.pruned, head, walk.problems, walk.problem_count, walk.late)


def _missing(first: int, last: int) -> str:
    return f"position {first} is missing" if first == last else f"positions {first} to {last} are missing"


def _row(values: Sequence[Any]) -> Row:
    return Row(values[0], values[1], tuple(values[2:]))
