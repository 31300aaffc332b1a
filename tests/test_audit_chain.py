"""The chain of audit events: what is linked, and that whatever is done to the rows afterwards is found and named."""

import base64
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses import audit_chain
from licenses.audit_chain import link_all, link_committed
from licenses.events import Kind, event, record, record_address, record_many, record_setting
from licenses.models import AuditChain, AuditEvent
from licenses.services import audit_verification
from licenses.services.audit_retention import find_old, prune_audit
from licenses.services.audit_verification import verify_audit
from licenses.services.products import create_product
from licenses.signing import vault
from tests.audit import alter, end, execute, intruder, make_chain, remove, set_back, swap
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db
LENGTH = 12
ALTERED = (
    "the end of the audit chain was set back or altered, or its key replaced: its seal does not fit. "
    "Nothing is linked until the table licenses_auditchain is restored from a backup"
)
GONE = (
    "the row with the end and the key of the audit chain is gone: restore the table licenses_auditchain from a backup"
)


@pytest.fixture
def chain(db):
    make_chain(LENGTH)
    with intruder():
        yield


def problems(**options) -> list[str]:
    """What is found, without the description of the events."""
    return [problem.split(" (event")[0] for problem in verify_audit(**options).problems]


def number(position: int) -> int:
    return AuditEvent.objects.get(position=position).pk


def add(position: int | None, digest: str = "f" * 64) -> None:
    AuditEvent.objects.create(
        kind="product.deleted", door="admin", actor="nobody", object_label="x", position=position, digest=digest
    )


def test_an_untouched_chain_is_unbroken(chain):
    found = verify_audit()
    last = AuditEvent.objects.get(position=LENGTH)
    assert (found.events, found.problem_count, found.pruned) == (LENGTH, 0, 0)
    assert found.head == f"{LENGTH}:{last.digest}"
    assert AuditChain.objects.get().digest == last.digest


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "product.deleted"},
        {"actor": "somebody else"},
        {"door": "admin"},
        {"address": "203.0.113.9"},
        {"object_id": 4711},
        {"object_label": "Another"},
        {"object_type": "owner"},
        {"before": {"n": 99}},
        {"after": {"n": 5, "x": [1.5, 0]}},
        {"occurred_at": "2020-02-02T02:02:02Z"},
        {"digest": "0" * 64},
        {"digest": "é" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_altered_event_is_named_and_no_other(chain, change):
    alter(5, **change)
    assert problems() == ["position 5"]


@pytest.mark.parametrize("position", [1, LENGTH])
def test_the_first_and_the_last_event_are_no_exception(chain, position):
    alter(position, actor="somebody else")
    assert problems() == [f"position {position}"]


@pytest.mark.parametrize(
    ("positions", "named"),
    [
        ([1], ["position 1 is missing"]),
        ([1, 2, 3], ["positions 1 to 3 are missing"]),
        ([5], ["position 5 is missing"]),
        ([5, 6, 9], ["positions 5 to 6 are missing", "position 9 is missing"]),
        ([12], ["position 12 is missing: the end of the chain was cut off"]),
        ([11, 12], ["positions 11 to 12 are missing: the end of the chain was cut off"]),
        (range(1, 13), ["positions 1 to 12 are missing: the end of the chain was cut off"]),
    ],
)
def test_removed_events_are_named_by_their_positions(chain, positions, named):
    remove(*positions)
    assert problems() == named


@pytest.mark.parametrize(("one", "other"), [(1, 2), (5, 6), (2, 9), (1, 12), (11, 12)])
def test_two_events_that_changed_places_are_both_named_and_no_other(chain, one, other):
    first, second = number(one), number(other)
    swap(one, other)
    assert verify_audit().problem_count == 2
    for place, problem in zip((one, other), verify_audit().problems, strict=True):
        assert problem.startswith(f"position {place} holds event {second if place == one else first},")
        assert f"but event {first if place == one else second}, " in problem
        assert problem.endswith(f"which is at {other if place == one else one}, belongs there")


def test_events_that_changed_places_and_digests_are_named_too(chain):
    digests = {place: AuditEvent.objects.get(position=place).digest for place in (5, 6)}
    swap(5, 6)
    alter(5, digest=digests[5])
    alter(6, digest=digests[6])
    found = verify_audit().problems
    assert [problem.split(",")[0] for problem in found] == [
        f"position 5 holds event {number(5)}",
        f"position 6 holds event {number(6)}",
    ]


def test_an_event_put_in_is_named(chain):
    add(0)
    assert problems() == ["position 0"]


def test_an_event_put_in_in_the_middle_is_named(chain):
    """To make room, all later ones are moved: each of them is out of its place then."""
    for position in range(LENGTH, 5, -1):
        alter(position, position=position + 1)
    add(6)
    AuditChain.objects.update(position=LENGTH + 1)
    assert f"position 6 holds event {AuditEvent.objects.get(position=6).pk}," in " ".join(verify_audit().problems)


def test_an_event_put_at_the_end_is_named_and_stops_no_change(chain, caplog):
    add(LENGTH + 1)
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    with transaction.atomic():
        link_committed()
    assert "recorded but not linked" in caplog.text
    assert problems() == [
        "new events cannot be linked: their positions, from the chain's end on, are taken",
        f"position {LENGTH + 1}",
        f"the chain was set back to position {LENGTH}, though it goes on to {LENGTH + 1}",
    ]


def test_an_event_added_as_the_portal_does_has_no_place_in_the_past(chain):
    """What the chain cannot tell: it is a place at the end."""
    add(None, "")
    assert problems() == []
    assert AuditEvent.objects.get(actor="nobody").position == LENGTH + 1


def test_an_end_that_was_cut_off_shows_by_its_seal(chain):
    remove(11, 12)
    set_back(10)
    assert problems() == [ALTERED]


def test_an_end_that_was_cut_off_and_hidden_shows_by_a_head_noted_before(chain):
    """What the seal cannot tell: the row was just like that once, and somebody has seen it."""
    seen = end()
    for _ in range(2):
        record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    head = verify_audit().head
    remove(LENGTH + 1, LENGTH + 2)
    AuditChain.objects.update(**seen)
    assert problems() == []
    found = problems(contains=head)
    assert [problem.partition(",")[0] for problem in found] == [
        f"the noted head {head[:19]}… is not in the chain: it was cut off and begun anew"
    ]
    for _ in range(2):
        record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    assert verify_audit().events == LENGTH + 2
    assert problems(contains=head) == found


def test_a_noted_head_is_found_while_the_chain_goes_on(chain):
    head = verify_audit().head
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    assert problems(contains=head) == problems(contains=head[:19]) == problems(contains=f"{head[:19]}…") == []


@pytest.mark.parametrize(
    "head", ["118", "118:", "118:3f2a", "0:3f2a57c09b1e4d68", "x:3f2a57c09b1e4d68", "1:" + "g" * 64]
)
def test_a_head_that_is_none_is_refused(chain, head):
    with pytest.raises(ValidationError, match="looks like 118:3f2a"):
        verify_audit(contains=head)


def test_a_chain_set_back_is_named(chain):
    set_back(10)
    assert problems() == [ALTERED, f"the chain was set back to position 10, though it goes on to {LENGTH}"]


def test_a_changed_end_is_named(chain):
    AuditChain.objects.update(digest="0" * 64)
    assert problems() == [ALTERED, f"the end of the chain at position {LENGTH} was altered"]


# The end, under seal: whoever owns the tables rewrites the past, and leaves it to the portal to link it


REWRITE = "UPDATE licenses_auditevent SET actor = 'nobody', position = NULL, digest = ''"
SET_BACK = "UPDATE licenses_auditchain SET position = 0, digest = ''"


def change_something() -> None:
    """What the portal does after any change."""
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    link_committed()


@pytest.mark.parametrize("by", [verify_audit, change_something], ids=["verify_audit", "the next change"])
@pytest.mark.parametrize(
    ("hide", "named"),
    [(SET_BACK, ALTERED), ("DELETE FROM licenses_auditchain", GONE)],
    ids=["the end set back", "its row deleted"],
)
def test_the_portal_does_not_link_a_past_that_was_rewritten(chain, hide, named, by):
    execute(REWRITE)
    execute(hide)
    by()
    assert not AuditEvent.objects.exclude(position=None).exists()
    assert verify_audit().problems == [named]


def test_a_change_goes_on_and_the_log_says_once_why_it_is_not_linked(chain, caplog):
    set_back(10)
    change_something()
    assert [line.levelno for line in caplog.records] == [logging.ERROR]
    assert caplog.text.count("the end of the audit chain was set back or altered") == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("change", [{"position": 11}, {"digest": "é" * 64}, {"seal": ""}, {"seal": "é" * 64}])
def test_nothing_of_the_end_can_be_altered(chain, change):
    AuditChain.objects.update(**change)
    assert problems()[0] == ALTERED


def test_no_other_seal_of_the_chain_is_one_of_its_end(chain):
    """Not even one for the same position and digest, as it stands in the event of a pruning."""
    row = AuditChain.objects.get()
    AuditChain.objects.update(seal=audit_chain.seal_of(audit_chain.key_of(row), row.position, row.digest))
    assert problems() == [ALTERED]


def test_nothing_is_pruned_from_a_chain_whose_end_was_altered(chain):
    set_back(10)
    with pytest.raises(ValidationError, match="Nothing can be deleted: the end of the audit chain was set back"):
        find_old(older_than=90)
    with pytest.raises(ValidationError, match="Nothing can be deleted: the end of the audit chain was set back"):
        prune_audit(before=timezone.now(), actor=ACTOR, show=lambda done: None)


def test_the_end_stays_under_seal_while_it_moves_and_when_its_key_is_locked_anew(chain, settings):
    change_something()
    settings.VAULT_KEYS = [Fernet.generate_key().decode(), *settings.VAULT_KEYS]
    AuditChain.objects.update(locked_key=vault(settings.VAULT_KEYS).rotate(bytes(end()["locked_key"])))
    change_something()
    assert end()["position"] == LENGTH + 2
    assert problems() == []


def test_many_problems_are_counted_and_the_first_hundred_named(chain, monkeypatch):
    monkeypatch.setattr(audit_verification, "NAMED", 3)
    AuditEvent.objects.filter(position__gt=1).update(actor="somebody else")
    found = verify_audit()
    assert (found.problem_count, len(found.problems)) == (LENGTH - 1, 3)


def test_it_reads_in_pieces(chain, monkeypatch):
    monkeypatch.setattr(audit_verification, "CHUNK", 5)
    shown = []
    assert not verify_audit(show=shown.append).problems
    assert shown == [5, 10, 12]
    alter(5, actor="x")
    remove(6, 11)
    assert problems() == ["position 5", "position 6 is missing", "position 11 is missing"]


# The key


def test_without_its_vault_key_changes_go_on_and_verification_says_so(chain, settings, caplog):
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    link_committed()
    assert [line.levelno for line in caplog.records] == [logging.ERROR]
    assert "cannot be decrypted with any of VAULT_KEYS" in caplog.text
    assert "Traceback" not in caplog.text
    assert (
        verify_audit().problems[0].startswith("the key of the audit chain cannot be decrypted with any of VAULT_KEYS")
    )


def test_the_key_stays_readable_when_a_newer_vault_key_comes_before_its_own(chain, settings):
    settings.VAULT_KEYS = [Fernet.generate_key().decode(), *settings.VAULT_KEYS]
    assert problems() == []


def test_another_key_fits_nothing(chain, settings):
    AuditChain.objects.update(
        locked_key=Fernet(settings.VAULT_KEYS[0]).encrypt(audit_chain.KEY_LABEL + b"k" * audit_chain.KEY_BYTES)
    )
    assert problems() == ["no event fits the key of the chain: it is not the key they were linked with"]


@pytest.mark.parametrize("secret", [b"a signing key, perhaps", base64.b32encode(b"authenticator's seed")])
def test_another_secret_in_the_place_of_the_key_is_told_from_it(chain, settings, secret):
    """The second is as long as the key, and whoever has that authenticator app knows it."""
    AuditChain.objects.update(locked_key=Fernet(settings.VAULT_KEYS[0]).encrypt(secret))
    assert "somebody has put another secret in its place" in problems()[0]


def test_a_chain_whose_row_is_gone_is_not_begun_anew(chain):
    AuditChain.objects.all().delete()
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    assert problems() == [GONE]
    assert not AuditChain.objects.exists()


def test_the_key_is_in_no_column_in_clear(chain):
    row = AuditChain.objects.get()
    assert audit_chain.key_of(row) not in bytes(row.locked_key)
    assert len(audit_chain.key_of(row)) == 32


# Linking


@pytest.mark.django_db(transaction=True)
def test_a_change_is_linked_once_it_is_committed():
    create_product(name="Photo Editor", description="", actor=ACTOR)
    assert not AuditEvent.objects.filter(position=None).exists()
    assert AuditChain.objects.get().position == AuditEvent.objects.count()


@pytest.mark.django_db(transaction=True)
def test_what_is_about_no_row_of_a_table_is_linked_too():
    record_address(Kind.STAFF_LOCKED_OUT, "203.0.113.9", actor=ACTOR)
    assert AuditEvent.objects.get().position == 1
    record_setting("setting.changed", name="licenseKey", actor="root", address=None, door="settings", source="database")
    assert AuditEvent.objects.get(object_label="licenseKey").position == 2


@pytest.mark.django_db(transaction=True)
def test_one_transaction_links_once_however_much_it_records():
    product = ProductFactory()
    with (
        CaptureQueriesContext(
            connection,
        ) as queries,
        transaction.atomic(),
    ):
        for _ in range(3):
            record(Kind.PRODUCT_UPDATED, product, actor=ACTOR)
        with transaction.atomic():
            record_many([event(Kind.PRODUCT_UPDATED, product, actor=ACTOR)])
        assert len(connection.run_on_commit) == 1
    assert sum("FROM licenses_auditchain" in query["sql"] for query in queries) == 1
    assert AuditChain.objects.get().position == 4


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_leaves_no_trace_and_what_stays_is_linked():
    product = ProductFactory()
    with transaction.atomic():
        try:
            with transaction.atomic():
                record(Kind.PRODUCT_DELETED, product, actor=ACTOR)
                raise ValueError
        except ValueError:
            record(Kind.PRODUCT_UPDATED, product, actor=ACTOR)
    assert list(AuditEvent.objects.values_list("kind", "position")) == [("product.updated", 1)]
    assert not verify_audit().problems


def test_a_change_links_only_so_many_of_a_backlog(monkeypatch):
    monkeypatch.setattr(audit_chain, "BATCH", 5)
    monkeypatch.setattr(audit_chain, "AT_ONCE", 10)
    product = ProductFactory()
    record_many(event(Kind.PRODUCT_UPDATED, product, actor=ACTOR) for _ in range(23))
    link_committed()
    assert AuditEvent.objects.filter(position=None).count() == 13
    assert link_all() == 13
    positions = list(AuditEvent.objects.order_by("pk").values_list("position", flat=True))
    assert positions == list(range(1, 24))


def test_linking_takes_few_statements():
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    link_all()
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    with CaptureQueriesContext(connection) as queries:
        link_committed()
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) <= 6
