"""An uploaded file from its check to its undoing: the states, the counts, the audit, and what stays as it is."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from licenses.events import Kind
from licenses.models import Assignment, AssignmentFile, AuditEvent, LicenseKey, Owner
from licenses.services import assignment_work
from licenses.services.activations import activate_license
from licenses.services.assignment_jobs import (
    cancel_assignment,
    check_assignment,
    forget_old_files,
    pause_assignment,
    resume_assignment,
    start_assignment,
    undo_assignment,
)
from licenses.services.assignment_results import problems_of, results_of
from licenses.services.license_keys import assign_license_key, block_license_key, extend_license_key
from licenses.services.owners import find_or_create_owner
from tests.audit import BY, NAME
from tests.bulk import ALL, checked, started, stocked, uploaded, worked
from tests.commands import run, write_csv
from tests.factories import ACTOR, LicenseKeyFactory

pytestmark = pytest.mark.django_db(transaction=True)

State = Assignment.State


def counts(assignment):
    return assignment.rows_assigned, assignment.rows_refused, assignment.rows_earlier


def owners(count, start=0):
    return [f",owner{n}@example.com,Owner {n},order {n}" for n in range(start, start + count)]


# The check and the run


@pytest.mark.statement("R14")
def test_the_check_says_what_the_run_does():
    product = stocked(3)
    LicenseKeyFactory(license_key="NAMED")
    LicenseKeyFactory(license_key="TAKEN", assigned=True)
    rows = [
        "NAMED,ann@example.com,Ann,",
        "TAKEN,bob@example.com,Bob,",
        "NOBODY,cy@example.com,Cy,",
        "NAMED,dan@example.com,Dan,",
        ",not an address,,",
        ",,,",
        *owners(4),
    ]
    assignment = checked(*rows, product=product)
    assert (assignment.state, counts(assignment)) == (State.READY, (4, 5, 0))
    assert LicenseKey.objects.filter(status="assigned").count() == 1, "the check changes nothing"
    said = [row[0::6] for row in problems_of(assignment)]
    start_assignment(assignment=assignment, **BY)
    worked(assignment)
    assert (assignment.state, counts(assignment)) == (State.DONE, (4, 5, 0))
    assert [row[0::6] for row in problems_of(assignment)] == said
    assert said == [
        (3, "This license key is assigned already."),
        (4, "There is no such license key."),
        (5, "This license key is on line 2 already."),
        (6, "owner_email “not an address” is not an e-mail address (name@example.com)."),
        (11, "No license key of Photo Editor is available any more."),
    ]
    assert LicenseKey.objects.get(license_key="NAMED").owner.email == "ann@example.com"


def test_the_result_has_every_row_in_the_order_of_the_file():
    product = stocked(2)
    assignment = worked(started(*owners(3), product=product))
    keys = list(LicenseKey.objects.order_by("pk").values_list("license_key", flat=True))
    rows = list(results_of(assignment))
    assert [row[:6] for row in rows] == [
        (2, keys[0], "assigned", "owner0@example.com", "Owner 0", "order 0"),
        (3, keys[1], "assigned", "owner1@example.com", "Owner 1", "order 1"),
        (4, "", "refused", "owner2@example.com", "Owner 2", "order 2"),
    ]
    AssignmentFile.objects.all().delete()
    assert [row[:3] for row in results_of(assignment)] == [row[:3] for row in rows], "also without the file"


@pytest.mark.statement("R6")
def test_another_worker_goes_on_after_the_last_batch():
    product = stocked(40)
    assignment = worked(started(*owners(40), product=product), batches=2, size=10)
    assert (assignment.state, assignment.position, assignment.rows_assigned) == (State.RUNNING, 21, 20)
    worked(assignment, size=10)
    assert (assignment.state, assignment.rows_assigned) == (State.DONE, 40)
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_ASSIGNED).count() == 40
    assert {event.actor for event in AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_ASSIGNED)} == {NAME}


@pytest.mark.statement("R6")
def test_a_worker_that_slept_past_its_lease_writes_nothing(monkeypatch):
    product = stocked(40)
    assignment = started(*owners(40), product=product)
    slept = []

    def other(outcomes=None):
        """Between two batches of the first worker, its lease ends and another one does the rest."""
        if not slept:
            slept.append(True)
            Assignment.objects.update(due_at=timezone.now())
            assignment_work.work_on_next_assignment(between=lambda: False)
        return False

    monkeypatch.setattr(assignment_work, "BATCH", 10)
    assignment_work.work_on_next_assignment(between=other)
    assignment.refresh_from_db()
    assert (assignment.state, counts(assignment)) == (State.DONE, (40, 0, 0))
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_ASSIGNED).count() == 40


def test_a_check_that_lost_its_worker_begins_again():
    product = stocked(5)
    assignment = uploaded(*owners(20))
    check_assignment(assignment=assignment, columns=ALL, product=product)
    worked(assignment, batches=1, size=8)
    assert (assignment.state, counts(assignment)) == (State.CHECKING, (5, 3, 0))
    worked(assignment, size=8)
    assert (assignment.state, counts(assignment)) == (State.READY, (5, 15, 0))
    assert assignment.rows.count() == 15


def test_a_crash_fails_it_and_resuming_does_the_rest(monkeypatch):
    product = stocked(20)
    assignment = worked(started(*owners(20), product=product), batches=1, size=10)
    with monkeypatch.context() as patch:
        patch.setattr(assignment_work, "assign_batch", lambda **_: 1 / 0)
        worked(assignment)
    assert (assignment.state, assignment.rows_assigned) == (State.FAILED, 10)
    assert assignment.problem == "It could not be done (ZeroDivisionError): the log says why."
    assert resume_assignment(assignment=assignment, **BY)
    worked(assignment)
    assert (assignment.state, assignment.rows_assigned, assignment.problem) == (State.DONE, 20, "")


# The same again


def test_rows_that_an_earlier_run_has_done_are_left_as_they_are():
    product = stocked(10)
    first = worked(started(*owners(3), product=product))
    second = checked(*owners(5), product=product)
    assert counts(second) == (2, 0, 3)
    start_assignment(assignment=second, **BY)
    worked(second)
    assert counts(second) == (2, 0, 3)
    assert [row[2] for row in results_of(second)] == ["assigned earlier"] * 3 + ["assigned"] * 2
    assert [row[1] for row in results_of(second)][:3] == [row[1] for row in results_of(first)]
    third = checked(*owners(5), product=product, again=True)
    assert counts(third) == (5, 0, 0), "unless one asks for one more each"


def test_the_command_asks_about_rows_that_an_upload_has_done(tmp_path):
    product = stocked(10)
    assignment = worked(started(*owners(3), product=product))
    path = write_csv(tmp_path / "owners.csv", *owners(3))
    ran = run("assign_license_keys", path, "--product", product.pk)
    assert ran.code == 2
    assert f"got their license keys in run {assignment.pk}" in ran.err
    ran = run("assign_license_keys", path, "--product", product.pk, "--corrects", assignment.pk)
    assert (ran.code, "upload the corrected file there" in ran.err) == (2, True)
    assert LicenseKey.objects.filter(status="assigned").count() == 3


# Who presses what, and when


def test_two_who_press_start_start_it_once():
    assignment = checked(*owners(2), product=stocked(2))
    assert [start_assignment(assignment=assignment, **BY) for _ in range(2)] == [True, False]
    assert AuditEvent.objects.filter(kind=Kind.ASSIGNMENT_STARTED).count() == 1
    worked(assignment)
    assert not start_assignment(assignment=assignment, **BY)


def test_the_same_file_is_not_run_twice_at_once():
    product = stocked(4)
    first, second = (checked(*owners(2), product=product) for _ in range(2))
    start_assignment(assignment=first, **BY)
    with pytest.raises(ValidationError, match=f"as run {first.pk}"):
        start_assignment(assignment=second, **BY)


def test_what_nobody_could_get_is_not_started():
    assignment = checked(*owners(2), product=stocked(0))
    with pytest.raises(ValidationError, match="No row of it can be assigned"):
        start_assignment(assignment=assignment, **BY)


def test_it_is_paused_resumed_and_canceled_and_what_is_done_stays():
    product = stocked(30)
    assignment = worked(started(*owners(30), product=product), batches=1, size=10)
    assert pause_assignment(assignment=assignment, **BY)
    worked(assignment)
    assert (assignment.state, assignment.rows_assigned) == (State.PAUSED, 10)
    assert resume_assignment(assignment=assignment, **BY)
    worked(assignment, batches=1, size=10)
    assert cancel_assignment(assignment=assignment, **BY)
    worked(assignment)
    assert (assignment.state, assignment.rows_assigned) == (State.CANCELLED, 20)
    assert not resume_assignment(assignment=assignment, **BY)
    assert [row[2] for row in results_of(assignment)] == ["assigned"] * 20 + ["not done"] * 10
    kinds = AuditEvent.objects.filter(object_type="assignment").order_by("pk").values_list("kind", "actor")
    names = ("uploaded", "started", "paused", "resumed", "cancelled")
    assert list(kinds) == [(f"assignment.{name}", NAME) for name in names]
    assert AuditEvent.objects.latest("pk").after == {"rows": 30, "assigned": 20, "refused": 0}


def test_a_pause_in_the_middle_of_a_batch_comes_after_it(monkeypatch):
    assignment = started(*owners(20), product=stocked(20))
    monkeypatch.setattr(assignment_work, "BATCH", 10)
    assignment_work.work_on_next_assignment(between=lambda: not pause_assignment(assignment=assignment, **BY))
    assignment.refresh_from_db()
    assert (assignment.state, assignment.rows_assigned) == (State.PAUSED, 10)


@pytest.mark.parametrize("state", State)
def test_each_verb_moves_it_from_its_own_states_alone(state):
    assignment = uploaded("K,a@example.com,,")
    over = timezone.now() if state in Assignment.OVER else None
    ran = state not in (State.UPLOADED, State.CHECKING, State.READY)
    fields = {"finished_at": over, "started_by": "ada" if ran else "", "rows_assigned": 1}
    moved = set()
    for verb in (start_assignment, pause_assignment, resume_assignment, cancel_assignment, undo_assignment):
        Assignment.objects.update(state=state, due_at=None, undone_by="", **fields)
        if verb(assignment=assignment, **BY):
            moved.add(verb.__name__.removesuffix("_assignment"))
    assert (
        moved
        == {
            State.UPLOADED: {"cancel"},
            State.CHECKING: {"cancel"},
            State.READY: {"start", "cancel"},
            State.RUNNING: {"pause", "cancel"},
            State.PAUSED: {"resume", "cancel"},
            State.DONE: {"undo"},
            State.CANCELLED: {"undo"},
            State.FAILED: {"resume", "undo"},
            State.UNDOING: set(),
            State.UNDONE: set(),
        }[state]
    )


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"license_key": 0}, "in which column the owners are"),
        ({"owner_email": 1, "owner_name": 1}, "from one column"),
        ({"owner_email": 1}, "Choose the product"),
        ({"owner_email": 1, "validity": 2}, "no field validity"),
    ],
)
def test_columns_that_make_no_sense_are_refused(columns, words):
    with pytest.raises(ValidationError, match=words):
        check_assignment(assignment=uploaded("K,a@example.com,,"), columns=columns, product=None)


# Undoing


def undone(assignment, **options):
    assert undo_assignment(assignment=assignment, **BY)
    return worked(assignment, **options)


def test_undoing_gives_back_what_was_before():
    product = stocked(3)
    LicenseKey.objects.filter(pk=LicenseKey.objects.earliest("pk").pk).update(reference="pallet 7")
    known = find_or_create_owner(name="Known", email="owner0@example.com", actor=ACTOR)
    unlike = ("updated_at",)
    before = LicenseKey.objects.order_by("pk").values()
    before = [{name: value for name, value in row.items() if name not in unlike} for row in before]
    assignment = undone(worked(started(*owners(3), product=product)))
    assert (assignment.state, assignment.rows_undone, assignment.rows_kept) == (State.UNDONE, 3, 0)
    after = LicenseKey.objects.order_by("pk").values()
    assert [{name: value for name, value in row.items() if name not in unlike} for row in after] == before
    assert list(Owner.objects.all()) == [known], "owners whom the run has made go with their license keys"
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_TAKEN_BACK, actor=NAME).count() == 3
    assert AuditEvent.objects.filter(kind=Kind.OWNER_DELETED, actor=NAME).count() == 2
    assert {row[2] for row in results_of(assignment)} == {"undone"}
    again = checked(*owners(3), product=product)
    assert counts(again) == (3, 0, 0), "what is undone can be done again"


def test_undoing_leaves_what_somebody_has_touched_and_says_why():
    product = stocked(8)
    assignment = worked(started(*owners(6), product=product))
    keys = {row[0]: row[1] for row in results_of(assignment)}
    activate_license(license_key=keys[2], identifier="host", actor=ACTOR)
    block_license_key(license_key=keys[3], actor=ACTOR)
    LicenseKey.objects.filter(license_key=keys[4]).update(expires_at=timezone.now())
    extend_license_key(license_key=keys[4], days=3, actor=ACTOR)
    LicenseKey.objects.filter(license_key=keys[5]).delete()
    spare = LicenseKey.objects.available().first()
    assign_license_key(license_key=spare.license_key, owner_email="owner4@example.com", actor=ACTOR)
    undone(assignment)
    assert (assignment.state, assignment.rows_undone, assignment.rows_kept) == (State.UNDONE, 2, 4)
    assert {row[0]: row[-1] for row in results_of(assignment)} == {
        2: "Not undone: the license key was activated since.",
        3: "Not undone: the license key was blocked since.",
        4: "Not undone: the license key was changed since.",
        5: "Not undone: the license key was deleted since.",
        6: "",
        7: "",
    }
    assert LicenseKey.objects.get(license_key=keys[2]).owner.email == "owner0@example.com"
    emails = set(Owner.objects.values_list("email", flat=True))
    assert emails == {f"owner{n}@example.com" for n in (0, 1, 2, 3, 4)}, "owner 4 has another license key"


def test_undoing_passes_over_a_license_key_that_was_given_to_another_since():
    product = stocked(1)
    assignment = worked(started(*owners(1), product=product))
    (found,) = LicenseKey.objects.all()
    LicenseKey.objects.update(status="available", owner=None, assigned_at=None)
    assign_license_key(license_key=found.license_key, owner_email="other@example.com", actor=ACTOR)
    undone(assignment)
    assert (assignment.rows_undone, assignment.rows_kept) == (0, 1)
    assert LicenseKey.objects.get().owner.email == "other@example.com"


def test_undoing_goes_on_where_another_worker_stopped():
    assignment = worked(started(*owners(25), product=stocked(25)))
    undone(assignment, batches=1, size=10)
    assert (assignment.state, assignment.rows_undone) == (State.UNDOING, 10)
    worked(assignment)
    assert (assignment.state, assignment.rows_undone) == (State.UNDONE, 25)
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_TAKEN_BACK).count() == 25


def test_undoing_ends_after_a_day():
    assignment = worked(started(*owners(1), product=stocked(1)))
    Assignment.objects.update(finished_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert not undo_assignment(assignment=assignment, **BY)


def test_old_files_are_forgotten_and_what_waits_for_ever_is_canceled():
    done = worked(started(*owners(1), product=stocked(1)))
    waiting = uploaded("K,a@example.com,,")
    forget_old_files()
    assert AssignmentFile.objects.count() == 2
    old = timezone.now() - timedelta(days=31)
    Assignment.objects.filter(pk=done.pk).update(finished_at=old)
    Assignment.objects.filter(pk=waiting.pk).update(started_at=old)
    forget_old_files()
    waiting.refresh_from_db()
    assert (waiting.state, AssignmentFile.objects.count()) == (State.CANCELLED, 0)
    assert done.rows.count() == 1
