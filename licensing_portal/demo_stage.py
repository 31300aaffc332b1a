"""What the documented requests find in the portal of `make demo`: the rows that docs/protocol/examples.json names."""

from datetime import UTC, datetime, timedelta

from django.core.files.base import ContentFile
from django.utils import timezone

from licenses.models import (
    Actor,
    BlockListEntry,
    Capability,
    Door,
    Downloadable,
    Generator,
    Product,
    ProductMetadata,
    Release,
    SigningKey,
)
from licenses.models.license_keys import UNLIMITED
from licenses.services.api_keys import create_api_key, revoke_api_key
from licenses.services.license_keys import assign_license_key, block_license_key, update_license_key
from licenses.services.products import create_product
from licenses.services.records import save_record
from licenses.services.releases import save_downloadable
from licenses.services.stock import StockRow, import_batch

ACTOR = Actor(Door.COMMAND, "make demo")
MANY, ONE = "3a343c8a-38fe-4b6e-ad77-2222222", "9cc2cc83-4c74-49f9-98f5-f0e1c1eb1541"
BLOCKED, EXPIRED = "19d4c2a0-b2ee-47a9-9fa7-f8befcc142fd", "CUSTOM-91536fe6-aabf-4ac1-8a60-627830c718b0"
OF_INACTIVE_PRODUCT = "65a90cff-8da2-4820-9c9a-a13a041891fd"


def set_products() -> list[SigningKey]:
    """Products and their license keys; returns every key that signs answers."""
    product = create_product(name="Test Product", description="Test product that has it's own private key", actor=ACTOR)
    for name, value in (("test-key", "test value x"), ("test-key-2", "test value x2")):
        metadata = ProductMetadata(product=product, name=name, value=value)
        save_record(metadata, actor=ACTOR)
    _set_license_keys(product)
    _set_releases(product)
    save_record(Generator(product=product, activation_limit=1, validity_days=365), actor=ACTOR)
    save_record(BlockListEntry(kind=BlockListEntry.Kind.IDENTIFIER, value="blocked.ltd"), actor=ACTOR)
    return list(SigningKey.objects.all())


def _set_releases(product: Product) -> None:
    for version, changelog in (("1.0.1", "Minor bug fixes"), ("1.0.2", "Bugfixes")):
        released_at = datetime(2024, 2, 27, tzinfo=UTC)
        release = Release(product=product, version=version, update_summary="Bugfixes", changelog=changelog)
        release.is_published, release.released_at = True, released_at
        save_record(release, actor=ACTOR)
        file = ContentFile(b"A file to download.\n", name="test-product.txt")
        save_downloadable(downloadable=Downloadable(release=release, file=file), actor=ACTOR)


def _set_license_keys(product: Product) -> None:
    rows = [StockRow(line, text, activation_limit=1) for line, text in enumerate((ONE, BLOCKED, EXPIRED))]
    import_batch(rows=[StockRow(3, MANY, activation_limit=UNLIMITED), *rows], product=product, actor=ACTOR)
    block_license_key(license_key=BLOCKED, actor=ACTOR)
    assign_license_key(license_key=EXPIRED, actor=ACTOR)
    yesterday = timezone.now() - timedelta(days=1)
    update_license_key(license_key=EXPIRED, changes={"expires_at": yesterday}, actor=ACTOR)
    inactive = create_product(name="Former Product", status=Product.Status.INACTIVE, actor=ACTOR)
    import_batch(rows=[StockRow(0, OF_INACTIVE_PRODUCT)], product=inactive, actor=ACTOR)
    assign_license_key(license_key=OF_INACTIVE_PRODUCT, actor=ACTOR)


def make_api_keys() -> dict[str, str]:
    """The texts of API keys: one for everything and one for each reason to be refused."""
    everything = Capability.values
    inactive, inactive_text = create_api_key(name="Revoked", capabilities=everything, actor=ACTOR)
    revoke_api_key(api_key=inactive, actor=ACTOR)
    return {
        "api_key": create_api_key(name="Demo", capabilities=everything, actor=ACTOR)[1],
        "inactive_api_key": inactive_text,
        "limited_api_key": create_api_key(name="Limited", capabilities=[Capability.ACTIVATE], actor=ACTOR)[1],
        "distant_api_key": create_api_key(
            name="Distant", capabilities=everything, allowed_networks=["192.0.2.0/24"], actor=ACTOR
        )[1],
    }
