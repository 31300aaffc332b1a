from typing import Any

from django.db import models

from licenses.models.indexes import PrefixIndex


class TelemetryRecord(models.Model):
    """What customers' software reports of itself. Kept as it was sent, malformed or not, and never changed."""

    class DataType(models.TextChoices):
        SINGLE_VALUE = "numeric-single-value", "A number"
        XY_AXIS = "numeric-xy-axis", "A point"
        TEXT = "text", "A text"

    data_type = models.CharField(max_length=255, blank=True)
    data_group = models.CharField(max_length=255, blank=True)
    data = models.TextField(blank=True, help_text="The number, the text, or a point as x,y.")
    user_identifier = models.CharField(max_length=255, blank=True)
    license_key = models.CharField(max_length=255, blank=True)
    activation_identifier = models.CharField(max_length=255, blank=True)
    product_id = models.BigIntegerField("product id", null=True, help_text="As it was sent; no such product may exist.")
    product_version = models.CharField(max_length=255, blank=True)
    extras: Any = models.JSONField(
        default=dict, help_text="Further fields that SDKs send: hwid, country, flags, metadata."
    )
    errors: Any = models.JSONField(default=dict, help_text="What was wrong with the format.")
    address = models.GenericIPAddressField("IP address", null=True)
    is_correct_format = models.BooleanField("correct format")
    license_key_exists = models.BooleanField()
    product_exists = models.BooleanField()
    product_version_exists = models.BooleanField()
    has_red_flags = models.BooleanField("red flags")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=("data_type", "data_group", "-id"), name="telemetry_by_group"),
            models.Index(fields=("has_red_flags", "-id"), name="telemetry_by_red_flags"),
            PrefixIndex(fields=("license_key",), name="telemetry_by_license_key"),
        ]

    def __str__(self) -> str:
        return f"{self.data_group or 'telemetry'} {self.pk}"
