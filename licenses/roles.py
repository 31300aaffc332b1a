"""THE TABLE of roles: what each kind of staff may do. Rights are known here by their names alone.

`manage.py migrate` makes one Django group of each row and keeps its rights as they stand here (services/roles.py).
"""

from dataclasses import dataclass

# The rights that some page or action asks for, by model; Django makes four for every model, and the others do nothing
RIGHTS = {
    "licenses.activation": "view",
    "licenses.apikey": "view add change",
    "licenses.assignment": "view add change",
    "licenses.assignmentrow": "view",
    "licenses.auditevent": "view",
    "licenses.blocklistentry": "view add change delete",
    "licenses.contract": "view add change delete",
    "licenses.downloadable": "view add change delete",
    "licenses.generator": "view add change delete",
    "licenses.licensekey": "view add change delete",
    "licenses.licensekeymetadata": "view add change delete",
    "licenses.owner": "view add change delete",
    "licenses.product": "view add change delete",
    "licenses.productmetadata": "view add change delete",
    "licenses.queuedassignment": "view change",
    "licenses.release": "view add change delete",
    "licenses.signingkey": "view add change",
    "licenses.telemetryrecord": "view",
    "settings_api.setting": "view change",
    "auth.user": "view add change delete",
    "auth.group": "view add change delete",
}


def _all(*models: str) -> frozenset[str]:
    """Every right that the pages of these models ask for."""
    return frozenset(
        f"{app}.{verb}_{model}"
        for app, model in (name.split(".") for name in models)
        for verb in RIGHTS[f"{app}.{model}"].split()
    )


def _only(verb: str, *models: str) -> frozenset[str]:
    return frozenset(right for right in _all(*models) if f".{verb}_" in right)


ALL = _all(*RIGHTS)

_CUSTOMERS = (
    "licenses.activation",
    "licenses.auditevent",
    "licenses.blocklistentry",
    "licenses.contract",
    "licenses.downloadable",
    "licenses.licensekey",
    "licenses.licensekeymetadata",
    "licenses.owner",
    "licenses.product",
    "licenses.productmetadata",
    "licenses.release",
    "licenses.telemetryrecord",
)
_SUPPORT = _only("view", *_CUSTOMERS) | _only("change", "licenses.licensekey", "licenses.owner")


@dataclass(frozen=True)
class Role:
    """`name` is the group's name; `may` says it in one line; `rights` are permissions as Django writes them."""

    name: str
    may: str
    rights: frozenset[str]

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")


ROLES = (
    Role(
        "Support",
        "Finds license keys, owners and activations, assigns, extends, blocks and unblocks license keys, and ends "
        "activations.",
        _SUPPORT,
    ),
    Role(
        "License manager",
        "What support does, and makes, changes and deletes products, license keys, generators, contracts, releases "
        "and the block list.",
        _SUPPORT
        | _all(*_CUSTOMERS)
        | _all("licenses.generator", "licenses.queuedassignment", "licenses.assignment", "licenses.assignmentrow"),
    ),
    Role("Auditor", "Sees everything, the staff and the settings too, and changes nothing.", _only("view", *RIGHTS)),
    Role(
        "Administrator",
        "Everything, with API keys, signing keys, settings and staff. Only superusers are out of reach.",
        ALL,
    ),
)
BY_NAME = {role.name: role for role in ROLES}
BY_SLUG = {role.slug: role for role in ROLES}
