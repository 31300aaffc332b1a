from django.db import models
from django.db.models import Q


class Product(models.Model):
    """Something the vendor sells under license keys."""

    class Source(models.TextChoices):
        INTERNAL = "internal", "Internal"
        ENVATO = "envato", "Envato"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"

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
        help_text="License keys of an inactive product are answered with 203 and stop working.",
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
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "pk")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("active", "inactive")),
                name="product_status_valid",
                violation_error_message="A product is active or inactive.",
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
