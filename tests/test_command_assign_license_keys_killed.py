"""assign_license_keys as real processes: killed, stopped, started twice, and racing with others for the same stock."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection

from licenses.codes import Refused
from licenses.models import Assignment, AssignmentRow, AuditEvent, LicenseKey, Owner
from licenses.services.license_keys import assign_license_key
from licenses.services.stock import generate_license_keys
from tests.commands import end, read_csv, run, start, write_csv
from tests.factories import ACTOR, ProductFactory
from tests.server import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = int(os.environ.get("KILLED_ROWS", "2000"))  # the promise is about 100,000: give that for the long proof
SHARED_ROWS = 1_200  # 60 batches of 20: what two processes share, or is done when one is stopped
KILLS = 3


@pytest.fixture
def product():
    return ProductFactory(name="Photo Editor")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders.csv"


def make_stock(product, quantity):
    keys = []
    while len(keys) < quantity:
        keys += generate_license_keys(product=product, quantity=min(5_000, quantity - len(keys)), actor=ACTOR)
    return [found.license_key for found in keys]


def write_rows(path, license_keys):
    return write_csv(path, *(f"{key},owner{n}@example.com,Owner {n},order {n}" for n, key in enumerate(license_keys)))


def count_assigned() -> int:
    return LicenseKey.objects.filter(status="assigned").count()


def wait_until_assigned(process, number, seconds=60):
    """Wait until the process has assigned this many license keys, or has ended."""
    ends_at = time.monotonic() + seconds
    while count_assigned() < number and process.poll() is None:
        assert time.monotonic() < ends_at, "nothing was assigned"
        time.sleep(0.005)


def check_all_done_once(path, rows):
    """Every row has one license key of its own; the audit, the memory and the file of results say the same."""
    done = read_csv(f"{path}.results.csv")
    assert [int(row["line"]) for row in done] == list(range(2, rows + 2))
    assert {row["outcome"] for row in done} == {"assigned"}
    assert len({row["license_key"] for row in done}) == rows
    owners = dict(LicenseKey.objects.filter(status="assigned").values_list("license_key", "owner__email"))
    assert owners == {row["license_key"]: row["owner_email"] for row in done}
    assert Owner.objects.count() == rows
    events = AuditEvent.objects.filter(kind="license_key.assigned")
    assert events.count() == events.values("object_id").distinct().count() == rows
    assert AuditEvent.objects.filter(kind="owner.created").count() == rows
    assert AssignmentRow.objects.filter(outcome="assigned").count() == rows
    assert Assignment.objects.get().finished_at is not None


@pytest.mark.statement("R14")
@pytest.mark.parametrize("named", [True, False], ids=["named", "from stock"])
def test_it_does_nothing_twice_and_misses_nothing_when_it_is_killed(product, path, named):
    license_keys = make_stock(product, ROWS)
    random.shuffle(license_keys)
    write_rows(path, license_keys if named else [""] * ROWS)
    command = ("assign_license_keys", path, "--product", product.pk, "--batch-size", 40)
    killed_at = []
    for _ in range(KILLS):
        process = start(*command)
        wait_until_assigned(process, count_assigned() + random.randrange(1, ROWS // KILLS // 2))
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        assert end(process).code == -signal.SIGKILL
        killed_at.append(count_assigned())
        assert AuditEvent.objects.filter(kind="license_key.assigned").count() == killed_at[-1]
        assert AssignmentRow.objects.count() == killed_at[-1]
    assert 0 < killed_at[0] < killed_at[-1] < ROWS, f"killed in the middle: {killed_at}"
    ran = end(start(*command))
    assert ran.code == 0, ran.err
    assert f"{ROWS:,} assigned ({killed_at[-1]:,} of them by an earlier run), 0 refused" in ran.out
    check_all_done_once(path, ROWS)
    if named:
        assert [row["license_key"] for row in read_csv(f"{path}.results.csv")] == license_keys


@pytest.mark.statement("R14")
@pytest.mark.parametrize("named", [True, False], ids=["named", "from stock"])
def test_two_processes_with_the_same_file_share_the_work(product, path, named):
    license_keys = make_stock(product, SHARED_ROWS + 400)[:SHARED_ROWS]
    write_rows(path, license_keys if named else [""] * SHARED_ROWS)
    command = ("assign_license_keys", path, "--product", product.pk, "--batch-size", 20)
    first, second = start(*command), start(*command, "--results", f"{path}.2", "--errors", f"{path}.3")
    ended = [end(first), end(second)]
    assert [ran.code for ran in ended] == [0, 0], ended
    check_all_done_once(path, SHARED_ROWS)
    assert read_csv(f"{path}.2") == read_csv(f"{path}.results.csv")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_after_the_batch_and_says_how_to_go_on(product, path, number):
    make_stock(product, SHARED_ROWS)
    write_rows(path, [""] * SHARED_ROWS)
    process = start("assign_license_keys", path, "--product", product.pk, "--batch-size", 20)
    wait_until_assigned(process, 100)
    process.send_signal(number)
    ran = end(process)
    assert ran.code == 130, ran.err
    done = count_assigned()
    assert 100 <= done < SHARED_ROWS
    assert f"Stopped after {done:,} of {SHARED_ROWS:,} rows." in ran.err
    assert "run the same command again to do the rest" in ran.err
    assert "Traceback" not in ran.err
    assert len(read_csv(f"{path}.results.csv")) == done
    assert run("assign_license_keys", path, "--product", product.pk).code == 0
    check_all_done_once(path, SHARED_ROWS)


def test_it_says_how_to_go_on_when_the_database_goes_away(product, path):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server that could go away")
    make_stock(product, SHARED_ROWS)
    write_rows(path, [""] * SHARED_ROWS)
    process = start("assign_license_keys", path, "--product", product.pk, "--batch-size", 20)
    wait_until_assigned(process, 100)
    while process.poll() is None:  # again: one cut while events are linked, after a batch, is borne
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        time.sleep(0.01)
    ran = end(process)
    assert ran.code == 130, ran.err
    assert "The database does not serve" in ran.err
    assert "run the same command again to do the rest" in ran.err
    assert "Traceback" not in ran.err
    assert 100 <= count_assigned() < SHARED_ROWS
    assert run("assign_license_keys", path, "--product", product.pk).code == 0
    check_all_done_once(path, SHARED_ROWS)


@pytest.mark.statement("S5")
def test_no_license_key_goes_twice_when_single_assignments_race_with_it(product, path):
    """The single ones name the oldest license keys of the stock, which are those that the file is given next."""
    license_keys = make_stock(product, 1_500)
    write_rows(path, [""] * 1_200)
    process = start("assign_license_keys", path, "--product", product.pk, "--batch-size", 20)
    wait_until_assigned(process, 20)
    won, lost = [], 0

    def take(texts):
        nonlocal lost
        for number, text in enumerate(texts):
            try:
                assign_license_key(license_key=text, owner_email=f"single{number}@example.com", actor=ACTOR)
                won.append(text)
            except Refused:
                lost += 1
        connection.close()

    waiting = sorted(license_keys)[100::4]
    threads = [threading.Thread(target=take, args=(waiting[part::2],)) for part in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran = end(process)
    given = [row["license_key"] for row in read_csv(f"{path}.results.csv") if row["license_key"]]
    assert won, "the race was over before it began"
    assert ran.code == (0 if len(given) == 1_200 else 1), ran.err
    assert not set(won) & set(given)
    assert len(set(won + given)) == len(won) + len(given) == count_assigned()
    events = AuditEvent.objects.filter(kind="license_key.assigned")
    assert events.count() == events.values("object_id").distinct().count() == count_assigned()


def test_two_files_share_a_stock_that_is_too_small_and_owners_they_both_create(product, path, tmp_path):
    make_stock(product, 900)
    other = tmp_path / "other.csv"
    write_csv(path, *(f",owner{n}@example.com,,a" for n in range(600)))
    write_csv(other, *(f",OWNER{n}@example.com,Name {n},b" for n in reversed(range(600))))
    started = [
        start("assign_license_keys", file, "--product", product.pk, "--batch-size", 30) for file in (path, other)
    ]
    ended = [end(process) for process in started]
    assert {ran.code for ran in ended} <= {0, 1}, ended
    assert not [ran for ran in ended if "Traceback" in ran.err]
    rows = read_csv(f"{path}.results.csv") + read_csv(f"{other}.results.csv")
    given = [row["license_key"] for row in rows if row["outcome"] == "assigned"]
    assert len(given) == len(set(given)) == count_assigned() == 900
    assert Owner.objects.count() == AuditEvent.objects.filter(kind="owner.created").count() <= 600


@pytest.mark.statement("S5")
def test_two_files_that_name_the_same_license_keys_share_them(product, path, tmp_path):
    license_keys = make_stock(product, 1_500)
    other = tmp_path / "other.csv"
    write_csv(path, *(f"{key},first{n}@example.com,," for n, key in enumerate(license_keys)))
    write_csv(other, *(f"{key},second{n}@example.com,," for n, key in enumerate(reversed(license_keys))))
    started = [start("assign_license_keys", file, "--batch-size", 40) for file in (path, other)]
    ended = [end(process) for process in started]
    assert [ran.code for ran in ended] == [1, 1], ended
    assert not [ran for ran in ended if "Traceback" in ran.err]
    first, second = (
        {row["license_key"] for row in read_csv(f"{file}.results.csv") if row["outcome"] == "assigned"}
        for file in (path, other)
    )
    assert first and second, "both were at work"
    assert not first & second
    assert len(first | second) == count_assigned() == 1_500
    assert AuditEvent.objects.filter(kind="license_key.assigned").count() == 1_500


def peak_memory(*arguments) -> int:
    """The most memory the process took, in kilobytes."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "assign_license_keys", *map(str, arguments)],
        env={**os.environ, "DATABASE_URL": database_url()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 1)
    return usage.ru_maxrss


def test_its_memory_does_not_grow_with_the_file(product, tmp_path):
    make_stock(product, 4_500)
    options = ("--product", product.pk)
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    write_csv(small, *(f",small{n}@example.com,,{n}" for n in range(500)))
    write_csv(large, *(f",large{n}@example.com,,{n}" for n in range(4_000)))
    assert peak_memory(large, *options) - peak_memory(small, *options) < 5_000
    huge = write_csv(tmp_path / "huge.csv", *(f"K{n},huge{n}@example.com,{'x' * 1200},{n}" for n in range(10_000)))
    one_line = write_csv(tmp_path / "line.csv", f"K1,a@example.com,{'x' * 30_000_000},")
    small_again = peak_memory(small, "--dry-run", *options)
    assert peak_memory(huge, "--dry-run", *options) - small_again < 12_000
    assert peak_memory(one_line, "--dry-run", *options) - small_again < 8_000
