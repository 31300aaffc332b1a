"""PostgreSQL itself refuses to change or delete what the audit has recorded, through Django and around it."""

import pytest
from django.db import IntegrityError, connection, transaction

from licenses.audit_chain import link_all
from licenses.events import Kind, record
from licenses.models import AuditChain, AuditEvent
from tests.audit import execute, make_chain
from tests.factories import ACTOR, ProductFactory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="the triggers are PostgreSQL's; the chain tells elsewhere"
    ),
]


@pytest.fixture
def events():
    """Two that are linked and one that is not."""
    make_chain(2)
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    return list(AuditEvent.objects.order_by("pk"))


REFUSED = {
    "update": lambda event: AuditEvent.objects.filter(pk=event.pk).update(actor="nobody"),
    "save": lambda event: AuditEvent(**{**vars_of(event), "actor": "nobody"}).save(force_update=True),
    "bulk_update": lambda event: AuditEvent.objects.bulk_update([renamed(event)], ["actor"]),
    "delete": lambda event: AuditEvent.objects.filter(pk=event.pk).delete(),
    "delete one": lambda event: event.delete(),
    "raw update": lambda event: execute(f"UPDATE licenses_auditevent SET after = '{{}}' WHERE id = {event.pk}"),
    "raw update of all": lambda event: execute("UPDATE licenses_auditevent SET actor = actor || '!'"),
    "raw delete": lambda event: execute(f"DELETE FROM licenses_auditevent WHERE id = {event.pk}"),
    "truncate": lambda event: execute("TRUNCATE licenses_auditevent"),
    "truncate with others": lambda event: execute("TRUNCATE licenses_auditevent, licenses_product CASCADE"),
    "another number": lambda event: execute(f"UPDATE licenses_auditevent SET id = 999999 WHERE id = {event.pk}"),
    "position and more": lambda event: AuditEvent.objects.filter(pk=event.pk).update(
        position=99, digest="f" * 64, actor="nobody"
    ),
    "position without digest": lambda event: AuditEvent.objects.filter(pk=event.pk).update(position=99),
    "digest without position": lambda event: AuditEvent.objects.filter(pk=event.pk).update(digest="f" * 64),
}


def vars_of(event: AuditEvent) -> dict:
    return {field.attname: getattr(event, field.attname) for field in event._meta.concrete_fields}


def renamed(event: AuditEvent) -> AuditEvent:
    event.actor = "nobody"
    return event


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "not linked yet"])
@pytest.mark.parametrize("way", REFUSED)
def test_it_refuses(events, way, linked):
    before = list(AuditEvent.objects.order_by("pk").values())
    with pytest.raises(IntegrityError, match="the audit is append-only") as refused, transaction.atomic():
        REFUSED[way](events[0 if linked else 2])
    assert refused.value.__cause__.sqlstate == "23001"
    assert list(AuditEvent.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("change", [{"position": None, "digest": ""}, {"position": 99, "digest": "f" * 64}])
def test_a_linked_event_keeps_its_place(events, change):
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.filter(pk=events[0].pk).update(**change)


def test_an_event_gets_its_place_once(events):
    link_all()
    assert AuditEvent.objects.get(pk=events[2].pk).position == 3


@pytest.mark.parametrize("statement", ["DELETE FROM licenses_auditevent", "TRUNCATE licenses_auditevent"])
def test_the_retention_command_alone_may_delete(events, statement):
    with transaction.atomic():
        execute("SET LOCAL portal.audit_retention TO 'on'")
        execute(statement)
    assert not AuditEvent.objects.exists()


def test_nothing_lets_the_past_be_rewritten(events):
    execute("SET LOCAL portal.audit_retention TO 'on'")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        REFUSED["update"](events[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda: AuditChain.objects.all().delete(),
        lambda: AuditChain.objects.update(position=1),
        lambda: execute("TRUNCATE licenses_auditchain"),
    ],
    ids=["delete", "set back", "truncate"],
)
def test_the_end_of_the_chain_only_moves_on(events, change):
    with pytest.raises(IntegrityError, match="the audit chain only grows"), transaction.atomic():
        change()


def test_the_key_of_the_chain_may_be_locked_anew(events):
    assert AuditChain.objects.update(locked_key=b"under another vault key") == 1
