"""Any sequence of calls: after each one the rows, the answers and the audit are what a simple model says.

The model knows the rules in a few lines each, and nothing of the code. HYPOTHESIS_SECONDS=300 looks for so long instead
of a few seconds.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from licenses.codes import Refused
from licenses.models import (
    Activation,
    ApiKey,
    AuditEvent,
    BlockListEntry,
    Contract,
    LicenseKey,
    LicenseKeyMetadata,
    Owner,
)
from licenses.services import activations, contract_holders, contracts, license_keys, metadata
from licenses.services.audit_verification import verify_audit
from licenses.services.block_list import block_identifier
from licenses.services.products import create_product, set_product_status
from licenses.services.random_assignment import assign_from_stock_or_generate
from licenses.services.records import save_record
from licenses.services.stock import StockRow, generate_license_keys, import_batch
from tests.factories import ACTOR, GeneratorFactory, api_key_text

BEGIN = datetime(2027, 1, 31, 12, tzinfo=UTC)
INVALID = "invalid"
TEXTS = [f"KEY-{number}" for number in range(6)]
texts = st.integers(0, 30)  # which of the license keys there are; one more is of nobody
some_texts = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3, unique=True)
identifiers = st.sampled_from(["a", "b", "c", "d", ""])
emails = st.sampled_from(["ann@example.com", "ANN@Example.com", "bob@example.com", "ö@example.com", "Not set", ""])
names = st.sampled_from(["", "Ann", "Bob"])
limits = st.integers(0, 3)
days = st.sampled_from([0, 1, 30])
contract_keys = st.sampled_from(["C1", "C2"])
words = st.sampled_from(["x", "y", ""])


@dataclass
class Key:
    """What the model knows of a license key."""

    product: int
    limit: int
    days: int
    contract: str = ""
    status: str = "available"
    owner: str | None = None  # the folded address, or "" for somebody without one
    assigned_at: datetime | None = None
    expires_at: datetime | None = None
    hosts: dict[str, bool] = field(default_factory=dict)  # whether it is live there
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def live(self) -> list[str]:
        return [host for host, is_live in self.hosts.items() if is_live]

    def end_all(self) -> Counter[str]:
        ended = Counter({"activation.deactivated": len(self.live)})
        self.hosts = dict.fromkeys(self.hosts, False)
        return ended


class Portal(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.clock = time_machine.travel(BEGIN, tick=False)
        self.traveller = self.clock.start()
        self.keys: dict[str, Key] = {}
        self.owners: dict[str, str] = {}  # name by folded address
        self.quotas: dict[str, tuple[int, int]] = {}  # product and quota by contract key
        self.blocked: set[str] = set()

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        """Two products, of which the second minds when a license key expires."""
        made = [create_product(name=f"Product {number}", actor=ACTOR) for number in range(2)]
        made[0].require_non_expired, made[1].require_non_expired = False, True
        for product in made:
            product.save()
            GeneratorFactory(product=product)
        self.products = {product.pk: product for product in made}
        self.active = dict.fromkeys(self.products, True)
        self.api_key = ApiKey.objects.from_text(api_key_text())
        self.seen = self.newest()

    # What the rules have in common

    def newest(self) -> int:
        return AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def text(self, number: int) -> str:
        known = [*self.keys, "of nobody"]
        return known[number % len(known)]

    def product(self, number: int) -> int:
        return list(self.products)[number % 2]

    @contextmanager
    def expect(self, answer: object = None, **audit: int) -> Iterator[None]:
        """The call is refused with this number, if one is given, and leaves so many audit rows of each kind.

        A kind is written with `__` for its dot.
        """
        expected = Counter({kind.replace("__", "."): count for kind, count in audit.items()})
        try:
            yield
            given: object = None
        except Refused as refused:
            given = refused.code.value.number
        except ValidationError:
            given = INVALID
        assert given == answer
        events = AuditEvent.objects.filter(pk__gt=self.seen)
        assert Counter(events.values_list("kind", flat=True)) == +expected
        self.seen = self.newest()

    def gate(self, text: str, identifier: str = "-", *, usable: bool = True) -> int | None:
        """How a call about a license key is refused."""
        key = self.keys.get(text)
        if key is None:
            return 210
        if key.status in ("available", "reserved"):
            return 201
        if not self.active[key.product]:
            return 203
        if usable and key.status == "blocked":
            return 204
        if usable and self.products[key.product].require_non_expired and self.is_expired(key):
            return 205
        return None if identifier else 215

    def is_expired(self, key: Key) -> bool:
        return key.expires_at is not None and key.expires_at <= timezone.now()

    def hand_over(self, key: Key, email: str, name: str) -> Counter[str]:
        """Assign in the model; the audit rows of the owner."""
        key.status, key.assigned_at = "assigned", timezone.now()
        key.expires_at = key.assigned_at + timedelta(days=key.days) if key.days else None
        key.owner = email.lower() if "@" in email else ""
        return self.meet(email, name)

    def meet(self, email: str, name: str) -> Counter[str]:
        folded = email.lower()
        if "@" not in email or folded not in self.owners:
            if "@" in email:
                self.owners[folded] = name
            return Counter({"owner__created": 1})
        if name and not self.owners[folded]:
            self.owners[folded] = name
            return Counter({"owner__updated": 1})
        return Counter()

    # The stock

    @rule(
        chosen=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3, unique=True),
        number=texts,
        limit=limits,
        days=days,
    )
    def bring_in(self, chosen: list[str], number: int, limit: int, days: int) -> None:
        product, rows = self.product(number), [StockRow(line, text, limit, days) for line, text in enumerate(chosen)]
        new = [text for text in chosen if text not in self.keys]
        same = [text for text in chosen if text in self.keys and self.is_like(self.keys[text], product, limit, days)]
        with self.expect(license_key__created=len(new)):
            found = import_batch(rows=rows, product=self.products[product], actor=ACTOR)
        words = {**dict.fromkeys(chosen, "refused"), **dict.fromkeys(new, "imported"), **dict.fromkeys(same, "exists")}
        assert {outcome.license_key: str(outcome.outcome) for outcome in found} == words
        self.keys |= {text: Key(product, limit, days) for text in sorted(new)}  # as a batch is stored

    def is_like(self, key: Key, product: int, limit: int, days: int) -> bool:
        return (key.product, key.limit, key.days) == (product, limit, days)

    @rule(number=texts, quantity=st.integers(0, 2), limit=limits, days=days)
    def generate(self, number: int, quantity: int, limit: int, days: int) -> None:
        product, made = self.product(number), []
        terms = {"quantity": quantity, "activation_limit": limit, "validity_days": days}
        with self.expect(None if quantity else INVALID, license_key__created=quantity):
            made = generate_license_keys(product=self.products[product], **terms, actor=ACTOR)
        self.keys |= {found.license_key: Key(product, limit, days) for found in made}

    @rule(number=texts)
    def delete(self, number: int) -> None:
        text = self.text(number)
        key = self.keys.get(text)
        may = key is not None and key.status == "available" and not key.hosts
        with self.expect(210 if key is None else None if may else INVALID, license_key__deleted=may):
            license_keys.delete_license_key(license_key=text, actor=ACTOR)
        if may:
            del self.keys[text]

    @rule(number=texts)
    def destroy(self, number: int) -> None:
        text = self.text(number)
        known = text in self.keys
        with self.expect(None if known else 851, license_key__deleted=known):
            license_keys.destroy_license_key(license_key=text, actor=ACTOR)
        self.keys.pop(text, None)

    # Owners

    @rule(number=texts, email=emails, name=names)
    def assign(self, number: int, email: str, name: str) -> None:
        text = self.text(number)
        key, audit = self.keys.get(text), Counter()
        free = key is not None and key.status == "available"
        if key and free:
            audit = self.hand_over(key, email, name)
        with self.expect(None if free else 801, license_key__assigned=free, **audit):
            license_keys.assign_license_key(license_key=text, owner_email=email, owner_name=name, actor=ACTOR)

    @rule(number=texts, quantity=st.integers(1, 3), email=emails, name=names)
    def assign_from_stock(self, number: int, quantity: int, email: str, name: str) -> None:
        product, audit, keys = self.product(number), Counter(), []
        stock = [text for text, key in self.keys.items() if key.product == product and self.is_stock(key)]
        enough = len(stock) >= quantity
        if enough:
            before = dict(self.owners)
            for text in stock[:quantity]:
                self.owners = dict(before)
                audit = self.hand_over(self.keys[text], email, name)
        with self.expect(None if enough else 802, license_key__assigned=quantity * enough, **audit):
            keys = assign_from_stock_or_generate(
                product=self.products[product],
                quantity=quantity,
                generate=False,
                owner_email=email,
                owner_name=name,
                actor=ACTOR,
            )
        assert [found.license_key for found in keys] == stock[: quantity * enough]

    def is_stock(self, key: Key) -> bool:
        return key.status == "available" and not key.contract

    @rule(number=texts, name=names)
    def rename_owner(self, number: int, name: str) -> None:
        if not self.owners:
            return
        email = list(self.owners)[number % len(self.owners)]
        owner = Owner.objects.with_email(email).get()
        owner.name = self.owners[email] = name
        with self.expect(owner__updated=1):
            save_record(owner, changed_fields=["name"], actor=ACTOR)

    # Where they run

    @rule(number=texts, identifier=identifiers)
    def activate(self, number: int, identifier: str) -> None:
        text = self.text(number)
        refusal, key = self.gate(text, identifier), self.keys.get(text)
        if key and not refusal:
            if identifier in key.live:
                refusal = 301
            elif 0 < key.limit <= len(key.live):
                refusal = 302
            else:
                key.hosts[identifier] = True
        with self.expect(refusal, activation__activated=refusal is None):
            activations.activate_license(license_key=text, identifier=identifier, actor=ACTOR)

    @rule(number=texts, identifier=identifiers)
    def verify(self, number: int, identifier: str) -> None:
        text = self.text(number)
        refusal = self.gate(text, identifier)
        if not refusal and identifier not in self.keys[text].live:
            refusal = 202
        with self.expect(refusal):
            activations.verify_license(license_key=text, identifier=identifier)

    @rule(number=texts, identifier=st.one_of(identifiers, st.none()))
    def deactivate(self, number: int, identifier: str | None) -> None:
        text = self.text(number)
        refusal = self.gate(text, "-" if identifier is None else identifier, usable=False)
        ended = [] if refusal else [host for host in self.keys[text].live if identifier in (host, None)]
        refusal = refusal or (None if ended else 401)
        with self.expect(refusal, activation__deactivated=len(ended)):
            activations.deactivate_license(license_key=text, identifier=identifier, actor=ACTOR)
        for host in ended:
            self.keys[text].hosts[host] = False

    @rule(number=texts)
    def deactivate_all(self, number: int) -> None:
        text = self.text(number)
        key = self.keys.get(text)
        with self.expect(None if key else 210, **(dotless(key.end_all()) if key else {})):
            activations.deactivate_all(license_key=text, actor=ACTOR)

    # Terms and states

    @rule(number=texts, more=st.sampled_from([0, 1, 30]))
    def extend(self, number: int, more: int) -> None:
        text = self.text(number)
        key, extended = self.keys.get(text), 0
        refusal: object = INVALID if not more else None if key else 210
        if key and more and key.expires_at:
            key.expires_at, extended = max(key.expires_at, timezone.now()) + timedelta(days=more), 1
        elif key and more and key.owner is None and key.days:
            key.days, extended = key.days + more, 1
        with self.expect(refusal, license_key__extended=extended):
            license_keys.extend_license_key(license_key=text, days=more, actor=ACTOR)

    @rule(number=texts)
    def block(self, number: int) -> None:
        text = self.text(number)
        key, audit = self.keys.get(text), Counter()
        if key and key.status != "blocked":
            key.status, audit = "blocked", dotless(key.end_all()) | {"license_key__blocked": 1}
        with self.expect(None if key else 210, **audit):
            license_keys.block_license_key(license_key=text, actor=ACTOR)

    @rule(number=texts)
    def unblock(self, number: int) -> None:
        text = self.text(number)
        key, count = self.keys.get(text), 0
        if key and key.status == "blocked":
            key.status, count = "available" if key.owner is None else "assigned", 1
        with self.expect(None if key else 210, license_key__unblocked=count):
            license_keys.unblock_license_key(license_key=text, actor=ACTOR)

    @rule(number=texts, limit=limits)
    def change_limit(self, number: int, limit: int) -> None:
        text = self.text(number)
        key = self.keys.get(text)
        refusal: object = None if key else 210
        if key and key.limit != limit and limit and len(key.live) > limit:
            refusal = INVALID
        changed = bool(key and not refusal and key.limit != limit)
        with self.expect(refusal, license_key__updated=changed):
            license_keys.update_license_key(license_key=text, changes={"activation_limit": limit}, actor=ACTOR)
        if key and changed:
            key.limit = limit

    @rule(number=texts)
    def change_product_status(self, number: int) -> None:
        product = self.product(number)
        self.active[product] = not self.active[product]
        status = "active" if self.active[product] else "inactive"
        with self.expect(product__updated=1):
            set_product_status(product=self.products[product], status=status, actor=ACTOR)
        self.products[product].refresh_from_db()

    @rule(number=texts, identifier=st.sampled_from("abcd"))
    def block_identifier(self, number: int, identifier: str) -> None:
        text = self.text(number)
        key = self.keys.get(text)
        ended = bool(key and identifier in key.live)
        added = bool(key and identifier not in self.blocked)
        audit = {"activation__deactivated": ended, "block_list_entry__created": added}
        with self.expect(None if key else 210, **audit):
            block_identifier(license_key=text, identifier=identifier, actor=ACTOR)
        if key:
            self.blocked.add(identifier)
        if key and ended:
            key.hosts[identifier] = False

    # Metadata

    @rule(number=texts, word=words, value=words)
    def create_metadata(self, number: int, word: str, value: str) -> None:
        text = self.text(number)
        refusal = self.gate(text) or (450 if not word else 451 if not value else None)
        refusal = refusal or (452 if word in self.keys[text].metadata else None)
        with self.expect(refusal, metadata__created=refusal is None):
            metadata.create_metadata(license_key=text, identifier="-", name=word, value=value, actor=ACTOR)
        if not refusal:
            self.keys[text].metadata[word] = value

    @rule(number=texts, word=words, value=words)
    def update_metadata(self, number: int, word: str, value: str) -> None:
        text = self.text(number)
        refusal = self.gate(text) or (350 if not word else 351 if not value else None)
        refusal = refusal or (None if word in self.keys[text].metadata else 352)
        with self.expect(refusal, metadata__updated=refusal is None):
            metadata.update_metadata(license_key=text, identifier="-", name=word, value=value, actor=ACTOR)
        if not refusal:
            self.keys[text].metadata[word] = value

    @rule(number=texts, word=words)
    def delete_metadata(self, number: int, word: str) -> None:
        text = self.text(number)
        refusal = self.gate(text) or (None if word else 250)
        refusal = refusal or (None if word in self.keys[text].metadata else 251)
        with self.expect(refusal, metadata__deleted=refusal is None):
            metadata.delete_metadata(license_key=text, identifier="-", name=word, actor=ACTOR)
        if not refusal:
            del self.keys[text].metadata[word]

    # Contracts

    @rule(contract_key=contract_keys, number=texts, quota=st.integers(0, 3))
    def create_contract(self, contract_key: str, number: int, quota: int) -> None:
        product, known = self.product(number), self.quotas.get(contract_key)
        refused = quota == 0 or known not in (None, (product, quota))
        terms = contracts.Terms(contract_key, "Name", "About", str(product), quota, "active", True, True, True, True)
        with self.expect(825 if refused else None, contract__created=not refused and not known):
            contracts.create_contract(terms=terms, created_by=self.api_key, actor=ACTOR)
        if not refused:
            self.quotas[contract_key] = (product, quota)

    @rule(contract_key=contract_keys, quantity=st.integers(0, 3))
    def generate_under_contract(self, contract_key: str, quantity: int) -> None:
        refusal = self.quota_refusal(contract_key, quantity)
        made, limit, days = [], 1, 0
        with self.expect(refusal, license_key__created=quantity * (refusal is None)):
            made = contract_holders.generate_license_keys(
                api_key=self.api_key, contract_key=contract_key, quantity=quantity, actor=ACTOR
            ).license_keys
        product = self.quotas.get(contract_key, (0, 0))[0]
        self.keys |= {found.license_key: Key(product, limit, days, contract_key) for found in made}

    def quota_refusal(self, contract_key: str, quantity: int) -> int | None:
        if contract_key not in self.quotas:
            return 1200
        product, quota = self.quotas[contract_key]
        if not self.active[product]:
            return 1202
        if quantity == 0:
            return 1206
        return 1205 if len(self.under(contract_key)) + quantity > quota else None

    def under(self, contract_key: str) -> list[str]:
        return [text for text, key in self.keys.items() if key.contract == contract_key]

    @rule(contract_key=contract_keys, number=texts)
    def destroy_under_contract(self, contract_key: str, number: int) -> None:
        text = self.text(number)
        refusal = 1200 if contract_key not in self.quotas else None if text in self.under(contract_key) else 1401
        call = {"api_key": self.api_key, "contract_key": contract_key, "license_key": text, "actor": ACTOR}
        with self.expect(refusal, license_key__deleted=refusal is None):
            contract_holders.destroy_license_key(**call)
        if not refusal:
            del self.keys[text]

    @rule(contract_key=contract_keys)
    def destroy_all_under_contract(self, contract_key: str) -> None:
        gone = self.under(contract_key)
        refusal = 1200 if contract_key not in self.quotas else None if gone else 1501
        with self.expect(refusal, license_key__deleted=len(gone)):
            contract_holders.destroy_all_license_keys(api_key=self.api_key, contract_key=contract_key, actor=ACTOR)
        for text in gone:
            del self.keys[text]

    @rule(contract_key=contract_keys)
    def delete_contract(self, contract_key: str) -> None:
        let_go, known = self.under(contract_key), contract_key in self.quotas
        with self.expect(None if known else 844, contract__deleted=known, license_key__updated=len(let_go)):
            contracts.delete_contract(contract_id=contract_key, actor=ACTOR)
        self.quotas.pop(contract_key, None)
        for text in let_go:
            key = self.keys[text]
            key.contract, key.status = "", "reserved" if key.status == "available" else key.status

    @rule(hours=st.sampled_from([1, 24, 31 * 24]))
    def pass_time(self, hours: int) -> None:
        self.traveller.shift(timedelta(hours=hours))

    # What holds after each step

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        stored = {found.license_key: as_key(found) for found in LicenseKey.objects.select_related("owner", "contract")}
        for text, identifier, ended in Activation.objects.values_list(
            "license_key__license_key", "identifier", "deactivated_at"
        ):
            stored[text].hosts[identifier] = ended is None
        for text, name, value in LicenseKeyMetadata.objects.values_list("license_key__license_key", "name", "value"):
            stored[text].metadata[name] = value
        assert stored == self.keys

    @invariant()
    def limits_states_and_quotas_hold(self) -> None:
        """Of the rows that are stored, whatever the model says."""
        used = Counter(LicenseKey.objects.exclude(contract=None).values_list("contract", flat=True))
        for contract in Contract.objects.all():
            assert used[contract.pk] <= contract.license_keys_quantity
        live = Counter(Activation.objects.live().values_list("license_key", flat=True))
        for found in LicenseKey.objects.all():
            assert found.activation_limit == 0 or live[found.pk] <= found.activation_limit
            assert live[found.pk] == 0 or found.status == "assigned"
            if found.status in ("available", "reserved"):
                assert (found.owner_id, found.assigned_at, found.expires_at) == (None, None, None)
            if found.status == "assigned":
                assert found.owner_id and found.assigned_at

    @invariant()
    def owners_are_one_for_each_address(self) -> None:
        stored = Owner.objects.exclude(email__in=["", "Not set"]).values_list("email", "name")
        assert sorted((email.lower(), name) for email, name in stored) == sorted(self.owners.items())
        assert set(BlockListEntry.objects.values_list("value", flat=True)) == self.blocked

    @invariant()
    def the_audit_is_a_chain_that_fits(self) -> None:
        assert not verify_audit().problems


def dotless(audit: Counter[str]) -> Counter[str]:
    return Counter({kind.replace(".", "__"): count for kind, count in audit.items()})


def as_key(found: LicenseKey) -> Key:
    return Key(
        found.product_id,
        found.activation_limit,
        found.validity_days,
        found.contract.contract_key if found.contract else "",
        found.status,
        found.owner.email.lower() if found.owner else None,
        found.assigned_at,
        found.expires_at,
    )


SECONDS = float(os.environ.get("HYPOTHESIS_SECONDS", "0"))


@pytest.mark.django_db
def test_any_sequence_of_calls_leaves_what_the_rules_say():
    """A fixed number of sequences, or as many as fit into HYPOTHESIS_SECONDS."""
    ends_at, found = (
        time.monotonic() + SECONDS,
        settings(
            max_examples=60 if SECONDS else 8,
            stateful_step_count=50 if SECONDS else 30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    while True:
        run_state_machine_as_test(Portal, settings=found)
        if time.monotonic() >= ends_at:
            break
