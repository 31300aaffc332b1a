"""What to enter, field by field, in the words of whoever fills in the form: short, with units and an example.

The models say what a column holds; here is what their help texts leave open, and what the admin says in its own words.
"""

from typing import Any

PRODUCT = "Begin to type its name, such as Photo Editor."
LIMIT = "Places where one may be active at the same time, such as 3; 0: as many as anybody likes."
VALIDITY = "Days, such as 365 for a year, counted from the day it is assigned; 0: it never expires."

HELP_TEXTS = {
    "blocklistentry.kind": "An IP address or network is where a call comes from; an identifier is what the software "
    "calls the place where it runs.",
    "contract.name": "What staff call it, such as Reseller North 2026.",
    "contract.information": "With whom, about what, until when: 200 seats for Example Ltd, until 31 December 2026.",
    "contract.license_keys_quantity": "How many license keys may exist under it, such as 200; destroying one makes "
    "room again.",
    "contract.product": "Of which it generates license keys. It stays as soon as there is one.",
    "contract.status": "Under an inactive contract its holder generates nothing. Its license keys go on working.",
    "contract.can_get_info": "Its holder's program may ask for the quota and for what is left of it.",
    "contract.can_generate": "Its holder's program may generate license keys up to the quota.",
    "contract.can_destroy": "Its holder's program may delete a license key under it, for good.",
    "contract.can_destroy_all": "Its holder's program may delete all license keys under it at once, for good.",
    "apikey.name": "Which program uses it, such as Shop or Photo Editor for Windows.",
    "generator.product": f"Whose license keys it makes. {PRODUCT}",
    "generator.activation_limit": f"Of each license key that it makes. {LIMIT}",
    "generator.validity_days": f"Of each license key that it makes. {VALIDITY}",
    "group.name": "What these people do, such as Sales. It cannot be the name of one of the portal's own roles.",
    "licensekey.product": f"What the license key is for. It cannot be changed later. {PRODUCT}",
    "licensekey.activation_limit": LIMIT,
    "licensekey.validity_days": VALIDITY,
    "licensekey.expires_at": "The day and the time (UTC) from which it counts as expired, such as 2026-12-31 and "
    "23:59:59. Empty: never.",
    "licensekey.reference": "Your own note, such as order 4711. The search finds any part of it.",
    "licensekeymetadata.name": "What is known, such as edition. Each name once for a license key.",
    "licensekeymetadata.value": "What customers' software reads under that name, such as pro.",
    "owner.name": "The person or company, such as Ann Example. May stay empty where there is an e-mail address.",
    "owner.email": "Such as ann@example.com. One owner per address, whatever its case.",
    "product.description": "What it is, in a sentence or two. Customers' software gets it with the product.",
    "product.source": "Internal: you sell it. Envato: purchase codes of Envato are accepted as license keys of it.",
    "productmetadata.name": "What is known, such as edition. Each name once for a product.",
    "productmetadata.value": "What customers' software reads under that name, such as pro.",
    "release.product": f"Whose version it is. It cannot be changed later. {PRODUCT}",
    "release.released_at": "The day and the time (UTC) that customers see, such as 2026-05-03 and 12:00:00. It does "
    "not publish anything by itself.",
    "user.first_name": "Such as Jo. Colleagues see it at the top of the page instead of the user name.",
    "user.last_name": "Such as Example.",
    "user.email": "Such as jo@example.com. For you to reach them: the portal sends no mail.",
}


def with_help(field: Any, model_name: str, name: str, given: dict[str, Any]) -> Any:
    """A form field with its text of the table, unless its form has `given` it one."""
    text = HELP_TEXTS.get(f"{model_name}.{name}")
    if field is not None and text and "help_text" not in given:
        field.help_text = text
    return field
