"""What the start-up says about variables that are no nonsense and yet look like a mistake."""

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

# Names that lead nowhere outside: of RFC 2606, RFC 6762, RFC 8375 and RFC 9476, and what home routers hand out
INTERNAL = ("localhost", "test", "invalid", "local", "internal", "alt", "lan", "home", "arpa", "intranet", "corp")


@register("settings")
def check_transport(**kwargs: Any) -> list[CheckMessage]:
    """Passwords and API keys do not travel in clear over the internet."""
    public = [host for host in settings.ALLOWED_HOSTS if _is_public(host)]
    if settings.HTTPS or not public:
        return []
    return [
        Warning(
            f"ALLOWED_HOSTS has {public[0]}, which looks public, and HTTPS is false: cookies may travel in clear.",
            hint="Put a proxy that terminates TLS before the portal, and set HTTPS=true and TRUSTED_PROXY_COUNT.",
            id="licensing_portal.W001",
        )
    ]


def _is_public(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_global
    except ValueError:
        labels = host.strip(".").lower().split(".")
        return len(labels) > 1 and labels[-1] not in INTERNAL
