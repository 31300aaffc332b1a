"""License files for offline use."""

from typing import Any, NamedTuple

from licenses.models import LicenseKey


class LicenseFile(NamedTuple):
    """One license file in its forms: `chunked` is the text of form A, `document` the JSON of forms B and C."""

    chunked: str
    document: dict[str, Any]


def make_license_file(found: LicenseKey, *, identifier: str) -> LicenseFile | None:
    """The license file of an activation, made with the product's own key; None when the product has none."""
    return None
