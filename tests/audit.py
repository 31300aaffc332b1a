"""The audit trail in tests: events in a chain, and what somebody with the database's password may do to them."""

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import time_machine
from django.db import connection
from django.utils import timezone

from licenses.audit_chain import link_all
from licenses.events import Kind, record
from licenses.models import Actor, AuditChain, AuditEvent, Door, Product
from tests.factories import ACTOR

TABLES = ("licenses_auditevent", "licenses_auditchain")
# Who makes a change, from where, and what no event may say
NAME, ADDRESS = "jane", "203.0.113.7"
BY = {"actor": Actor(Door.ADMIN, NAME, ADDRESS)}
SECRET = "4711-SECRET-0815-WXYZ"


def make_chain(length: int, *, age: timedelta = timedelta()) -> None:
    """So many events of some time ago, linked."""
    product = Product.objects.create(name="Photo Editor")
    with time_machine.travel(timezone.now() - age):
        for number in range(1, length + 1):
            facts = {"before": {"n": number - 1}, "after": {"n": number, "x": [1.5, None]}}
            record(Kind.PRODUCT_UPDATED, product, actor=ACTOR, **facts)
    link_all()


@contextmanager
def intruder():
    """Somebody who may do anything in the database, to its triggers too."""
    switch_triggers("DISABLE")
    yield
    switch_triggers("ENABLE")


def switch_triggers(verb: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} {verb} TRIGGER USER")


def alter(position: int, /, **fields) -> None:
    assert AuditEvent.objects.filter(position=position).update(**fields) == 1


def remove(*positions: int) -> None:
    assert AuditEvent.objects.filter(position__in=positions).delete()[0] == len(positions)


def swap(one: int, other: int) -> None:
    alter(one, position=-1)
    alter(other, position=one)
    alter(-1, position=other)


def set_back(position: int) -> None:
    """As somebody does who has cut off the end and hides it. He cannot make the seal."""
    last = AuditEvent.objects.get(position=position)
    AuditChain.objects.update(position=position, digest=last.digest)


def end() -> dict[str, Any]:
    """The chain's own row, as somebody sees it who may read the tables."""
    return AuditChain.objects.values().get()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
