"""Everything at once over a few shared rows: no deadlock, no crash, and every rule still holds."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import OperationalError, connection
from django.db.models import Count, F, Q

from licenses.codes import Refused
from licenses.events import Kind
from licenses.models import ApiKey, AuditEvent, Contract, LicenseKey, Owner, Product, SigningKey
from licenses.services import activations, contract_holders, contracts, license_keys, metadata, products
from licenses.services.api_keys import revoke_api_key
from licenses.services.assignments import assign_batch
from licenses.services.block_list import block_identifier
from licenses.services.idempotency import Answer, answer_once
from licenses.services.license_key_batches import NewLicenseKey, create_license_keys
from licenses.services.license_key_changes import Revision, revise_license_key
from licenses.services.product_metadata import create_product_metadata, delete_product_metadata
from licenses.services.random_assignment import assign_from_stock_or_generate
from licenses.services.records import delete_record, save_record
from licenses.services.retries import retried
from licenses.services.rows import RequestedRow
from licenses.services.signing_keys import create_signing_key
from licenses.services.stock import StockRow, import_batch
from tests.factories import (
    ACTOR,
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    api_key_text,
)
from tests.races.callers import ON_POSTGRESQL, ROUNDS, Job, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

A_ROUND, BATCHES = 4, ROUNDS  # calls; batches of 25 rounds, after each of which the rules are looked at
HOSTS, EMAILS, NAMES = "abcd", [f"{name}@example.com" for name in ("Ann", "bob", "ö", "eve")], "xyz"
TEXTS = [f"text-{number}" for number in range(12)]
AGAIN = 200  # tries of a verb that was refused each time
RARELY = 150  # a new signing key takes as long as dozens of other calls


@dataclass(frozen=True)
class World:
    """The rows that everybody works on, by number or by text."""

    products: list[int]
    generators: list[int]
    contract_keys: list[str]
    api_keys: list[int]


def named(dice: random.Random) -> dict[str, Any]:
    return {"license_key": dice.choice(TEXTS), "actor": ACTOR}


def a_product(world: World, dice: random.Random) -> Product:
    return Product.objects.get(pk=dice.choice(world.products))


def an_owner(dice: random.Random) -> dict[str, str]:
    email = dice.choice(EMAILS)
    return {"owner_email": dice.choice([email, email.upper()]), "owner_name": dice.choice(["", "Name"])}


def activate(world, dice):
    activations.activate_license(**named(dice), identifier=dice.choice(HOSTS))


def deactivate(world, dice):
    activations.deactivate_license(**named(dice), identifier=dice.choice([*HOSTS, None]))


def assign(world, dice):
    license_keys.assign_license_key(**named(dice), **an_owner(dice))


def assign_and_activate(world, dice):
    license_keys.assign_and_activate(**named(dice), **an_owner(dice), identifier=dice.choice(HOSTS))


def assign_at_random(world, dice):
    wanted = {"quantity": dice.randint(1, 3), "generate": dice.random() < 0.5}
    assign_from_stock_or_generate(product=a_product(world, dice), **wanted, **an_owner(dice), actor=ACTOR)


def extend(world, dice):
    license_keys.extend_license_key(**named(dice), days=30)


def block(world, dice):
    license_keys.block_license_key(**named(dice))


def unblock(world, dice):
    license_keys.unblock_license_key(**named(dice))


def change_the_limit(world, dice):
    license_keys.update_license_key(**named(dice), changes={"activation_limit": dice.randint(0, 4)})


def revise(world, dice):
    changes = [
        Revision(status=dice.choice(["available", "assigned", "assigned", "blocked"])),
        Revision(product=a_product(world, dice)),
        Revision(owner_email=dice.choice(EMAILS), owner_name=dice.choice(NAMES), status="assigned"),
    ]
    revise_license_key(**named(dice), revision=dice.choice(changes))


def destroy(world, dice):
    license_keys.destroy_license_key(**named(dice))


def write_metadata(world, dice):
    write = dice.choice([metadata.create_metadata, metadata.update_metadata])
    write(**named(dice), identifier="a", name=dice.choice(NAMES), value=str(dice.random()))


def delete_metadata(world, dice):
    metadata.delete_metadata(**named(dice), identifier="a", name=dice.choice(NAMES))


def create_in_bulk(world, dice):
    product = a_product(world, dice)
    rows = [NewLicenseKey(product, text, **an_owner(dice), activation_limit=3) for text in dice.sample(TEXTS, 4)]
    create_license_keys(rows=rows, actor=ACTOR)


def bring_in(world, dice):
    rows = [StockRow(line, text, activation_limit=3) for line, text in enumerate(dice.sample(TEXTS, 4))]
    import_batch(rows=rows, product=a_product(world, dice), actor=ACTOR)


def assign_in_bulk(world, dice):
    texts = [*dice.sample(TEXTS, 3), ""]
    rows = [RequestedRow(line, license_key=text, **an_owner(dice)) for line, text in enumerate(texts)]
    assign_batch(rows=rows, product=a_product(world, dice), actor=ACTOR)


def holder(world, dice) -> dict[str, Any]:
    api_key = ApiKey.objects.get(pk=dice.choice(world.api_keys))
    return {"api_key": api_key, "contract_key": "" if api_key.contract_id else dice.choice(world.contract_keys)}


def generate_under_contract(world, dice):
    contract_holders.generate_license_keys(**holder(world, dice), quantity=dice.randint(1, 3), actor=ACTOR)


def generate_under_contract_once(world, dice):
    """As a program with an Idempotency-Key does it."""
    held = holder(world, dice)

    def produce() -> Answer:
        contract_holders.generate_license_keys(**held, quantity=1, actor=ACTOR)
        return Answer(200, "{}")

    answer_once(api_key=held["api_key"], idempotency_key=str(dice.random()), request_digest="", produce=produce)


def destroy_under_contract(world, dice):
    found = LicenseKey.objects.exclude(contract=None).order_by("?").first()
    text = found.license_key if found else "none"
    contract_holders.destroy_license_key(**holder(world, dice), license_key=text, actor=ACTOR)


def destroy_all_under_contract(world, dice):
    contract_holders.destroy_all_license_keys(**holder(world, dice), actor=ACTOR)


def a_contract(world, dice) -> Contract:
    return Contract.objects.get(contract_key=dice.choice(world.contract_keys))


def block_under_contract(world, dice):
    contracts.block_license_keys(contract=a_contract(world, dice), actor=ACTOR)


def delete_contract(world, dice):
    contracts.delete_contract(contract_id=dice.choice(world.contract_keys), actor=ACTOR)


def create_contract(world, dice):
    """And bind an API key to it."""
    terms = contracts.Terms(
        dice.choice(world.contract_keys), "Name", "About", str(world.products[0]), 20, "active", True, True, True, True
    )
    api_key = ApiKey.objects.get(pk=world.api_keys[0])
    made = contracts.create_contract(terms=terms, created_by=api_key, actor=ACTOR)
    ApiKey.objects.filter(pk=dice.choice(world.api_keys[1:])).update(contract=made, is_active=True)


def update_contract(world, dice):
    found = a_contract(world, dice)
    found.license_keys_quantity = dice.randint(1, 20)
    contracts.save_contract(contract=found, changed_fields=["license_keys_quantity"], actor=ACTOR)


def update_product(world, dice):
    changes = {"description": str(dice.random()), "external_reference": dice.choice(NAMES)}
    products.update_product(product_id=str(dice.choice(world.products)), changes=changes, actor=ACTOR)


def change_product_status(world, dice):
    status = dice.choice(["active", "active", "active", "inactive"])
    products.set_product_status(product=a_product(world, dice), status=status, actor=ACTOR)


def write_product_metadata(world, dice):
    told = {"product_id": str(dice.choice(world.products)), "name": dice.choice(NAMES), "actor": ACTOR}
    if dice.random() < 0.5:
        create_product_metadata(**told, value="value")
    else:
        delete_product_metadata(**told)


def rename_owner(world, dice):
    owner = Owner.objects.with_email(dice.choice(EMAILS)).get()
    owner.name = dice.choice(["", *NAMES])
    save_record(owner, changed_fields=["name"], actor=ACTOR)


def delete_owner(world, dice):
    """One that has no license key just now."""
    found = Owner.objects.filter(license_keys=None).order_by("?")[:1].get()
    delete_record(found, actor=ACTOR)


def put_on_block_list(world, dice):
    block_identifier(**named(dice), identifier=dice.choice(HOSTS))


def revoke(world, dice):
    revoke_api_key(api_key=ApiKey.objects.get(pk=dice.choice(world.api_keys)), actor=ACTOR)


VERBS: tuple[Callable[[World, random.Random], None], ...] = (
    *(activate, activate, activate, activate, activate, deactivate, deactivate, assign, assign, assign, assign),
    *(assign_and_activate, assign_and_activate, assign_at_random, assign_at_random, extend, unblock, unblock),
    *(block, change_the_limit, revise, destroy, write_metadata, delete_metadata),
    *(create_in_bulk, bring_in, bring_in, assign_in_bulk, generate_under_contract, generate_under_contract_once),
    *(destroy_under_contract, destroy_all_under_contract, block_under_contract, delete_contract, create_contract),
    *(update_contract, update_product, change_product_status, write_product_metadata, rename_owner, delete_owner),
    *(put_on_block_list, revoke),
)


# What has to be there for some of them: a license key that can be used, where it runs, its metadata
USABLE = (bring_in, change_product_status, unblock, change_the_limit)
SETUPS: dict[Callable[[World, random.Random], None], tuple[Callable[[World, random.Random], None], ...]] = {
    activate: (*USABLE, assign, deactivate),
    deactivate: (*USABLE, assign, activate),
    assign: USABLE,
    assign_and_activate: (*USABLE, deactivate),
    write_metadata: (*USABLE, assign, deactivate, activate),
    delete_metadata: (*USABLE, assign, deactivate, activate, write_metadata),
}


def act(world: World, seed: int) -> str:
    """The name of the verb if it was done. It is begun again where a row was deleted or stored meanwhile.

    ValidationError says that a record is needed by others by now, or is gone.
    """
    dice = random.Random(seed)
    verb = VERBS[seed % len(VERBS)] if seed % RARELY else rotate
    try:
        retried(partial(without_deadlock, verb, world, dice))
    except (Refused, ObjectDoesNotExist, ValidationError):
        return ""
    return verb.__name__


def without_deadlock(verb: Callable[[World, random.Random], None], world: World, dice: random.Random) -> None:
    """That would be begun again too, and nobody would hear of it."""
    try:
        verb(world, dice)
    except OperationalError as error:
        if connection.vendor == "postgresql":
            raise RuntimeError(f"{verb.__name__} lost") from error
        raise


def rotate(world: World, dice: random.Random) -> None:
    create_signing_key(product=dice.choice([None, a_product(world, dice)]), actor=ACTOR)


@pytest.fixture
def world(server) -> World:
    made = ProductFactory.create_batch(2)
    fields = {"charset": "0123456789", "number_of_chunks": 1, "chunk_length": 3}
    generators = [GeneratorFactory(product=product, prefix="text-", **fields) for product in made]
    contract_keys = [ContractFactory(product=product, license_keys_quantity=20).contract_key for product in made]
    for text in TEXTS:
        LicenseKeyFactory(product=made[0], license_key=text, activation_limit=3)
    OwnerFactory(name="", email=EMAILS[0])
    OwnerFactory.create_batch(3)  # that nobody gives a license key: delete_owner finds one
    api_keys = [ApiKey.objects.from_text(api_key_text(name=f"Program {number}")).pk for number in range(3)]
    numbers = [product.pk for product in made]
    return World(numbers, [generator.pk for generator in generators], contract_keys, api_keys)


@pytest.mark.statement("S4")
@pytest.mark.statement("S8")
def test_whatever_is_done_at_once_nothing_deadlocks_and_every_rule_holds(server, callers, world):
    """500 rounds of calls by four processes; some of the calls are requests with an Idempotency-Key."""
    dice, before, text, done = random.Random(), deadlocks(callers), api_key_text(), Counter()
    seeds = seeds_of_every_verb(dice)
    for batch in range(BATCHES):
        jobs = [Job(act, {"world": world, "seed": next(seeds)}) for _ in range(25 * A_ROUND)]
        jobs[:: 10 * A_ROUND] = [Job(post, request(server.url, text, dice)) for _ in jobs[:: 10 * A_ROUND]]
        done.update(callers(jobs))
        assert not broken_rules(), f"after batch {batch}"
    assert deadlocks(callers) == before
    if ROUNDS >= 20:
        make_sure(world, dice, done)
        assert {verb.__name__ for verb in VERBS} - set(done) == set()


def seeds_of_every_verb(dice: random.Random) -> Iterator[int]:
    """One after the other in an order of chance, again and again: none is left to be drawn never."""
    while True:
        for place in dice.sample(range(len(VERBS)), len(VERBS)):
            yield dice.randrange(10**7) * len(VERBS) + place


def make_sure(world: World, dice: random.Random, done: Counter[str]) -> None:
    """Whether what a verb needs was there just then is chance: what was always refused is tried again, alone.

    That also shows that the rows which are left are in order. `SETUPS` brings what might not be there any more.
    """
    for verb in {verb for verb in VERBS if verb.__name__ not in done}:
        for _ in range(AGAIN):
            for setup in SETUPS.get(verb, ()):
                act_alone(setup, world, dice)
            if act_alone(verb, world, dice):
                done[verb.__name__] += 1
                break


def act_alone(verb: Callable[[World, random.Random], None], world: World, dice: random.Random) -> bool:
    try:
        verb(world, dice)
    except (Refused, ObjectDoesNotExist, ValidationError):
        return False
    return True


def request(url: str, api_key: str, dice: random.Random) -> dict[str, str]:
    sent = {"license_key": dice.choice(TEXTS), "identifier": dice.choice(HOSTS), "email": dice.choice(EMAILS)}
    sent["idempotency_key"] = str(dice.randrange(20)) if dice.random() < 0.5 else str(dice.random())
    endpoint = dice.choice(["activate", "deactivate", "assign-license-key", "assign-and-activate-license-key"])
    return {"url": url, "endpoint": endpoint, "api_key": api_key, **sent}


def deadlocks(callers) -> int:
    """How many there were in this database. A session tells at most once a second, with the next thing that it does."""
    if not ON_POSTGRESQL:
        return 0
    time.sleep(1.1)
    callers([Job(look, {})] * 60)
    return look()


def look() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks, pg_sleep(0.005) FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def broken_rules() -> list[str]:
    live = Count("activations", filter=Q(activations__deactivated_at=None))
    keys = LicenseKey.objects.annotate(live=live)
    broken = {
        "an activation limit": keys.filter(activation_limit__gt=0, live__gt=F("activation_limit")),
        "no activation without an assignment": keys.exclude(status="assigned").filter(live__gt=0),
        "a quota": Contract.objects.annotate(used=Count("license_keys")).filter(used__gt=F("license_keys_quantity")),
    }
    found = [name for name, rows in broken.items() if rows.exists()]
    active = SigningKey.objects.filter(status="active", product=None).count()
    return found + wrong_history(keys) + ([] if active == 1 else [f"{active} active global signing keys"])


def wrong_history(keys: Any) -> list[str]:
    """Of each license key, as many activations began as ended or live: the audit and the rows are of one mind."""
    found = []
    for key in keys:
        events = AuditEvent.objects.filter(object_type="licensekey", object_id=key.pk)
        began = events.filter(kind=Kind.ACTIVATION_ACTIVATED).count()
        if began - events.filter(kind=Kind.ACTIVATION_DEACTIVATED).count() != key.live:
            found.append(f"the history of {key}")
    return found
