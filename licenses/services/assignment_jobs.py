"""What staff do with an uploaded assignment: upload, choose columns, start, pause, resume, cancel, undo.

Each verb moves it from the states it names, under its lock, and gives False from any other: of two who press start at
once, one starts it. A worker does the rest (assignment_work.py).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from licenses.events import Kind, record
from licenses.models import Actor, Assignment, AssignmentFile, AssignmentRow, Product
from licenses.services.assignment_files import FIELDS, StoredCsv, count_rows, packed
from licenses.services.assignments import next_repetition
from licenses.services.releases import safe_file_name
from licenses.services.uploads import read_upload

State = Assignment.State

UNDO_WITHIN = timedelta(hours=24)
COUNTS = ("position", "rows_assigned", "rows_refused", "rows_earlier", "rows_undone", "rows_kept")
CHECKABLE = (State.UPLOADED, State.CHECKING, State.READY)
CANCELABLE = (*CHECKABLE, State.RUNNING, State.PAUSED)
UNDOABLE = (State.DONE, State.CANCELLED, State.FAILED)
NOT_AT_THE_SAME_TIME = (State.RUNNING, State.UNDOING)


class Prepared(NamedTuple):
    """An upload that was read: it can be stored in no time."""

    content: bytes
    separator: str
    digest: str
    notices: list[str]
    rows_total: int


def prepare_upload(data: bytes) -> Prepared:
    """Read what was uploaded; ValidationError says what is wrong with it. Not for a transaction: it takes seconds."""
    upload = read_upload(data)
    content = packed(upload.text)
    total = count_rows(content, upload.separator)
    return Prepared(content, upload.separator, upload.digest, upload.notices, total)


@transaction.atomic
def store_upload(*, name: str, upload: Prepared, actor: Actor) -> Assignment:
    """A new assignment whose columns are to be chosen."""
    assignment = Assignment.objects.create(
        digest=upload.digest,
        repetition=next_repetition(upload.digest),
        source=safe_file_name(name),
        rows_total=upload.rows_total,
        uploaded=True,
        state=State.UPLOADED,
    )
    AssignmentFile.objects.create(
        assignment=assignment, content=upload.content, separator=upload.separator, notices=upload.notices
    )
    record(Kind.ASSIGNMENT_UPLOADED, assignment, actor=actor, after={"rows": upload.rows_total})
    return assignment


@transaction.atomic
def check_assignment(
    *, assignment: Assignment, columns: Mapping[str, int], product: Product | None, again: bool = False
) -> bool:
    """Have a worker say what a run would do with these columns. ValidationError names what cannot be so.

    It changes nothing but the assignment itself, so it is not in the audit.
    """
    held = _held(assignment)
    if not is_checkable(held):
        return False
    _require_sense(columns, product)
    held.columns, held.product, held.again, held.problem = dict(columns), product, again, ""
    _begin(held, State.CHECKING)
    return True


def is_checkable(assignment: Assignment) -> bool:
    """Whether nothing of it is done yet."""
    if not assignment.uploaded:
        return False
    return assignment.state in CHECKABLE or (assignment.state == State.FAILED and not assignment.started_by)


def _require_sense(columns: Mapping[str, int], product: Product | None) -> None:
    if unknown := set(columns) - set(FIELDS):
        raise ValidationError(f"There is no field {sorted(unknown)[0]}.")
    if len(set(columns.values())) < len(columns):
        raise ValidationError("Two fields are read from one column: choose another one.")
    if not columns.keys() & {"owner_email", "owner_name"}:
        raise ValidationError("Say in which column the owners are: by e-mail address, by name or both.")
    if "license_key" not in columns and product is None:
        raise ValidationError("Choose the product whose license keys are given out, or the column of license keys.")


@transaction.atomic
def start_assignment(*, assignment: Assignment, actor: Actor) -> bool:
    """Let a worker assign what was checked. One run at a time of each file: two would give everything out twice."""
    same = Assignment.objects.select_for_update().filter(digest=assignment.digest, uploaded=True).order_by("pk")
    states = {other.pk: other for other in same}
    held = states.pop(assignment.pk, None)
    if held is None or held.state != State.READY:
        return False
    if other := next((one for one in states.values() if one.state in NOT_AT_THE_SAME_TIME), None):
        raise ValidationError(f"The same file is at work already, as run {other.pk}: wait for its end.")
    if not held.rows_assigned:
        raise ValidationError("No row of it can be assigned.")
    held.started_by, held.started_from = actor.name[:255], actor.address
    _begin(held, State.RUNNING)
    record(Kind.ASSIGNMENT_STARTED, held, actor=actor, after={"rows": held.rows_total})
    return True


@transaction.atomic
def pause_assignment(*, assignment: Assignment, actor: Actor) -> bool:
    """What is done stays; a batch that is being done is done to its end."""
    held = _held(assignment)
    if held.state != State.RUNNING or not held.uploaded:
        return False
    _move(held, State.PAUSED)
    record(Kind.ASSIGNMENT_PAUSED, held, actor=actor, after=_so_far(held))
    return True


@transaction.atomic
def resume_assignment(*, assignment: Assignment, actor: Actor) -> bool:
    held = _held(assignment)
    if not is_resumable(held):
        return False
    held.problem = ""
    _move(held, State.RUNNING)
    record(Kind.ASSIGNMENT_RESUMED, held, actor=actor, after=_so_far(held))
    return True


def is_resumable(assignment: Assignment) -> bool:
    failed = assignment.state == State.FAILED and assignment.started_by and not assignment.undone_by
    return assignment.state == State.PAUSED or bool(failed)


@transaction.atomic
def cancel_assignment(*, assignment: Assignment, actor: Actor) -> bool:
    """End it for good; what is done stays done, and can be undone."""
    held = _held(assignment)
    if held.state not in CANCELABLE or not held.uploaded:
        return False
    if not held.started_by:  # what the check has counted is not done
        _reset(held)
    _move(held, State.CANCELLED)
    record(Kind.ASSIGNMENT_CANCELLED, held, actor=actor, after=_so_far(held))
    return True


@transaction.atomic
def undo_assignment(*, assignment: Assignment, actor: Actor) -> bool:
    """Let a worker take back what nobody has touched since; False when it is too late for that."""
    held = _held(assignment)
    if not is_undoable(held):
        return False
    held.undone_by, held.undone_from, held.problem = actor.name[:255], actor.address, ""
    _move(held, State.UNDOING)
    record(Kind.ASSIGNMENT_UNDOING, held, actor=actor, after={"rows": held.rows_assigned})
    return True


def is_undoable(assignment: Assignment) -> bool:
    if assignment.state not in UNDOABLE or not assignment.started_by or not assignment.rows_assigned:
        return False
    return assignment.finished_at is not None and timezone.now() - assignment.finished_at < UNDO_WITHIN


def _held(assignment: Assignment) -> Assignment:
    return Assignment.objects.select_for_update().get(pk=assignment.pk)


def _so_far(held: Assignment) -> dict[str, int]:
    return {"rows": held.rows_total, "assigned": held.rows_assigned, "refused": held.rows_refused}


def _reset(held: Assignment) -> None:
    for name in COUNTS:
        setattr(held, name, 0)


def _begin(held: Assignment, state: Assignment.State) -> None:
    _reset(held)
    _move(held, state)


def _move(held: Assignment, state: Assignment.State) -> None:
    """To this state; whoever works on it loses it, and a worker takes it up where there is work to do."""
    now = timezone.now()
    held.state, held.due_at = state, now if state in Assignment.AT_WORK else None
    if state not in Assignment.OVER:
        held.finished_at = None
    elif held.finished_at is None:
        held.finished_at = now
    held.save()


@transaction.atomic
def forget_old_files(*, days: int = 30) -> None:
    """Names and addresses are not kept in files that nobody needs any more; what was done is in the rows."""
    before = timezone.now() - timedelta(days=days)
    AssignmentFile.objects.filter(assignment__finished_at__lt=before).delete()
    waiting = Assignment.objects.filter(state__in=CHECKABLE, uploaded=True, started_at__lt=before)
    AssignmentRow.objects.filter(assignment__in=waiting).delete()
    AssignmentFile.objects.filter(assignment__in=waiting).delete()
    waiting.update(state=State.CANCELLED, finished_at=timezone.now(), due_at=None)


def columns_of(file: AssignmentFile) -> StoredCsv:
    """The file without any choice of columns, to choose from."""
    return StoredCsv(bytes(file.content), separator=file.separator, columns={})
