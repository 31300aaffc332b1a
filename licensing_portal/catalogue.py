"""The demonstration catalogue of a first run: fictional products and license keys in every state.

Whatever a service does in production is done by that service here, so that the audit trail is a real one.
"""

import uuid
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from licenses.models import Actor, Contract, Generator, LicenseKey, Product, ProductMetadata, Release
from licenses.services.activations import activate_license, deactivate_license
from licenses.services.contract_holders import generate_for_holder
from licenses.services.contracts import save_contract
from licenses.services.generators import save_generator
from licenses.services.license_keys import assign_license_key, block_license_key, update_license_key
from licenses.services.metadata import create_metadata
from licenses.services.products import create_product
from licenses.services.records import save_record
from licenses.services.stock import StockRow, generate_text, import_batch


class Plan(NamedTuple):
    """A fictional product, its terms, and how many of its license keys are in which state."""

    name: str
    description: str
    activation_limit: int
    validity_days: int
    require_non_expired: bool
    available: int
    reserved: int
    assigned: int
    expiring: int
    expired: int
    blocked: int


PLANS = (
    Plan("Aurora Editor", "A text editor that is bought once.", 2, 0, True, 10, 1, 6, 0, 0, 1),
    Plan("Borealis Sync", "Synchronisation by subscription.", 5, 365, True, 4, 1, 6, 3, 2, 1),
    Plan("Comet Fonts", "Fonts that stay usable after their support has ended.", 0, 365, False, 3, 0, 3, 0, 2, 0),
)
RELEASES = (
    ("4.2.1", "Opens files of 2 GB and more. Fixes a crash when the network goes away."),
    ("4.2.0", "Dark theme. Searches in all open files at once."),
)
OWNERS = ("Ada Ashworth", "Bruno Berger", "Chiara Conti", "Dmitri Danilov", "Elif Ersoy", "Inés Ibarra")


@transaction.atomic
def load(actor: Actor) -> None:
    """All of it or nothing. Nothing when there are products already: a catalogue of one's own stays as it is."""
    if Product.objects.exists():
        return
    for plan in PLANS:
        _offer(plan, actor=actor)


def spare_license_key() -> LicenseKey | None:
    """An available license key of the first demonstration product, to try the endpoints with."""
    return LicenseKey.objects.available().filter(product__name=PLANS[0].name).order_by("pk").first()


def _offer(plan: Plan, *, actor: Actor) -> None:
    product = create_product(
        name=plan.name,
        description=plan.description,
        require_non_expired=plan.require_non_expired,
        slug=slugify(plan.name),
        changelog_enabled=True,
        features={"export": True, "seats": max(plan.activation_limit, 1)},
        actor=actor,
    )
    metadata = ProductMetadata(product=product, name="edition", value="Professional")
    save_record(metadata, actor=actor)
    _stock(plan, product, actor=actor)
    _vary(plan, product, actor=actor)
    sold = plan.assigned + plan.expiring + plan.expired + plan.blocked
    texts = list(LicenseKey.objects.available().filter(product=product).values_list("license_key", flat=True)[:sold])
    for number, text in enumerate(texts):
        _sell(text, OWNERS[number % len(OWNERS)], machines=number % 3, actor=actor)
    for _ in range(plan.expiring):
        _set_expiry(texts.pop(), days=10, actor=actor)
    for _ in range(plan.expired):
        _set_expiry(texts.pop(), days=-7, actor=actor)
    for _ in range(plan.blocked):
        block_license_key(license_key=texts.pop(), actor=actor)


def _vary(plan: Plan, product: Product, *, actor: Actor) -> None:
    """What a vendor has beside license keys: a generator, releases with a public changelog, a reseller's contract."""
    terms = {"activation_limit": plan.activation_limit, "validity_days": plan.validity_days}
    save_generator(Generator(product=product, method=Generator.Method.CHUNK_SYSTEM, **terms), actor=actor)
    for age, (version, changelog) in enumerate(RELEASES):
        released_at = timezone.now() - timedelta(days=14 + 60 * age)
        release = Release(product=product, version=version, changelog=changelog, released_at=released_at)
        release.update_summary, release.is_published = changelog.partition(".")[0] + ".", True
        save_record(release, actor=actor)
    contract = Contract(
        product=product,
        name=f"Nordlicht Software, {plan.name}",
        information="Fictional reseller: may generate 25 license keys and sell them.",
        contract_key=str(uuid.uuid4()),
        license_keys_quantity=25,
    )
    save_contract(contract=contract, actor=actor)
    generate_for_holder(contract=contract, quantity=5, actor=actor)


def _stock(plan: Plan, product: Product, *, actor: Actor) -> None:
    """The license keys that the plan needs, available but for the reserved ones."""
    wanted = plan.available + plan.reserved + plan.assigned + plan.expiring + plan.expired + plan.blocked
    rows = [
        StockRow(
            line=number,
            license_key=generate_text(),
            activation_limit=plan.activation_limit,
            validity_days=plan.validity_days,
            status=LicenseKey.Status.RESERVED if number < plan.reserved else LicenseKey.Status.AVAILABLE,
        )
        for number in range(wanted)
    ]
    import_batch(rows=rows, product=product, actor=actor)


def _sell(license_key: str, owner: str, *, machines: int, actor: Actor) -> None:
    """Assign the license key and let it run on none, one or two machines, of which one was given up again."""
    first_name = owner.split(maxsplit=1)[0].lower()
    email = f"{first_name}@example.com"
    assign_license_key(license_key=license_key, owner_name=owner, owner_email=email, reference="Demo", actor=actor)
    identifiers = [f"{first_name}-{machine}.example.com" for machine in ("desk", "laptop")[:machines]]
    for identifier in identifiers:
        activate_license(license_key=license_key, identifier=identifier, actor=actor)
    for identifier in identifiers[:1]:
        create_metadata(license_key=license_key, identifier=identifier, name="app_version", value="4.2.1", actor=actor)
    for identifier in identifiers[1:]:
        deactivate_license(license_key=license_key, identifier=identifier, actor=actor)


def _set_expiry(license_key: str, *, days: int, actor: Actor) -> None:
    expires_at = timezone.now() + timedelta(days=days)
    update_license_key(license_key=license_key, changes={"expires_at": expires_at}, actor=actor)
