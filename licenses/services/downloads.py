"""Downloads: short-lived links to the files of published releases, for license keys that may run where they ask."""

from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings
from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError

from licenses.codes import Code, Refused
from licenses.models import BlockListEntry, Downloadable, LicenseKey
from licenses.services.activations import find_running
from licenses.services.lookup import require_usable
from licenses.services.releases import count_download, published_downloadables

SALT = "licenses.download"  # no other signature of the portal is a link
MAX_LISTED = 1000


class Offer(NamedTuple):
    """A file that may be downloaded, and the token of the link to it."""

    downloadable: Downloadable
    token: str


def offer_downloads(*, license_key: str, identifier: str) -> tuple[LicenseKey, list[Offer]]:
    """The files that this license key may download, the newest release first; its activation must be live (202).

    The tokens end after DOWNLOAD_LINK_MINUTES, with the activation, and when the license key may not be used any more.
    """
    found, activation = find_running(license_key=license_key, identifier=identifier)
    running_at = activation.pk if activation else 0  # there always is one where an identifier is given
    return found, [
        Offer(row, signing.dumps([row.pk, found.pk, running_at], salt=SALT))
        for row in published_downloadables(found.product, at_most=MAX_LISTED)
    ]


def open_download(*, token: str) -> Downloadable:
    """What is behind a link, its file open for reading, and counted.

    Refuses 701 for a link that is not, or no longer, good, 700 for a file that is not there any more.
    """
    downloadable_id, license_key_id, activation_id = _read(token)
    product_id = _require_running(license_key_id, activation_id)
    published = Downloadable.objects.filter(release__is_published=True, release__product=product_id)
    downloadable = published.filter(pk=downloadable_id).first()
    if downloadable is None:
        raise Refused(Code.FILE_NOT_FOUND, product_id=product_id)
    try:
        downloadable.file.open("rb")
    except (OSError, ValueError, SuspiciousOperation) as error:
        raise Refused(Code.FILE_NOT_FOUND, product_id=product_id) from error
    with suppress(DatabaseError):  # a database that only reads, or is busy, still serves customers
        count_download(downloadable)
    return downloadable


def _read(token: str) -> Any:
    try:
        return signing.loads(token, salt=SALT, max_age=settings.DOWNLOAD_LINK_MINUTES * 60)
    except signing.BadSignature as error:
        raise Refused(Code.FILE_NOT_PERMITTED) from error


def _require_running(license_key_id: int, activation_id: int) -> int:
    """The product of a license key that may still be used where the link was given out; refuses 701."""
    found = LicenseKey.objects.select_related("product").filter(pk=license_key_id).first()
    activation = found.activations.live().filter(pk=activation_id).first() if found else None
    if found is None or activation is None:
        raise Refused(Code.FILE_NOT_PERMITTED)
    if BlockListEntry.objects.matching(address="", identifiers=[activation.identifier]).exists():
        raise Refused(Code.FILE_NOT_PERMITTED, product_id=found.product_id)
    try:
        require_usable(found)
    except Refused as refused:
        raise Refused(Code.FILE_NOT_PERMITTED, product_id=found.product_id) from refused
    return found.product_id
