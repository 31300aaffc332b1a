import unicodedata
import uuid
from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

MAX_FEATURES = 100
LARGEST_NUMBER = 2**53  # beyond it JavaScript rounds, and databases give back other numbers than they got
FEATURE_VALUES = (bool, int, float, str)
# A slug stands where an id or a UUID may stand too, so it must look like neither
SLUG = RegexValidator(
    r"^(?![0-9]+$)(?![0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$)[a-z0-9]+(-[a-z0-9]+)*\Z",
    "A slug is made of small letters, digits and single hyphens, with a letter among them: photo-editor.",
)


def _is_storable(value: object) -> bool:
    """PostgreSQL takes neither NUL nor half a surrogate pair into JSON."""
    if isinstance(value, str):
        return not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
    return not isinstance(value, int | float) or abs(value) <= LARGEST_NUMBER


def validate_features(value: object) -> None:
    """Features are `{name: value}`: what software may do under a license key."""
    if not isinstance(value, dict) or len(value) > MAX_FEATURES:
        raise ValidationError(f'Features are a JSON object of at most {MAX_FEATURES} names: {{"export": true}}.')
    for name, one in value.items():
        if not (_is_storable(name) and _is_storable(one)):
            raise ValidationError("A feature holds a control character or a number that is out of range.")
        if not 1 <= len(name) <= 100 or not isinstance(one, FEATURE_VALUES) or len(str(one)) > 255:  # noqa: PLR2004
            raise ValidationError(
                f"The feature “{name[:100]}” is neither true or false, nor a number, nor a short text."
            )


class ProductQuerySet(models.QuerySet["Product"]):
    def offered(self) -> "ProductQuerySet":
        """All but the deleted ones: what programs may see and name."""
        return self.exclude(status=Product.Status.DELETED)

    def named(self, text: str) -> "Product | None":
        """The product that a program names by its id, its UUID or its slug; None when there is none."""
        if not (text.isascii() and text.isprintable() and text):
            return None
        if text.isdecimal() and len(text) <= 18:  # noqa: PLR2004  what a bigint surely holds
            return self.offered().filter(pk=int(text)).first()
        named = Q(slug=text)
        with suppress(ValueError):  # a slug of 32 hexadecimal digits reads as a UUID too
            named |= Q(uuid=uuid.UUID(text))
        return self.offered().filter(named).first()


class Product(models.Model):
    """Something the vendor sells under license keys."""

    class Source(models.TextChoices):
        INTERNAL = "internal", "Internal"
        ENVATO = "envato", "Envato"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"
        DELETED = "deleted", "Deleted"

    uuid = models.UUIDField("UUID", default=uuid.uuid4, unique=True, editable=False)
    slug = models.CharField(
        max_length=100, blank=True, validators=[SLUG], help_text="Its name in addresses: photo-editor. May stay empty."
    )
    name = models.CharField(max_length=255, help_text="Shown to staff and sent in license key details.")
    description = models.TextField(blank=True)
    source = models.CharField(max_length=16, choices=Source, default=Source.INTERNAL)
    external_reference = models.CharField(
        max_length=255, blank=True, help_text="The product's number in the shop it is sold in, if any."
    )
    status = models.CharField(
        max_length=16,
        choices=Status,
        default=Status.ACTIVE,
        help_text="License keys of an inactive or deleted product are answered with 203 and stop working. "
        "Programs no longer see a deleted product; its license keys and their history stay.",
    )
    require_non_expired = models.BooleanField(
        "refuse expired license keys",
        default=True,
        help_text="On: an expired license key is answered with 205. Off: it keeps working after its expiry.",
    )
    post_url = models.URLField(
        "post URL",
        max_length=2000,
        blank=True,
        help_text="Sent to customers' software in license key details.",
    )
    changelog_enabled = models.BooleanField(
        "public changelog", default=False, help_text="Anybody may read what its published releases changed."
    )
    features: Any = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_features],
        help_text='What its license keys allow unless they say otherwise: {"export": true, "seats": 5}.',
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("active", "inactive", "deleted")),
                name="product_status_valid",
                violation_error_message="A product is active, inactive or deleted.",
            ),
            models.UniqueConstraint(
                fields=("slug",),
                condition=~Q(slug=""),
                name="product_one_per_slug",
                violation_error_message="There is a product with this slug already.",
            ),
            models.CheckConstraint(
                condition=Q(source__in=("internal", "envato")),
                name="product_source_valid",
                violation_error_message="A product's source is internal or envato.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def is_deleted(self) -> bool:
        return self.status == self.Status.DELETED


class ProductMetadata(models.Model):
    """A named value known about a product, sent to customers' software with license key details."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="metadata")
    name = models.CharField(max_length=255)
    value = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("pk",)
        verbose_name = verbose_name_plural = "product metadata"
        constraints = [
            models.UniqueConstraint(
                fields=("product", "name"),
                name="product_metadata_one_per_name",
                violation_error_message="This product has metadata of this name already.",
            )
        ]

    def __str__(self) -> str:
        return self.name
