"""What staff may do with an uploaded assignment, by its state."""

from collections.abc import Sequence

from django import forms

from licenses.admin.verbs import Verb
from licenses.models import Actor, Assignment
from licenses.services import assignment_jobs as jobs

State = Assignment.State


class AgainForm(forms.Form):
    again = forms.BooleanField(
        label="Once more",
        required=False,
        help_text="Owners of rows that an earlier run has assigned already get one more license key each.",
    )


def _check(*, assignment: Assignment, again: bool, actor: Actor) -> bool:
    columns, product = assignment.columns, assignment.product
    return jobs.check_assignment(assignment=assignment, columns=columns, product=product, again=again)


def _what_starts(rows: Sequence[Assignment]) -> str:
    count = sum(row.rows_assigned for row in rows)
    return f"{count:,} {'license key gets its owner' if count == 1 else 'license keys get their owners'}."


def _what_stays(rows: Sequence[Assignment]) -> str:
    count = sum(row.rows_assigned for row in rows if row.started_by)
    return (
        f"{count:,} rows that are assigned stay so. They can be undone for 24 hours." if count else "Nothing is done."
    )


def _what_is_undone(rows: Sequence[Assignment]) -> str:
    count = sum(row.rows_assigned for row in rows)
    return (
        f"{count:,} license keys were assigned. Those that nobody has touched since become available again; those that "
        "were activated or changed stay as they are, and the result names them with the reason."
    )


START = Verb(
    name="start",
    label="Start",
    service=jobs.start_assignment,
    done="was started",
    unchanged="not ready, or started already",
    explanation="A worker assigns the license keys in the background. You can leave the page.",
    permission="work",
    consequence=_what_starts,
    applies=lambda row: row.state == State.READY and row.rows_assigned > 0,
)
CHECK = Verb(
    name="check",
    label="Check again",
    service=_check,
    done="is being checked",
    unchanged="started already",
    explanation="Counts once more what a run would do, after you have filled the stock for example.",
    form=AgainForm,
    permission="work",
    applies=lambda row: row.state == State.READY or (bool(row.columns) and jobs.is_checkable(row)),
)
PAUSE = Verb(
    name="pause",
    label="Pause",
    service=jobs.pause_assignment,
    done="was paused",
    unchanged="not running",
    explanation="What is done stays. Resuming does the rest.",
    permission="work",
    applies=lambda row: row.uploaded and row.state == State.RUNNING,
)
RESUME = Verb(
    name="resume",
    label="Resume",
    service=jobs.resume_assignment,
    done="was resumed",
    unchanged="neither paused nor failed",
    explanation="A worker does the rest, and nothing twice.",
    permission="work",
    applies=jobs.is_resumable,
)
CANCEL = Verb(
    name="cancel",
    label="Cancel",
    service=jobs.cancel_assignment,
    done="was canceled",
    unchanged="over already",
    explanation="The rest of the file is not done, and this run cannot be resumed.",
    permission="work",
    dangerous=True,
    consequence=_what_stays,
    applies=lambda row: row.uploaded and row.state in jobs.CANCELABLE,
)
UNDO = Verb(
    name="undo",
    label="Undo",
    service=jobs.undo_assignment,
    done="is being undone",
    unchanged="over for more than 24 hours, or not done",
    explanation="Takes the license keys back from the owners, in the background. Owners whom this run has made and who "
    "have no other license key are deleted.",
    permission="work",
    dangerous=True,
    consequence=_what_is_undone,
    applies=jobs.is_undoable,
)
VERBS = (START, RESUME, PAUSE, CHECK, CANCEL, UNDO)
AT_ONCE = ("start", "pause", "resume")  # the page that shows the button has said what they do
