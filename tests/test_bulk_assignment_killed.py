"""Workers as real processes on an uploaded file: killed in the middle, and several at once."""

import os
import random
import signal
import time

import pytest
from django.utils import timezone

from licenses.models import Assignment, AssignmentRow, AuditEvent, LicenseKey, Owner
from licenses.services.assignment_jobs import undo_assignment
from licenses.services.assignment_results import results_of
from tests.audit import BY
from tests.bulk import started, stocked
from tests.commands import end, start

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = int(os.environ.get("KILLED_ROWS", "2000"))  # the promise is about 100,000: give that for the long proof
KILLS = 2


def rows(count=ROWS):
    return [f",owner{n}@example.com,Owner {n},order {n}" for n in range(count)]


def until(process, happened, seconds=120):
    ends_at = time.monotonic() + seconds
    while not happened() and process.poll() is None:
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.005)


def kill_in_the_middle(count_done) -> int:
    """Kill a worker that has done more, as the lease of the one before has ended; how much is done then."""
    Assignment.objects.update(due_at=timezone.now())
    before, worker = count_done(), start("run_worker")
    until(worker, lambda: count_done() > before)
    time.sleep(random.uniform(0, 0.05))
    worker.send_signal(signal.SIGKILL)
    assert end(worker).code == -signal.SIGKILL
    return count_done()


def finish(count=1) -> None:
    Assignment.objects.update(due_at=timezone.now())
    workers = [start("run_worker", "--once") for _ in range(count)]
    assert [end(worker).code for worker in workers] == [0] * count


@pytest.mark.statement("R6", "R14")
def test_nothing_is_lost_and_nothing_done_twice_when_workers_are_killed():
    product = stocked(ROWS)
    assignment = started(*rows(), product=product)
    for kill in range(KILLS):
        done = kill_in_the_middle(LicenseKey.objects.filter(status="assigned").count)
        assignment.refresh_from_db()
        assert kill * 500 < done < ROWS, "killed in the middle"
        assert assignment.rows_assigned == AssignmentRow.objects.count() == done, "a batch is all done or not at all"
    finish(count=2)
    assignment.refresh_from_db()
    assert (assignment.state, assignment.rows_assigned, assignment.rows_refused) == ("done", ROWS, 0)
    results = list(results_of(assignment))
    assert [row[0] for row in results] == list(range(2, ROWS + 2))
    owners = dict(LicenseKey.objects.values_list("license_key", "owner__email"))
    assert owners == {row[1]: row[3] for row in results}
    events = AuditEvent.objects.filter(kind="license_key.assigned")
    assert events.count() == events.values("object_id").distinct().count() == Owner.objects.count() == ROWS

    assert undo_assignment(assignment=assignment, **BY)
    kill_in_the_middle(LicenseKey.objects.filter(status="available").count)
    finish()
    assignment.refresh_from_db()
    assert (assignment.state, assignment.rows_undone, assignment.rows_kept) == ("undone", ROWS, 0)
    assert LicenseKey.objects.available().count() == ROWS
    assert AuditEvent.objects.filter(kind="license_key.taken_back").count() == ROWS
    assert not Owner.objects.exists()


def test_a_worker_that_is_stopped_hands_over_at_once():
    assignment = started(*rows(), product=stocked(ROWS))
    worker = start("run_worker")
    until(worker, LicenseKey.objects.filter(status="assigned").exists)
    worker.send_signal(signal.SIGTERM)
    assert end(worker).code == 0
    assignment.refresh_from_db()
    assert assignment.state == "done" or assignment.due_at <= timezone.now(), "nobody waits for the end of a lease"
