"""/admin/health/: what it says when all is well, and of everything that can be wrong, with what to do about it."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.conf import settings as portal_settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.models import Assignment, AuditChain, AuditEvent, SigningKey, ThrottleBucket, Worker
from licenses.services.signing_keys import create_signing_key, mark_compromised
from licenses.services.workers import see_worker
from licensing_portal import health_page
from licensing_portal.checkup import lines, server, stores, trust, work
from licensing_portal.checkup.lines import Line, State, ask
from licensing_portal.health_page import SECTIONS, attention, look, problems
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory, QueuedAssignmentFactory
from tests.redis import own_redis
from tests.server import free_port
from tests.test_roles import NAMES, staff_in

pytestmark = pytest.mark.django_db
URL = "/admin/health/"
SKEWED, LITTLE = server.SKEWED, server.LITTLE  # as they are when no test says otherwise


@pytest.fixture(autouse=True)
def whatever_the_machine(monkeypatch):
    """One that is busy or whose disk is full makes nothing here look bad."""
    monkeypatch.setattr(health_page, "_seen", None)
    for module, name, value in (
        (stores, "SLOW_DATABASE", 60_000.0),
        (stores, "SLOW_CACHE", 60_000.0),
        (stores, "REDIS_TIME_LIMIT", 20.0),
        (server, "LITTLE", 0),
        (server, "SKEWED", timedelta(minutes=1)),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def well(global_key):
    """A portal with nothing to complain about."""
    see_worker(name="app-1:17", doing="Waiting for work", is_new=True)


def said(check, title):
    """The one line of this title."""
    found = [line for line in check() if line.title == title]
    assert len(found) == 1, list(check())
    assert found[0].advice or not found[0].needs_attention, "it says what is wrong and not what to do"
    return found[0]


# The page


def test_when_all_is_well_it_says_so(staff, well):
    source = staff.get(URL).content.decode()
    assert "Everything works" in source
    assert "app-1:17" in source
    assert "badge-bad" not in source and "badge-warn" not in source
    assert problems(look()) == []


def test_it_begins_with_what_needs_attention_the_worst_first(staff, global_key):
    QueuedAssignmentFactory(state="failed", code=803, envelope={"response": {}}, problem="away")
    SigningKey.objects.all().delete()
    answer = staff.get(URL)
    assert answer.context["summary"] == "3 things need attention"
    assert [line.title for line in answer.context["problems"]] == [
        "Global signing key",
        "Worker",
        "Deliveries to shops",
    ]
    assert "create_signing_key" in answer.content.decode()


def test_as_json_it_says_the_same(staff, well):
    found = staff.get(URL, {"format": "json"}).json()
    assert (found["state"], found["summary"]) == ("good", "Everything works")
    assert [section["title"] for section in found["sections"]] == [title for title, _ in SECTIONS]
    assert all(
        set(line) == {"title", "value", "state", "advice"} for part in found["sections"] for line in part["lines"]
    )


@pytest.mark.statement("S9")
def test_those_see_it_who_see_the_settings():
    status = {name: staff_in(name).get(URL).status_code for name in NAMES}
    assert status == {"Support": 403, "License manager": 403, "Auditor": 200, "Administrator": 200}
    assert URL in staff_in("Auditor", name="a").get("/admin/").content.decode()
    assert URL not in staff_in("Support", name="s").get("/admin/").content.decode()


def test_nothing_can_be_posted_to_it(staff):
    assert staff.post(URL).status_code == 405


def test_no_secret_is_on_it(staff, well, monkeypatch, settings):
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://:hunter2-hunter2@127.0.0.1:{free_port()}/0",
        }
    }
    source = staff.get(URL).content.decode()
    assert "locked by LICENSE_KEY" in source
    for secret in ("Y4G21", "hunter2", portal_settings.SECRET_KEY, *portal_settings.VAULT_KEYS):
        assert secret not in source


def test_it_asks_the_database_no_more_often_when_there_is_more(staff, well, django_assert_num_queries):
    create_signing_key(product=ProductFactory(), actor=ACTOR)
    with CaptureQueriesContext(connection) as few:
        look()
    for number in range(10):
        see_worker(name=f"app-{number}:1", doing="x", is_new=True)
        create_signing_key(product=ProductFactory(), actor=ACTOR)
        QueuedAssignmentFactory()
    with django_assert_num_queries(len(few)):
        look()


# What is broken does not break the page


@pytest.mark.parametrize(
    "table", ["licenses_worker", "licenses_queuedassignment", "licenses_auditchain", "settings_api_setting"]
)
def test_a_table_that_is_gone_is_a_line(staff, well, table):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    answer = staff.get(URL)
    assert answer.status_code == 200
    [line] = [line for line in answer.context["problems"] if "could not be looked at" in line.value]
    assert line.state == State.BAD
    assert len(answer.context["sections"]) == len(SECTIONS)


def test_a_check_that_fails_half_way_keeps_what_it_said():
    def check():
        yield Line("First", "is there")
        raise ValueError("secret text")

    first, second = ask("Check", check)
    assert first.value == "is there"
    assert (second.title, second.value) == ("Check", "This could not be looked at (ValueError).")


# The worker and its queue


def test_no_worker_is_worth_a_warning_and_waiting_work_makes_it_worse():
    assert said(work.workers, "Worker").state == State.WARN
    queued = QueuedAssignmentFactory()
    assert said(work.workers, "Worker").state == State.WARN, "it has just come"
    type(queued).objects.update(due_at=timezone.now() - timedelta(minutes=5))
    line = said(work.workers, "Worker")
    assert (line.state, line.value) == (State.BAD, "None runs, and work is waiting")
    assert "run_worker" in line.advice
    assert "the oldest was due 5 minutes ago" in said(work.queue, "Queue").value


def test_a_stale_worker_was_killed_or_hangs():
    see_worker(name="a:1", doing="Queued assignments", is_new=True)
    assert said(work.workers, "Worker a:1").state == State.GOOD
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=7))
    line = said(work.workers, "Worker a:1")
    assert (line.state, line.value) == (State.WARN, "Last seen 7 minutes ago, doing: Queued assignments")
    assert said(work.workers, "Worker").value == "None runs"
    see_worker(name="b:1", doing="Waiting for work", is_new=True)
    assert said(work.workers, "Former worker a:1").state == State.PLAIN
    assert said(work.workers, "Worker b:1").state == State.GOOD


def test_a_worker_of_another_version_is_to_be_restarted():
    see_worker(name="a:1", doing="x", is_new=True)
    Worker.objects.update(version="0.0.9")
    line = said(work.workers, "Worker a:1")
    assert line.state == State.WARN
    assert "0.0.9" in line.advice


def test_the_queue_says_what_waits_and_what_failed(monkeypatch):
    assert said(work.queue, "Queue").value == "Empty"
    done = {"code": 803, "envelope": {"response": {}}}
    QueuedAssignmentFactory(state="failed", **done)
    QueuedAssignmentFactory(state="uncertain", **done)
    QueuedAssignmentFactory(state="delivered", **done)
    QueuedAssignmentFactory()
    assert said(work.queue, "Queue").value == "1 waiting"
    assert said(work.queue, "Deliveries to shops").value == "1 not delivered, 1 perhaps delivered"
    monkeypatch.setattr(work, "LATEST", 3)
    assert said(work.queue, "Deliveries to shops").value == "1 perhaps delivered"
    monkeypatch.setattr(work, "LATEST", 2)
    assert said(work.queue, "Deliveries to shops").state == State.GOOD


def test_it_speaks_of_bulk_assignments():
    Assignment.objects.create(digest="0" * 64, source="keys.csv", rows_total=1)
    assert said(work.bulk_assignments, "Bulk assignments").value.startswith("1 ")


# Stores


@pytest.mark.statement("R8")
def test_a_redis_that_is_away_or_hangs_is_said_quickly(staff, well, settings, monkeypatch):
    with own_redis() as running:
        settings.CACHES = running.caches
        assert said(stores.cache, "Redis").state == State.GOOD
        running.hang()
        monkeypatch.setattr(stores, "REDIS_TIME_LIMIT", 0.1)
        line = said(stores.cache, "Redis")
        assert (line.state, line.value) == (State.BAD, "Does not answer (TimeoutError)")
        running.wake()
        running.stop()
        answer = staff.get(URL)
        assert answer.status_code == 200
        [line] = answer.context["problems"]
        assert (line.title, line.value) == ("Redis", "Does not answer (ConnectionError)")
        assert "CACHE_URL" in line.advice


def test_without_redis_the_database_counts(monkeypatch):
    assert said(stores.cache, "Redis").state == State.PLAIN
    ThrottleBucket.objects.create(name="x", empty_at=1.0)
    assert said(stores.throttles, "Throttles in the database").value == "1 counter"


def test_a_missing_migration_is_named():
    assert said(stores.migrations, "Migrations").value == "All there"
    newest = MigrationRecorder.Migration.objects.filter(app="licenses").order_by("name").last()
    newest.delete()
    line = said(stores.migrations, "Migrations")
    assert (line.state, line.value) == (State.BAD, f"Missing: licenses {newest.name}")


def test_a_slow_database_is_worth_a_warning(monkeypatch):
    assert said(stores.database, "Answers in").state == State.GOOD
    monkeypatch.setattr(stores, "SLOW_DATABASE", 0.0)
    assert said(stores.database, "Answers in").state == State.WARN
    assert said(stores.database, "Size").value.split()[-1] in ("KB", "MB", "GB")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="is about PostgreSQL's indexes")
def test_an_index_that_cannot_be_used_is_named(monkeypatch):
    assert said(stores.indexes, "Indexes").state == State.GOOD
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'audit_event_by_kind'::regclass")
    line = said(stores.indexes, "Indexes")
    assert (line.state, line.value) == (State.BAD, "Not usable: audit_event_by_kind")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="is about an extension of PostgreSQL")
def test_searching_many_rows_wants_an_index(monkeypatch):
    monkeypatch.setattr(stores, "TRIGRAM_INDEXES", "SELECT 0")
    assert said(stores.indexes, "Search by fragments").state == State.PLAIN
    LicenseKeyFactory()
    monkeypatch.setattr(stores, "MANY", 1)
    for there, words in (("true", "no index uses it"), ("false", "has no pg_trgm")):
        monkeypatch.setattr(stores, "HAS_TRIGRAMS", f"SELECT {there}")
        line = said(stores.indexes, "Search by fragments")
        assert line.state == State.WARN
        assert words in line.value
    monkeypatch.setattr(stores, "TRIGRAM_INDEXES", "SELECT 3")
    assert said(stores.indexes, "Search by fragments").value == "Fast: 3 indexes of pg_trgm"


# Keys and the audit trail


def test_a_signing_key_of_more_than_a_year_is_to_be_replaced(global_key):
    product = ProductFactory()
    create_signing_key(product=product, actor=ACTOR)
    assert said(trust.signing_keys, "Global signing key").state == State.GOOD
    assert said(trust.signing_keys, "Signing keys of products").state == State.GOOD
    SigningKey.objects.update(activated_at=timezone.now() - timedelta(days=400))
    line = said(trust.signing_keys, "Global signing key")
    assert line.state == State.WARN
    assert "in use for 400 days" in line.value
    assert said(trust.signing_keys, "Signing keys of products").value.endswith("1 over a year old")


def test_upcoming_and_compromised_signing_keys_are_told(global_key):
    create_signing_key(product=None, upcoming=True, actor=ACTOR)
    assert said(trust.signing_keys, "Upcoming signing keys").value.startswith("1 published")
    mark_compromised(signing_key=global_key, since=timezone.now(), actor=ACTOR)
    assert said(trust.signing_keys, "Compromised signing keys").value == "1, cut off"


def test_a_signing_key_that_cannot_be_decrypted_is_broken(global_key):
    SigningKey.objects.update(private_key_locked=b"under another vault key")
    line = said(trust.signing_keys, "Vault keys")
    assert line.state == State.BAD
    assert "VAULT_KEYS" in line.advice


def test_an_event_that_stays_without_its_place_is_said(global_key):
    AuditEvent.objects.create(kind="license_key.assigned", door="api", actor="x", object_type="x", object_label="x")
    assert said(trust.audit_trail, "Events to be linked").state == State.GOOD
    later = timezone.now() + timedelta(hours=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trust, "timezone", SimpleNamespace(now=lambda: later))
        line = said(trust.audit_trail, "Events to be linked")
    assert line.state == State.WARN
    assert "verify_audit" in line.advice


def test_an_audit_chain_that_was_set_back_is_broken():
    assert said(trust.audit_trail, "Audit chain").state == State.GOOD
    AuditChain.objects.update(position=7)
    line = said(trust.audit_trail, "Audit chain")
    assert line.state == State.BAD
    assert "set back or altered" in line.advice


# The server


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0, State.GOOD), (-1.5, State.GOOD), (3, State.WARN), (-30, State.WARN), (90, State.BAD), (-90, State.BAD)],
)
def test_a_clock_that_is_off_is_said(seconds, state, monkeypatch):
    monkeypatch.setattr(server, "SKEWED", SKEWED)
    line = server.skew_line(timedelta(seconds=seconds))
    assert line.state == state
    assert f"{abs(seconds):.1f} s" in line.value


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="is about another server's clock")
def test_it_compares_the_clocks():
    assert said(server.clock, "Clock of the database").state == State.GOOD


@pytest.mark.parametrize(("megabytes", "state"), [(100_000, State.GOOD), (1_500, State.WARN), (100, State.BAD)])
def test_a_disk_that_is_almost_full_is_said(megabytes, state, monkeypatch):
    monkeypatch.setattr(server, "LITTLE", LITTLE)
    line = server.free_line("Disk", megabytes * 1024**2, 200_000 * 1024**2)
    assert line.state == state
    assert " free of 195 GB" in line.value


def test_it_looks_at_the_disk_where_the_portal_writes(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "not" / "there" / "yet"
    assert said(server.disk, "Disk of DATA_DIR").title


def test_settings_say_where_they_come_from(monkeypatch):
    assert said(server.portal_settings, "License Key").value == "Empty; the default"
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    assert said(server.portal_settings, "License Key").value == "Given; from the environment, locked by LICENSE_KEY"
    monkeypatch.setenv("LICENSE_KEY", " ")
    assert said(server.portal_settings, "License Key").state == State.WARN


def test_debug_pages_are_said(settings):
    assert not [line for line in server.versions() if line.title == "Debug pages"]
    settings.DEBUG = True
    assert said(server.versions, "Debug pages").state == State.WARN


# For the overview


def test_the_overview_gets_what_needs_attention_and_does_not_look_each_time(staff, superuser, well, monkeypatch):
    looked = []
    monkeypatch.setattr(health_page, "look", lambda: looked.append(1) or look())
    assert attention(superuser) == attention(superuser) == []
    assert len(looked) == 1
    Worker.objects.all().delete()
    monkeypatch.setattr(health_page, "KEPT", 0.0)
    assert [line.title for line in attention(superuser)] == ["Worker"]
    assert attention(AnonymousUser()) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (61, "1 minute"), (7200, "2 hours"), (86_400 * 400, "400 days")],
)
def test_spans_are_said_in_words(seconds, words):
    assert lines.span(timedelta(seconds=seconds)) == words
