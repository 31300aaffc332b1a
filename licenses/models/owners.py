from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Lower

from licenses.models.indexes import PrefixIndex


class OwnerQuerySet(models.QuerySet["Owner"]):
    def with_email(self, email: str) -> "OwnerQuerySet":
        """Owners with this e-mail address whatever its case, as the constraint compares it."""
        return self.with_emails([Lower(Value(email))])

    def with_emails(self, folded: Iterable[Any]) -> "OwnerQuerySet":
        """Owners with any of these addresses, given as the database's LOWER writes them."""
        # Without the second condition the index of the constraint, which leaves empty addresses out, is not used
        return self.alias(email_folded=Lower("email")).filter(email_folded__in=folded).exclude(email="")


class Owner(models.Model):
    """Who a license key is assigned to: one row per e-mail address, compared without case."""

    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(
        "e-mail address",
        max_length=254,
        blank=True,
        help_text="One owner per address. Empty for a buyer whose shop sends none.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OwnerQuerySet.as_manager()

    class Meta:
        ordering = ("email", "pk")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~Q(email=""),
                name="owner_one_per_email",
                violation_error_message="There is an owner with this e-mail address already.",
            )
        ]
        indexes = [
            PrefixIndex(Lower("email"), name="owner_by_email"),
            PrefixIndex(Lower("name"), name="owner_by_name"),
        ]

    def __str__(self) -> str:
        return self.email or self.name or f"Owner {self.pk}"
