from django.db import models
from django.db.models import Q

from licenses.models.products import Product


class Release(models.Model):
    """A version of a product: what changed, and the files to download."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="releases")
    version = models.CharField(max_length=64, help_text="As customers see it: 1.0.2.")
    update_summary = models.TextField(blank=True, help_text="One sentence for the update notice.")
    changelog = models.TextField(blank=True, help_text="What changed. Public where the product's changelog is.")
    is_published = models.BooleanField(
        "published", default=False, help_text="Only a published release is listed and downloaded."
    )
    released_at = models.DateTimeField("release date")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-released_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=("product", "version"),
                name="release_one_per_version",
                violation_error_message="This product has a release of this version already.",
            ),
            models.CheckConstraint(
                condition=~Q(version=""),
                name="release_version_not_empty",
                violation_error_message="A version is not empty.",
            ),
        ]
        indexes = [models.Index(fields=("product", "-released_at", "-id"), name="release_newest_first")]

    def __str__(self) -> str:
        return f"{self.product} {self.version}"

    @property
    def numeric_version(self) -> int:
        """The digits of the version, read as one number: 1.0.2 is 102. The protocol's; it does not sort."""
        return int("".join(character for character in self.version if character in "0123456789")[:15] or "0")


class Downloadable(models.Model):
    """One file of a release."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="downloadables")
    file = models.FileField(max_length=255, upload_to="downloads/")
    file_name = models.CharField(max_length=150, help_text="The name that it is saved under by whoever downloads it.")
    download_counter = models.PositiveBigIntegerField("downloads", default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=("release", "file_name"),
                name="downloadable_one_per_name",
                violation_error_message="This release has a file of this name already.",
            )
        ]

    def __str__(self) -> str:
        return self.file_name
