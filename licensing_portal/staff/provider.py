"""The identity provider of staff, as the variables OIDC_* name it. Settings read this: no model here."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class OpenIdConnect:
    """The identity provider of staff. `groups_claim` names the claim that lists a person's groups."""

    server_url: str
    client_id: str
    client_secret: str
    staff_group: str
    superuser_group: str = ""
    groups_claim: str = "groups"
    name: str = "single sign-on"

    @property
    def host(self) -> str:
        """It names the provider in addresses and accounts: nobody of one provider is taken for somebody of another."""
        return urlsplit(self.server_url).hostname or ""

    @property
    def app(self) -> dict[str, Any]:
        """As django-allauth wants it."""
        return {
            "provider_id": self.host,
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.client_secret,
            "settings": {"server_url": self.server_url},
        }


def openid_connect(**values: str) -> OpenIdConnect | None:
    """None when none of the variables is set. With only some of them the boot stops: half a lock is none."""
    given = {name: value for name, value in values.items() if value}
    if not given:
        return None
    missing = [
        f"OIDC_{name.upper()}"
        for name in ("server_url", "client_id", "client_secret", "staff_group")
        if name not in given
    ]
    if missing:
        raise ImproperlyConfigured(f"Set {', '.join(missing)} too, or none of the variables OIDC_*.")
    server = urlsplit(given["server_url"])
    if server.scheme != "https" and server.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ImproperlyConfigured(
            "The environment variable OIDC_SERVER_URL must be an https:// address: who listens could sign in as staff."
        )
    return OpenIdConnect(**given)
