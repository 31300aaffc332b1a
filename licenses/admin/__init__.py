"""The admin: one module per noun. The site they register on is in licensing_portal/admin_site.py."""

from licenses.admin import (
    activations,
    api_keys,
    assignments,
    audit,
    license_keys,
    metadata,
    owners,
    products,
    signing_keys,
    users,
)

__all__ = [
    "activations",
    "api_keys",
    "assignments",
    "audit",
    "license_keys",
    "metadata",
    "owners",
    "products",
    "signing_keys",
    "users",
]
