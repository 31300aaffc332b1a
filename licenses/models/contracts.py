from django.db import models
from django.db.models import Q

from licenses.models.products import Product


class Contract(models.Model):
    """The right of a third party, a reseller for example, to generate a number of license keys of a product."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"

    contract_key = models.CharField(
        max_length=255, unique=True, help_text="The text by which its holder's programs name it."
    )
    name = models.CharField(max_length=255)
    information = models.TextField(help_text="With whom, about what, until when.")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="contracts")
    license_keys_quantity = models.PositiveIntegerField(
        "quota", help_text="How many license keys may exist under it; destroying one makes room again."
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    can_get_info = models.BooleanField("may read it", default=True)
    can_generate = models.BooleanField("may generate license keys", default=True)
    can_destroy = models.BooleanField("may destroy a license key", default=False)
    can_destroy_all = models.BooleanField("may destroy all its license keys", default=False)
    created_by = models.ForeignKey(
        "licenses.ApiKey", on_delete=models.SET_NULL, related_name="+", null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "pk")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("active", "inactive")),
                name="contract_status_valid",
                violation_error_message="A contract is active or inactive.",
            ),
            models.CheckConstraint(
                condition=Q(license_keys_quantity__gte=1),
                name="contract_quantity_at_least_one",
                violation_error_message="The quota of a contract is 1 or more.",
            ),
            models.CheckConstraint(
                condition=~Q(contract_key=""),
                name="contract_key_not_empty",
                violation_error_message="A contract key is not empty.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE
