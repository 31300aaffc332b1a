from django.db import models
from django.db.models import Q

from licenses.models.indexes import PrefixIndex
from licenses.models.license_keys import LicenseKey


class ActivationQuerySet(models.QuerySet["Activation"]):
    def live(self) -> "ActivationQuerySet":
        return self.filter(deactivated_at__isnull=True)


class Activation(models.Model):
    """Where a license key runs: one row per identifier, kept with its dates after deactivation."""

    license_key = models.ForeignKey(LicenseKey, on_delete=models.CASCADE, related_name="activations")
    identifier = models.CharField(max_length=255, help_text="A domain or hardware id, compared exactly.")
    activated_at = models.DateTimeField()
    deactivated_at = models.DateTimeField(null=True, blank=True)
    last_verified_at = models.DateTimeField(
        null=True, blank=True, help_text="The last successful verification, to the hour."
    )
    address = models.GenericIPAddressField("IP address", null=True, blank=True)
    post_url = models.CharField("post URL", max_length=2000, blank=True)

    objects = ActivationQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=("license_key", "identifier"),
                name="activation_one_per_key_and_identifier",
                violation_error_message="This identifier is known to this license key already.",
            ),
            models.CheckConstraint(
                condition=~Q(identifier=""),
                name="activation_identifier_not_empty",
                violation_error_message="An identifier is not empty.",
            ),
        ]
        indexes = [
            PrefixIndex(fields=("identifier",), name="activation_by_identifier"),
            models.Index(
                fields=("license_key",),
                name="activation_live",
                condition=Q(deactivated_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.identifier

    @property
    def is_live(self) -> bool:
        return self.deactivated_at is None
