"""A portal after five weeks of trade: many license keys, owners, refusals, and runs of everything in every state.

What services do in production, they do here, on the days on which it would have happened.
"""

import random
from datetime import UTC, datetime, timedelta

import time_machine
from django.contrib.auth.models import Group, User

from licenses.codes import Code
from licenses.models import Activation, Actor, Assignment, BlockListEntry, Capability, Door, LicenseKey, Product, Worker
from licenses.services import refused_calls
from licenses.services.activations import activate_license, deactivate_license
from licenses.services.api_keys import create_api_key
from licenses.services.assignment_jobs import check_assignment, pause_assignment, start_assignment, undo_assignment
from licenses.services.license_keys import assign_license_key, block_license_key, extend_license_key
from licenses.services.metadata import create_metadata
from licenses.services.records import save_record
from licenses.services.signing_keys import create_signing_key, mark_compromised
from licenses.services.stock import generate_license_keys
from licenses.services.telemetry import store_telemetry
from licenses.services.workers import see_worker
from licensing_portal import catalogue
from tests.audit import BY
from tests.bulk import ALL, uploaded, worked
from tests.factories import DownloadableFactory, QueuedAssignmentFactory

STAFF = Actor(Door.ADMIN, "mira", "203.0.113.20")
SHOP = Actor(Door.API, "Web shop (lp_5f3a9c1e…)", "203.0.113.7")
PROGRAM = Actor(Door.API, "Aurora Editor (lp_77b0d2e4…)", "198.51.100.24")
DAYS = 35
FIRST = (
    "Ada",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hiro",
    "Inés",
    "Jonas",
    "Karin",
    "Lena",
    "Mateo",
)
LAST = ("Ashworth", "Berger", "Conti", "Danilov", "Ersoy", "Fischer", "Okafor", "Haddad", "Ibarra", "Novák", "Sørensen")
REFUSALS = (
    (Code.ACTIVATION_LIMIT_REACHED, "activate", 14),
    (Code.LICENSE_KEY_EXPIRED, "verify", 9),
    (Code.NO_ACTIVATION_FOUND, "verify", 6),
    (Code.LICENSE_KEY_BLOCKED, "verify", 3),
    (Code.LICENSE_KEY_NOT_ASSIGNED, "activate", 2),
)
SEALED = {"response": {"code": 803}, "response_base64": "", "private_key_used": "global", "signature": ""}


def fill() -> LicenseKey:
    """Everything; returns the license key with most to see: all places taken, and refused at another."""
    chance, now = random.Random(7), datetime.now(UTC)
    with time_machine.travel(now - timedelta(days=DAYS)):
        _open_shop()
    for ago in range(DAYS - 1, -1, -1):
        with time_machine.travel(now - timedelta(days=ago, minutes=30)):
            _trade(chance, quiet=(now - timedelta(days=ago)).weekday() > 4)
    with time_machine.travel(now - timedelta(days=6)):
        _rotate()
    chosen = _customer_on_the_phone()
    refused_calls.flush()
    _runs(now)
    _deliveries()
    _the_rest(now)
    return chosen


def _open_shop() -> None:
    create_signing_key(product=None, actor=STAFF)
    catalogue.load(SHOP)
    for product, quantity in zip(Product.objects.order_by("pk"), (420, 260, 110), strict=True):
        days = 30 * product.pk if product.require_non_expired else 0
        generate_license_keys(product=product, quantity=quantity, activation_limit=2, validity_days=days, actor=STAFF)
    create_api_key(name="Web shop", capabilities=["assign-license-key"], allowed_networks=["203.0.113.7"], actor=STAFF)
    create_api_key(name="Aurora Editor", capabilities=["verify", "activate", "deactivate"], actor=STAFF)
    create_api_key(name="Reporting", capabilities=[*Capability.values][:12], actor=STAFF)


def _trade(chance: random.Random, *, quiet: bool) -> None:
    """A day: some are sold, most of them run somewhere, a few move, and some programs are refused."""
    stock = list(LicenseKey.objects.available().order_by("?").values_list("license_key", flat=True)[:14])
    for text in stock[: chance.randint(2, 5) if quiet else chance.randint(6, 13)]:
        name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
        mail = f"{name.replace(' ', '.').lower()}@{chance.choice(('example.com', 'example.org', 'studio.example'))}"
        assign_license_key(
            license_key=text,
            owner_name=name,
            owner_email=mail,
            reference=f"order {chance.randint(2000, 9000)}",
            actor=SHOP,
        )
        if chance.random() < 0.8:
            host = f"{name.split(maxsplit=1)[0].lower()}-{chance.choice(('laptop', 'desktop', 'studio'))}"
            activate_license(license_key=text, identifier=host, actor=PROGRAM)
            if chance.random() < 0.15:
                deactivate_license(license_key=text, identifier=host, actor=PROGRAM)
    sold = list(LicenseKey.objects.filter(status="assigned").order_by("?")[:8])
    if chance.random() < 0.4:
        extend_license_key(license_key=sold[0].license_key, days=365, actor=STAFF)
    if chance.random() < 0.2:
        block_license_key(license_key=sold[1].license_key, actor=STAFF)
    for code, endpoint, often in REFUSALS:
        for _ in range(chance.randint(0, often)):
            _refuse(code, endpoint, chance.choice(sold), f"host-{chance.randint(1, 40)}")


def _refuse(code: Code, endpoint: str, found: LicenseKey, identifier: str) -> None:
    refused_calls.count_refused(
        code,
        product_id=found.product_id,
        license_key=found.license_key,
        identifier=identifier,
        endpoint=endpoint,
        address="198.51.100.24",
        api_key="Aurora Editor",
    )


def _rotate() -> None:
    """The global key was replaced, one of a product got lost, and the next one is published."""
    create_signing_key(product=None, actor=STAFF)
    mark_compromised(
        signing_key=create_signing_key(product=Product.objects.last(), actor=STAFF),
        since=datetime.now(UTC),
        actor=STAFF,
    )
    create_signing_key(product=None, bits=3072, upcoming=True, actor=STAFF)


def _customer_on_the_phone() -> LicenseKey:
    text = LicenseKey.objects.available().filter(activation_limit=2, product__name="Aurora Editor")[0].license_key
    mail = "ada.ashworth@example.com"
    assign_license_key(
        license_key=text, owner_name="Ada Ashworth", owner_email=mail, reference="order 4711", actor=SHOP
    )
    for host in ("ada-studio", "ada-laptop"):
        activate_license(license_key=text, identifier=host, actor=PROGRAM)
        create_metadata(license_key=text, identifier=host, name=f"version on {host}", value="4.2.1", actor=PROGRAM)
    chosen = LicenseKey.objects.get(license_key=text)
    for _ in range(3):
        _refuse(Code.ACTIVATION_LIMIT_REACHED, "activate", chosen, "ada-new-laptop")
    return chosen


def _runs(now: datetime) -> None:
    """A bulk assignment in each of its states; the later ones are newer."""
    product = Product.objects.get(name="Aurora Editor")
    states = ("done", "undone", "paused", "ready", "uploaded", "running")
    for number, state in enumerate(states):
        with time_machine.travel(now - timedelta(days=5 * (len(states) - 1 - number))):
            _run(state, number, product)
    Assignment.objects.filter(state="running").update(due_at=now + timedelta(hours=1))  # a worker is at it


def _run(state: str, number: int, product: Product) -> None:
    rows = [f",buyer{n}@school{number}.example,Pupil {n},order {n}" for n in range(24)]
    run = uploaded(*rows, ",no address,,", "LOST-KEY,late@example.com,Late,", name=f"school-{number + 1}.csv")
    if state == "uploaded":
        return
    check_assignment(assignment=run, columns=ALL, product=product, again=False)
    run = worked(run)
    if state == "ready":
        return
    start_assignment(assignment=run, **BY)
    run = worked(run, batches=0 if state in ("done", "undone") else 1, size=10)
    if state == "paused":
        pause_assignment(assignment=run, **BY)
    if state == "undone":
        undo_assignment(assignment=run, **BY)
        worked(run)


def _deliveries() -> None:
    product, state = Product.objects.first(), None
    problems = {"failed": "The shop answered 500.", "uncertain": "No answer within 10 seconds."}
    for number, state in enumerate(["delivered"] * 6 + ["queued", "delivering", "uncertain", "failed"]):
        QueuedAssignmentFactory(
            product=product,
            quantity=1 + number % 3,
            state=state,
            envelope=None if state == "queued" else SEALED,
            code=None if state == "queued" else 803,
            identifier=f"order {5100 + number}",
            owner_email=f"buyer{number}@example.com",
            requested_by="Web shop",
            attempts=8 if state == "failed" else 1,
            problem=problems.get(state, ""),
        )


def _the_rest(now: datetime) -> None:
    for kind, value, reason in (
        ("address", "192.0.2.0/24", "Guesses license keys"),
        ("identifier", "cracked-build", "Shared license"),
    ):
        save_record(BlockListEntry(kind=kind, value=value, reason=reason), actor=STAFF)
    for release in Product.objects.first().releases.all():
        DownloadableFactory(release=release, file_name=f"aurora-{release.version}.exe")
    found = Activation.objects.live().select_related("license_key")[:12]
    for number, activation in enumerate(found):
        store_telemetry(sent=_report(activation, number), actor=PROGRAM)
    for name, role in (("mira", "License manager"), ("tom", "Support"), ("vera", "Auditor")):
        user = User.objects.create_user(name, f"{name}@example.com", first_name=name.title(), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
    see_worker(name="portal-1:412", doing="Bulk assignments", is_new=True)
    Worker.objects.update(started_at=now - timedelta(days=3))


def _report(activation: Activation, number: int) -> dict[str, object]:
    return {
        "data_type": "numeric-single-value",
        "numeric_data_single_value": 10 + number,
        "data_group": "starts",
        "user_identifier": activation.identifier,
        "license_key": activation.license_key.license_key if number % 4 else "unknown",
        "product_id": activation.license_key.product_id,
        "product_version": "4.2.1",
    }
