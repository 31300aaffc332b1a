"""What a license key would answer: the rules of the endpoints, asked without a call. Nothing here writes."""

from collections.abc import Callable

from licenses.codes import Code, Refused
from licenses.models import Activation, LicenseKey
from licenses.services.activations import check_activation, check_running
from licenses.services.block_list import require_not_blocked
from licenses.services.lookup import require_usable

# What the endpoint checks, and what it answers when nothing is refused
CALLS: dict[str, tuple[Callable[[LicenseKey, str], Activation | None], Code]] = {
    "verify": (check_running, Code.VALID_LICENSE_KEY),
    "activate": (check_activation, Code.LICENSE_KEY_ACTIVATED),
}


def would_answer(endpoint: str, found: LicenseKey, identifier: str, *, address: str = "") -> Code:
    """What `endpoint` of `CALLS` would answer now for this identifier ("" for none) from `address` ("" for any).

    To an API key that may call it and is not throttled; of a program of the profile sdk a missing identifier is no
    mistake at verify. `found` as it is in the database, with its product.
    """
    check, answer = CALLS[endpoint]
    try:
        require_not_blocked(address=address, identifiers=[identifier] if identifier else [])
        check(found, identifier)
    except Refused as refused:
        return refused.code
    return answer


def refused_everywhere(found: LicenseKey) -> Code | None:
    """What every call about this license key is refused with, wherever it comes from; None for one that is good."""
    try:
        require_usable(found)
    except Refused as refused:
        return refused.code
    return None
