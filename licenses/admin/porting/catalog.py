"""The spreadsheets of products and what belongs to them: how a row finds its record, and its service."""

from typing import Any

from django.core.exceptions import ValidationError

from licenses.admin.porting.cells import ChoiceCell, FlagCell, JsonCell, LongTextCell, MomentCell, NumberCell, UuidCell
from licenses.admin.porting.columns import FEATURES, LIMIT, PRODUCT, VALIDITY, product_cell
from licenses.admin.porting.resources import Column, PortableResource
from licenses.models import Generator, Product, ProductMetadata, Release
from licenses.services.generators import save_generator
from licenses.services.products import create_product

LONGEST_ID = 18  # digits


class ProductResource(PortableResource):
    uuid = Column("uuid", "Names the product for ever. Empty for a new product.", UuidCell(), identity=True)
    slug = Column("slug", "Its name in addresses: photo-editor. Names the product where there is no UUID.")
    name = Column("name", "Shown to staff and customers.")
    description = Column("description", "Free text.", LongTextCell())
    status = Column("status", "active or inactive. Default active.", ChoiceCell())
    source = Column("source", "internal or envato. Default internal.", ChoiceCell())
    external_reference = Column("external_reference", "Its number in the shop.")
    require_non_expired = Column("require_non_expired", "yes: refuse expired license keys. Default yes.", FlagCell())
    post_url = Column("post_url", "Sent in license key details.")
    changelog_enabled = Column("changelog_enabled", "yes: the changelog is public. Default no.", FlagCell())
    features = Column("features", FEATURES, JsonCell())
    created_at = Column("created_at", "When it was made.", MomentCell(), fixed=True)

    needs = ("name",)
    identity = ("uuid", "slug")
    most_rows = 100  # each new one may get a pair of keys of its own, which takes a while
    larger = "Split it."
    note = "A row with a UUID or a slug that is known changes that product; any other makes a new one."

    class Meta:
        model = Product

    def find(self, row: dict[str, str]) -> Product | None:
        uuid, slug = row.get("uuid", "").strip(), row.get("slug", "").strip()
        if not (uuid or slug):
            raise ValidationError({"slug": "Give a slug or a UUID: by these the product is found the next time."})
        wanted = {"uuid": self.cleaned("uuid", row)} if uuid else {"slug": slug}
        return Product.objects.filter(**wanted).first()

    def save(self, instance: Any, changed: list[str], *, dry_run: bool) -> None:
        if instance.is_deleted and (instance._state.adding or "status" in changed):
            raise ValidationError({"status": "Delete a product with the action of its list."})
        if not instance._state.adding:
            return super().save(instance, changed, dry_run=dry_run)
        values = {name: getattr(instance, name) for name in self.fields if name != "created_at"}
        create_product(own_signing_key=False if dry_run else None, actor=self._actor, **values)
        return None


class ProductMetadataResource(PortableResource):
    product = Column("product", PRODUCT, product_cell(), identity=True)
    name = Column("name", "The name of the value.", identity=True)
    value = Column("value", "The value.", LongTextCell())

    needs = ("product", "name", "value")
    identity = ("product", "name")
    related = ("product",)
    larger = "Split it."

    class Meta:
        model = ProductMetadata

    def find(self, row: dict[str, str]) -> ProductMetadata | None:
        name = self.cleaned("name", row)
        return ProductMetadata.objects.filter(product=self.cleaned("product", row), name=name).first()


class GeneratorResource(PortableResource):
    generator = Column("pk", "Its number, which names it. Empty for a new one.", name="generator", fixed=True)
    product = Column("product", PRODUCT, product_cell(), identity=True)
    method = Column("method", "uuid, chunk-system or custom. Default uuid; cannot be changed.", ChoiceCell())
    prefix = Column("prefix", "Before every license key.", LongTextCell())
    suffix = Column("suffix", "After every license key.", LongTextCell())
    charset = Column("charset", "Of chunk-system: the characters, each once.", LongTextCell())
    number_of_chunks = Column("number_of_chunks", "Of chunk-system.", NumberCell())
    chunk_length = Column("chunk_length", "Of chunk-system.", NumberCell())
    separator = Column("separator", "Between two chunks.", LongTextCell())
    function_name = Column("function_name", "Of custom: one of LICENSE_KEY_FUNCTIONS.")
    activation_limit = Column("activation_limit", LIMIT, NumberCell())
    validity_days = Column("validity_days", VALIDITY, NumberCell())
    is_active = Column("is_active", "yes or no. Default yes.", FlagCell())
    created_at = Column("created_at", "When it was made.", MomentCell(), fixed=True)

    needs = ("product",)
    identity = ("generator",)
    related = ("product",)
    larger = "Split it."
    note = "A row without a number makes a new generator. One with a number must name that generator's own product."

    class Meta:
        model = Generator

    def find(self, row: dict[str, str]) -> Generator | None:
        product, number = self.cleaned("product", row), row.get("generator", "").strip()
        if not number:
            return None
        known = number.isascii() and number.isdecimal() and len(number) <= LONGEST_ID
        found = Generator.objects.select_related("product").filter(pk=int(number), product=product) if known else ()
        if not found:
            raise ValidationError({"generator": "This product has no such generator. Leave it empty for a new one."})
        return found[0]

    def save(self, instance: Any, changed: list[str], *, dry_run: bool) -> None:
        save_generator(instance, changed_fields=changed, actor=self._actor)


class ReleaseResource(PortableResource):
    product = Column("product", PRODUCT, product_cell(), identity=True)
    version = Column("version", "As customers see it: 1.0.2. Names the release, with the product.", identity=True)
    released_at = Column("released_at", "The release date: 2027-01-31.", MomentCell())
    is_published = Column("is_published", "yes: customers may list and download it. Default no.", FlagCell())
    update_summary = Column("update_summary", "One sentence for the update notice.", LongTextCell())
    changelog = Column("changelog", "What changed.", LongTextCell())
    created_at = Column("created_at", "When it was added.", MomentCell(), fixed=True)

    needs = identity = ("product", "version")
    related = ("product",)
    larger = "Split it."
    note = "Files are added on the page of the release; a spreadsheet has only what is said about it."

    class Meta:
        model = Release

    def find(self, row: dict[str, str]) -> Release | None:
        version = self.cleaned("version", row)
        found = Release.objects.select_related("product")
        return found.filter(product=self.cleaned("product", row), version=version).first()
