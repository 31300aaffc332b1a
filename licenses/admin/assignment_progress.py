"""How an uploaded assignment stands, in words and numbers."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from licenses.models import Assignment

State = Assignment.State

TONES = {
    State.UPLOADED: "info",
    State.CHECKING: "info",
    State.READY: "info",
    State.RUNNING: "info",
    State.PAUSED: "warn",
    State.DONE: "good",
    State.CANCELLED: "quiet",
    State.FAILED: "bad",
    State.UNDOING: "info",
    State.UNDONE: "quiet",
}
PATIENCE = timedelta(seconds=10)  # a worker looks every second


@dataclass(frozen=True)
class Progress:
    """`text` counts in words; `waiting`: no worker has come for it."""

    state: str
    done: int
    total: int
    percent: int
    text: str
    is_moving: bool
    waiting: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def progress_of(assignment: Assignment) -> Progress:
    done, total = assignment.rows_done, assignment.rows_to_do
    moving = assignment.state in Assignment.AT_WORK and assignment.uploaded
    late = assignment.due_at is not None and timezone.now() - assignment.due_at > PATIENCE
    return Progress(
        state=assignment.state,
        done=done,
        total=total,
        percent=min(100, done * 100 // total) if total else 0,
        text=f"{done:,} of {total:,} rows. {_counts(assignment)}",
        is_moving=moving,
        waiting=moving and late,
    )


def _counts(assignment: Assignment) -> str:
    """What they came to, those that came to something."""
    undoing = assignment.state in (State.UNDOING, State.UNDONE)
    own = ((assignment.rows_undone, "undone"), (assignment.rows_kept, "not undone"))
    ran = (
        (assignment.rows_assigned, "to be assigned" if not assignment.started_by else "assigned"),
        (assignment.rows_refused, "refused" if assignment.started_by else "would be refused"),
        (assignment.rows_earlier, "left as an earlier run made them"),
    )
    found = [f"{count:,} {word}" for count, word in (own if undoing else ran) if count]
    return f"{', '.join(found)}.".capitalize() if found else ""


def state_text(assignment: Assignment) -> tuple[str, str]:
    """Its state and the color of it. A command that is not done may be at work, or stopped."""
    if not assignment.uploaded:
        return ("Finished", "good") if assignment.finished_at else ("Not finished", "warn")
    return assignment.get_state_display(), TONES[State(assignment.state)]
