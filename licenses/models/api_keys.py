import hashlib
import hmac
from datetime import datetime
from ipaddress import ip_address, ip_network

from django.core.exceptions import ValidationError
from django.db import models

PREFIX_LENGTH = 11  # "lp_" and eight characters: identifies an API key, is no secret


class Capability(models.TextChoices):
    """What an API key may do: one row per endpoint, and two for the settings API."""

    ASSIGN_LICENSE_KEY = "assign-license-key", "Assign license keys"
    VERIFY = "verify", "Verify license keys"
    ACTIVATE = "activate", "Activate license keys"
    DEACTIVATE = "deactivate", "Deactivate license keys"
    GET_LICENSE_KEY_DETAILS = "get-license-key-details", "Read license key details"
    CREATE_LICENSE_KEY_META = "create-license-key-meta", "Create license key metadata"
    UPDATE_LICENSE_KEY_META = "update-license-key-meta", "Update license key metadata"
    DELETE_LICENSE_KEY_META = "delete-license-key-meta", "Delete license key metadata"
    READ_SETTINGS = "read-settings", "Read the portal's settings"
    CHANGE_SETTINGS = "change-settings", "Change the portal's settings"


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
    is_active = models.BooleanField("active", default=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")
        verbose_name = "API key"

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
