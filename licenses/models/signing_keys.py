from django.db import models
from django.db.models import F, Q

from licenses.models.products import Product

RSA_BITS = (2048, 3072, 4096)  # of keys that are made here; one that is brought along may lie between


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    def active_of(self, product: Product | None) -> "SigningKey | None":
        """The active key that belongs to this product, or the global one for None."""
        return self.filter(product=product, status=SigningKey.Status.ACTIVE).first()

    def upcoming_of(self, product: Product | None) -> "SigningKey | None":
        """The key that is published and will sign next."""
        return self.filter(product=product, status=SigningKey.Status.UPCOMING).first()

    def in_use(self, product_id: int | None) -> "SigningKeyQuerySet":
        """The active key of this product, if it has one of its own, and then the global one."""
        active = self.filter(Q(product=product_id) | Q(product=None), status=SigningKey.Status.ACTIVE)
        return active.order_by(F("product").asc(nulls_last=True))

    def signing_for(self, product_id: int | None) -> "SigningKey | None":
        """The key that signs answers about this product: its own active one, else the global one."""
        return self.in_use(product_id).first()


class SigningKey(models.Model):
    """An RSA key pair that seals answers, for one product or (without a product) for all the others.

    It is published as upcoming before it signs, and stays published when it has retired: old signatures stay valid. Of
    a compromised one, what was signed from `compromised_at` on is not to be trusted. One that came here in use, or
    retired, has no `activated_at`: it signed elsewhere before, and nobody here knows since when.
    """

    class Status(models.TextChoices):
        UPCOMING = "upcoming", "Upcoming"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"
        COMPROMISED = "compromised", "Compromised"

    product = models.ForeignKey(
        Product,
        on_delete=models.PROTECT,
        related_name="signing_keys",
        null=True,
        blank=True,
        help_text="Empty for the global signing key.",
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    bits = models.PositiveSmallIntegerField()
    public_key = models.TextField(help_text="PEM. Customers' software verifies answers with it.")
    private_key_locked = models.BinaryField(
        help_text="Encrypted with the first of VAULT_KEYS; the database alone cannot sign."
    )
    fingerprint = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the public key.")
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True, help_text="When it began to sign.")
    retired_at = models.DateTimeField(null=True, blank=True, help_text="When it ceased to sign.")
    compromised_at = models.DateTimeField(
        null=True, blank=True, help_text="What it signed from this moment on is not to be trusted."
    )

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=("status",),
                condition=Q(status="active", product__isnull=True),
                name="signing_key_one_active_global",
                violation_error_message="There is an active global signing key already.",
            ),
            models.UniqueConstraint(
                fields=("product",),
                condition=Q(status="active"),
                name="signing_key_one_active_per_product",
                violation_error_message="This product has an active signing key already.",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("upcoming", "active", "retired", "compromised")),
                name="signing_key_status_valid",
                violation_error_message="A signing key is upcoming, active, retired or compromised.",
            ),
            models.CheckConstraint(
                condition=Q(bits__gte=2048, bits__lte=4096),
                name="signing_key_bits_valid",
                violation_error_message="A signing key has 2048 to 4096 bits.",
            ),
            models.UniqueConstraint(
                fields=("status",),
                condition=Q(status="upcoming", product__isnull=True),
                name="signing_key_one_upcoming_global",
                violation_error_message="There is an upcoming global signing key already.",
            ),
            models.UniqueConstraint(
                fields=("product",),
                condition=Q(status="upcoming"),
                name="signing_key_one_upcoming_per_product",
                violation_error_message="This product has an upcoming signing key already.",
            ),
            models.CheckConstraint(
                condition=Q(status="compromised", compromised_at__isnull=False)
                | (~Q(status="compromised") & Q(compromised_at__isnull=True)),
                name="signing_key_compromised_since",
                violation_error_message="A compromised signing key, and no other, says since when.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} key {self.fingerprint[:12]}"

    @property
    def label(self) -> str:
        """What an answer's `private_key_used` says."""
        return "global" if self.product_id is None else "product"
