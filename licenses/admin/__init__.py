"""The admin: one module per noun. The site they register on is in licensing_portal/admin_site.py."""

from licenses.admin import (
    activations,
    api_keys,
    assignments,
    audit,
    block_list,
    contracts,
    generators,
    license_keys,
    metadata,
    owners,
    products,
    queued_assignments,
    releases,
    signing_keys,
    telemetry,
    users,
)

__all__ = [
    "activations",
    "api_keys",
    "assignments",
    "audit",
    "block_list",
    "contracts",
    "generators",
    "license_keys",
    "metadata",
    "owners",
    "products",
    "queued_assignments",
    "releases",
    "signing_keys",
    "telemetry",
    "users",
]
