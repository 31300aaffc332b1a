from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from licenses.models.contracts import Contract
from licenses.models.owners import Owner
from licenses.models.products import Product, validate_features

UNLIMITED = 0  # an `activation_limit` of 0 sets no limit
NEVER_EXPIRES = 0  # a `validity_days` of 0 sets no expiry
MASKABLE_LENGTH = 16  # a shorter text would give too much away with its last four characters
SILENT_DAYS = 14  # without an activation or a verification
MAX_VALIDITY_DAYS = 36_525  # a hundred years; more would overflow a date


def masked(text: str) -> str:
    """Enough of a secret to recognise it, not enough to use it."""
    return f"…{text[-4:]}" if len(text) >= MASKABLE_LENGTH else "…"


class LicenseKeyQuerySet(models.QuerySet["LicenseKey"]):
    def available(self) -> "LicenseKeyQuerySet":
        """The stock: what may be given to anybody. Available keys of a contract are its holder's to give."""
        return self.filter(status=LicenseKey.Status.AVAILABLE, contract=None)

    def expiring(self, *, after: datetime, before: datetime) -> "LicenseKeyQuerySet":
        """Assigned keys that are not expired at `after` and will be at `before`."""
        return self.filter(status=LicenseKey.Status.ASSIGNED, expires_at__gt=after, expires_at__lte=before)

    def in_force(self, at: datetime) -> "LicenseKeyQuerySet":
        """Assigned keys that are not expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), status=LicenseKey.Status.ASSIGNED)

    def silent(self, at: datetime, *, days: int) -> "LicenseKeyQuerySet":
        """Assigned keys that expire within so many days, and whose software was not heard of for a fortnight."""
        since = at - timedelta(days=SILENT_DAYS)
        calls = apps.get_model("licenses.Activation")._default_manager.filter(license_key=OuterRef("pk"))
        heard_of = calls.filter(Q(last_verified_at__gte=since) | Q(activated_at__gte=since))  # one look at each row
        return self.expiring(after=at, before=at + timedelta(days=days)).filter(~Exists(heard_of))

    def expired(self, at: datetime) -> "LicenseKeyQuerySet":
        return self.filter(status=LicenseKey.Status.ASSIGNED, expires_at__lte=at)


class LicenseKey(models.Model):
    """The text a customer types in, with its state. Expired is not a state: it follows from `expires_at`."""

    class Status(models.TextChoices):
        AVAILABLE = "available", "Available"
        ASSIGNED = "assigned", "Assigned"
        RESERVED = "reserved", "Reserved"
        BLOCKED = "blocked", "Blocked"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="license_keys")
    license_key = models.CharField(max_length=255, unique=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.AVAILABLE)
    owner = models.ForeignKey(Owner, on_delete=models.PROTECT, related_name="license_keys", null=True, blank=True)
    activation_limit = models.PositiveIntegerField(
        default=1, help_text="How many identifiers may be active at the same time; 0 means unlimited."
    )
    validity_days = models.PositiveIntegerField(
        "validity",
        default=NEVER_EXPIRES,
        help_text="Days from assignment to expiry; 0 means it never expires.",
    )
    assigned_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    reference = models.CharField(
        max_length=255,
        blank=True,
        db_index=True,
        help_text="The vendor's own note, an order number for example.",
    )
    contract = models.ForeignKey(
        Contract,
        on_delete=models.PROTECT,
        related_name="license_keys",
        null=True,
        blank=True,
        db_index=False,  # the partial index below is a fraction of the size: few license keys have one
        help_text="The contract that it was generated under, if any.",
    )
    features: Any = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        validators=[validate_features],
        help_text="What it allows, where that differs from its product's features.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = LicenseKeyQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("available", "assigned", "reserved", "blocked")),
                name="license_key_status_valid",
                violation_error_message="A license key is available, assigned, reserved or blocked.",
            ),
            models.CheckConstraint(
                condition=(
                    Q(status="assigned", owner__isnull=False, assigned_at__isnull=False)
                    | Q(status__in=("available", "reserved"), owner__isnull=True, assigned_at__isnull=True)
                    | Q(status="blocked", owner__isnull=False, assigned_at__isnull=False)
                    | Q(status="blocked", owner__isnull=True, assigned_at__isnull=True)
                ),
                name="license_key_owner_and_date_when_assigned",
                violation_error_message="A license key has an owner and a date exactly when it is assigned.",
            ),
            models.CheckConstraint(
                condition=Q(assigned_at__isnull=False) | Q(expires_at__isnull=True),
                name="license_key_expires_only_when_assigned",
                violation_error_message="A license key without an owner has no expiry yet.",
            ),
            models.CheckConstraint(
                condition=~Q(license_key=""),
                name="license_key_not_empty",
                violation_error_message="A license key is not empty.",
            ),
            models.CheckConstraint(
                condition=Q(validity_days__lte=MAX_VALIDITY_DAYS),
                name="license_key_validity_at_most_a_century",
                violation_error_message=f"The validity is at most {MAX_VALIDITY_DAYS} days.",
            ),
        ]
        indexes = [
            models.Index(fields=("product", "status", "id"), name="license_key_pool"),
            models.Index(fields=("status", "id"), name="license_key_by_status"),
            models.Index(F("expires_at"), name="license_key_by_expiry", condition=Q(status="assigned")),
            models.Index(
                fields=("contract", "id"), name="license_key_by_contract", condition=Q(contract__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.license_key

    @property
    def masked(self) -> str:
        """For logs and audit rows."""
        return masked(self.license_key)

    @property
    def is_assigned(self) -> bool:
        return self.status == self.Status.ASSIGNED

    @property
    def is_blocked(self) -> bool:
        return self.status == self.Status.BLOCKED

    def is_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at

    def expiry_from(self, assigned_at: datetime) -> datetime | None:
        """When the key expires if it is assigned at `assigned_at`; None for never."""
        if self.validity_days == NEVER_EXPIRES:
            return None
        return assigned_at + timedelta(days=self.validity_days)

    @property
    def allowed_features(self) -> dict[str, Any]:
        """What software may do under this license key: the product's features, changed by its own."""
        return {**self.product.features, **self.features}

    def has_room_for(self, live_activations: int) -> bool:
        """Whether one more activation fits beside `live_activations` of them."""
        return self.activation_limit == UNLIMITED or live_activations < self.activation_limit


class LicenseKeyMetadata(models.Model):
    """A named value known about a license key, written by customers' software or by staff."""

    license_key = models.ForeignKey(LicenseKey, on_delete=models.CASCADE, related_name="metadata")
    name = models.CharField(max_length=255)
    value = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("pk",)
        verbose_name = verbose_name_plural = "license key metadata"
        constraints = [
            models.UniqueConstraint(
                fields=("license_key", "name"),
                name="license_key_metadata_one_per_name",
                violation_error_message="This license key has metadata of this name already.",
            )
        ]

    def __str__(self) -> str:
        return self.name
