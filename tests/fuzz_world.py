"""The rows that the fuzzer's requests are about, and what must hold of the database afterwards."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.core.management import CommandError, call_command, get_commands
from django.db.models import Count, F, Q
from django.utils import timezone

from licenses.models import (
    Activation,
    Capability,
    Contract,
    LicenseKey,
    LicenseKeyMetadata,
    ProductMetadata,
    Profile,
    SigningKey,
)
from licenses.services.api_keys import create_api_key
from licenses.services.products import create_product
from licenses.services.signing_keys import create_signing_key
from settings_api.parameters import TABLE
from tests.factories import (
    ACTOR,
    ActivationFactory,
    ContractFactory,
    DownloadableFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    ReleaseFactory,
)

LICENSE_KEYS = 60  # of each product


def make_world() -> dict[str, list[Any]]:
    """Rows of every kind; returns by the name of a parameter the values that are good for it."""
    create_signing_key(product=None, actor=ACTOR)
    found: dict[str, list[Any]] = defaultdict(list)
    for number in range(4):
        _add_product(found, number)
    found["api_key"], found["bad_api_key"] = _api_keys(), ["", "lp_unknown", "lp_" + "A" * 43, *_useless_api_keys()]
    found["setting"] = [parameter.name for parameter in TABLE]
    found["status"] = ["available", "assigned", "reserved", "blocked", "active", "inactive"]
    found["license_keys"] = [["FRESH-1", "FRESH-2"], '["FRESH-3"]', ["FRESH-1"] * 3, []]
    found["features"] = [{"seats": 5}, {"export": True}, "{}"]
    found["data_type"] = ["numeric-single-value", "numeric-xy-axis", "text"]
    found["webhook_url"] = found["post_url"] = ["https://shop.example/?webhook=1", "http://127.0.0.1/", "ftp://x"]
    for name in ("quantity", "page", "validity", "activation_limit", "license_keys_quantity", "items_per_page"):
        found[name] = [1, "2", 3, 50, 0]
    return dict(found)


def _add_product(found: dict[str, list[Any]], number: int) -> None:
    product = create_product(
        name=f"Product {number}",
        description="For the fuzzer",
        slug=f"product-{number}",
        changelog_enabled=True,
        actor=ACTOR,
    )
    found["product_id"] += [product.pk, str(product.uuid), product.slug]
    found["slug"].append(product.slug)
    found["generator_id"].append(GeneratorFactory(product=product).pk)
    DownloadableFactory(release=ReleaseFactory(product=product))
    contract = ContractFactory(product=product, license_keys_quantity=50)
    found["contract_key"].append(contract.contract_key)
    found["contract_id"].append(contract.pk)
    keys = LicenseKeyFactory.create_batch(LICENSE_KEYS, product=product)
    keys += LicenseKeyFactory.create_batch(LICENSE_KEYS, product=product, assigned=True, activation_limit=number)
    keys += [LicenseKeyFactory(product=product, expired=True), LicenseKeyFactory(product=product, status="blocked")]
    found["license_key"] += [key.license_key for key in keys]
    for key in keys[LICENSE_KEYS : LICENSE_KEYS + 20]:
        found["identifier"].append(ActivationFactory(license_key=key).identifier)
        found["owner_email"].append(key.owner.email)
        LicenseKeyMetadata.objects.create(license_key=key, name="name", value="value")
    ProductMetadata.objects.create(product=product, name="name", value="value")
    found["key"], found["value"] = ["name", "new"], ["value", "another"]


def _api_keys() -> list[str]:
    """One that may do everything for each profile; how others are refused is in the useless ones."""
    return [
        create_api_key(name=f"All, {profile}", capabilities=Capability.values, profile=profile, actor=ACTOR)[1]
        for profile in (Profile.DOCUMENTED, Profile.DOCUMENTED, Profile.SDK)
    ]


def _useless_api_keys() -> list[str]:
    elsewhere = {"allowed_networks": ["203.0.113.0/24"]}
    expired = {"expires_at": timezone.now() - timedelta(days=1)}
    return [
        create_api_key(name=f"Not here {number}", capabilities=capabilities, actor=ACTOR, **options)[1]
        for number, (capabilities, options) in enumerate(
            [(Capability.values, elsewhere), (Capability.values, expired), ([Capability.VERIFY], {})]
        )
    ]


def public_keys() -> dict[str, list[str]]:
    """What may have sealed an answer, by the envelope's label."""
    found: dict[str, list[str]] = {"global": [], "product": []}
    for key in SigningKey.objects.filter(status="active"):
        found["product" if key.product_id else "global"].append(key.public_key)
    return found


def broken_rules() -> list[str]:
    """What never may be and is: limits passed, activations of license keys that have none, quotas, the audit."""
    live = Count("activations", filter=Q(activations__deactivated_at=None))
    found = []
    over = LicenseKey.objects.annotate(live=live).filter(activation_limit__gt=0, live__gt=F("activation_limit"))
    found += [f"license key {key.pk} has {key.live} activations of {key.activation_limit}" for key in over]
    stray = Activation.objects.filter(deactivated_at=None).exclude(license_key__status="assigned")
    found += [f"activation {one.pk} is live on a license key that is {one.license_key.status}" for one in stray]
    held = Contract.objects.annotate(held=Count("license_keys")).filter(held__gt=F("license_keys_quantity"))
    found += [f"contract {one.pk} has {one.held} license keys of {one.license_keys_quantity}" for one in held]
    if "verify_audit" in get_commands():
        try:
            call_command("verify_audit", verbosity=0)
        except (CommandError, SystemExit) as error:
            found.append(f"the audit does not verify: {error}")
    return found
