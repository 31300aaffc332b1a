from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

MAPPED_LENGTH = 96  # bits before the IPv4 address in ::ffff:203.0.113.7
WIDEST = {4: 8, 6: 16}  # prefix lengths by the version of IP


class BlockListQuerySet(models.QuerySet["BlockListEntry"]):
    def matching(self, *, address: str, identifiers: Iterable[str]) -> "BlockListQuerySet":
        """Entries that name this IP address, a network around it, or one of these identifiers."""
        of_address = Q(kind=BlockListEntry.Kind.ADDRESS, value__in=networks_around(address))
        return self.filter(of_address | Q(kind=BlockListEntry.Kind.IDENTIFIER, value__in=list(identifiers)))


class BlockListEntry(models.Model):
    """An address, a network or an identifier whose calls are answered with 150."""

    class Kind(models.TextChoices):
        ADDRESS = "address", "IP address or network"
        IDENTIFIER = "identifier", "Identifier"

    kind = models.CharField(max_length=16, choices=Kind)
    value = models.CharField(
        max_length=255, help_text="203.0.113.7, 203.0.113.0/24 or 2001:db8::/32; an identifier exactly as it is sent."
    )
    reason = models.CharField(max_length=255, blank=True, help_text="For your colleagues; callers never see it.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BlockListQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        verbose_name = "block list entry"
        verbose_name_plural = "block list entries"
        constraints = [
            models.UniqueConstraint(
                fields=("kind", "value"),
                name="block_list_entry_one_per_value",
                violation_error_message="This is on the block list already.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("address", "identifier")) & ~Q(value=""),
                name="block_list_entry_valid",
                violation_error_message="A block list entry is an address or an identifier, and not empty.",
            ),
        ]

    def __str__(self) -> str:
        return self.value

    def clean(self) -> None:
        """Bring an address into the one form that `networks_around` looks for."""
        if self.kind == self.Kind.ADDRESS:
            try:
                self.value = _plain_network(self.value)
            except ValueError as error:
                raise ValidationError({"value": "Write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32."}) from error
            if is_too_wide(self.value):
                raise ValidationError({"value": "This would turn away half the world: /8 is the widest, in IPv6 /16."})


def _plain_network(text: str) -> str:
    """The network as `networks_around` writes it: without a zone, IPv4 inside IPv6 as IPv4; ValueError for none."""
    network = ip_network(text.strip(), strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped and network.prefixlen >= MAPPED_LENGTH:
        return str(ip_network((mapped, network.prefixlen - MAPPED_LENGTH), strict=False))
    return str(type(network)((int(network.network_address), network.prefixlen)))


def is_too_wide(text: str) -> bool:
    """Whether a network holds more callers than anybody means to block."""
    network = ip_network(text)
    return network.prefixlen < WIDEST[network.version]


def networks_around(address: str) -> list[str]:
    """The address and every network that holds it, as texts: one indexed query finds them on every database."""
    try:
        caller = ip_address(address)
    except ValueError:
        return []
    caller = getattr(caller, "ipv4_mapped", None) or caller
    return [str(ip_network((caller, length), strict=False)) for length in range(caller.max_prefixlen + 1)]
