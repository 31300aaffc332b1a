import hashlib
import hmac
from datetime import datetime
from ipaddress import ip_address, ip_network

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models

from licenses.models.contracts import Contract

MOST_PER_MINUTE = 1_000_000
PREFIX_LENGTH = 11  # "lp_" and eight characters: identifies an API key, is no secret


class Capability(models.TextChoices):
    """What an API key may do: one row per endpoint, and two for the settings API."""

    VERIFY = "verify", "Verify license keys"
    ACTIVATE = "activate", "Activate license keys"
    DEACTIVATE = "deactivate", "Deactivate license keys"
    DEACTIVATE_ALL = "deactivate-all", "Deactivate license keys everywhere"
    GET_LICENSE_KEY_DETAILS = "get-license-key-details", "Read license key details"
    GET_LICENSE_KEY_FEATURE = "get-license-key-feature", "Read what a license key allows"
    GET_LICENSE_FILE = "get-license-file", "Get license files for offline use"
    ACCESS_DOWNLOADABLES = "access-downloadables", "List downloads"

    ASSIGN_LICENSE_KEY = "assign-license-key", "Assign license keys"
    ASSIGN_AND_ACTIVATE = "assign-and-activate-license-key", "Assign and activate license keys"
    RANDOM_ASSIGN = "random-assign-license-keys", "Assign license keys from stock"
    RANDOM_ASSIGN_QUEUED = "random-assign-license-keys-queued", "Assign license keys from stock, later"

    CREATE_LICENSE_KEYS = "create-license-keys", "Create license keys"
    UPDATE_LICENSE_KEY = "update-license-key", "Change license keys"
    DELETE_LICENSE_KEY = "delete-license-key", "Delete license keys"
    GET_LICENSE_KEYS = "get-license-keys", "List license keys"
    GET_AVAILABLE_COUNT = "get-available-license-keys-count", "Count available license keys"
    CREATE_LICENSE_KEY_META = "create-license-key-meta", "Create license key metadata"
    UPDATE_LICENSE_KEY_META = "update-license-key-meta", "Update license key metadata"
    DELETE_LICENSE_KEY_META = "delete-license-key-meta", "Delete license key metadata"

    CREATE_PRODUCT = "create-product", "Create products"
    UPDATE_PRODUCT = "update-product", "Change products"
    DELETE_PRODUCT = "delete-product", "Delete products"
    GET_ALL_PRODUCTS = "get-all-products", "List products"
    GET_PRODUCT = "get-product", "Read a product"
    GET_PRODUCT_PUBLIC_KEY = "get-product-public-key", "Read a product's public key"
    GET_PRODUCT_CHANGELOG = "get-product-changelog", "Read a product's changelog"
    GET_PRODUCT_META = "get-product-meta", "Read product metadata"
    CREATE_PRODUCT_META = "create-product-meta", "Create product metadata"
    UPDATE_PRODUCT_META = "update-product-meta", "Update product metadata"
    DELETE_PRODUCT_META = "delete-product-meta", "Delete product metadata"

    GET_ALL_GENERATORS = "get-all-generators", "List generators"
    GENERATE = "generate", "Generate license keys"

    GET_ALL_CONTRACTS = "get-all-contracts", "List contracts"
    CREATE_CONTRACT = "create-contract", "Create contracts"
    UPDATE_CONTRACT = "update-contract", "Change contracts"
    DELETE_CONTRACT = "delete-contract", "Delete contracts"
    CONTRACT_GET_INFO = "contracts/get-info", "Holder of a contract: read it"
    CONTRACT_GENERATE = "contracts/generate", "Holder of a contract: generate license keys"
    CONTRACT_DESTROY = "contracts/destroy", "Holder of a contract: destroy a license key"
    CONTRACT_DESTROY_ALL = "contracts/destroy-all", "Holder of a contract: destroy all its license keys"

    SEND_TELEMETRY_DATA = "send-telemetry-data", "Send telemetry"
    GET_TELEMETRY_DATA = "get-telemetry-data", "Read telemetry"

    READ_SETTINGS = "read-settings", "Read the portal's settings"
    CHANGE_SETTINGS = "change-settings", "Change the portal's settings"


class Profile(models.TextChoices):
    """How answers are shaped for the programs that use an API key (D19)."""

    DOCUMENTED = "documented", "Documented: the signed envelope and nothing else"
    SDK = "sdk", "SDK: with the flat fields that the PHP and JavaScript SDKs read"


def validate_capabilities(value: object) -> None:
    if not isinstance(value, list):
        raise ValidationError("Capabilities are a list.")
    if unknown := [name for name in value if name not in Capability.values]:
        raise ValidationError(f"Unknown capability: {', '.join(map(str, unknown))}.")


def validate_networks(value: object) -> None:
    if not isinstance(value, list):
        raise ValidationError("Allowed networks are a list.")
    for network in value:
        try:
            ip_network(network)
        except ValueError as error:
            raise ValidationError(
                f"“{network}” is not a network: write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32."
            ) from error


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def from_text(self, text: str) -> "ApiKey | None":
        """The API key whose text this is, compared in constant time; None when there is none."""
        if not (text.isascii() and text.isprintable()):
            return None
        api_key = self.filter(prefix=text[:PREFIX_LENGTH]).first()
        if api_key and hmac.compare_digest(api_key.digest, digest_of(text)):
            return api_key
        return None


class ApiKey(models.Model):
    """The right of a program to call the portal. Its text is shown once; only a digest is stored."""

    name = models.CharField(max_length=255, help_text="Who or what uses this API key.")
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    capabilities = models.JSONField(default=list, validators=[validate_capabilities])
    allowed_networks = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_networks],
        help_text="Addresses or networks it may be used from. Empty: from anywhere.",
    )
    profile = models.CharField(
        "client profile",
        max_length=16,
        choices=Profile,
        default=Profile.DOCUMENTED,
        help_text="SDK only for programs built on the PHP, Laravel or JavaScript SDK; they verify other fields.",
    )
    contract = models.ForeignKey(
        Contract,
        on_delete=models.PROTECT,
        related_name="api_keys",
        null=True,
        blank=True,
        help_text="For the holder of a contract: the contracts/… endpoints then speak of this one alone.",
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_PER_MINUTE)],
        help_text="Calls a minute, from all addresses together. Empty: the portal's default; 0: no limit.",
    )
    wrong_keys_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_PER_MINUTE)],
        help_text="Unknown license keys a minute from one address. Empty: the portal's default; 0: no limit, "
        "for a shop whose customers all come from its own address.",
    )
    is_active = models.BooleanField("active", default=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(profile__in=("documented", "sdk")),
                name="api_key_profile_valid",
                violation_error_message="A client profile is documented or sdk.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_usable(self, at: datetime) -> bool:
        return self.is_active and (self.expires_at is None or at < self.expires_at)

    def may(self, capability: str) -> bool:
        return capability in self.capabilities

    def allows_address(self, address: str) -> bool:
        """Whether a caller at this IP address may use the key; an IPv4-mapped IPv6 address counts as IPv4."""
        if not self.allowed_networks:
            return True
        try:
            caller = ip_address(address)
        except ValueError:
            return False
        caller = getattr(caller, "ipv4_mapped", None) or caller
        return any(caller in ip_network(network) for network in self.allowed_networks)


def digest_of(text: str) -> str:
    """SHA-256 in hexadecimal: enough for a text of 256 random bits, which no dictionary holds."""
    return hashlib.sha256(text.encode()).hexdigest()
