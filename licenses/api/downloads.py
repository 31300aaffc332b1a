"""access-downloadables and the links that it gives out."""

from typing import Any

from django.http import FileResponse

from licenses.api.answers import GATE, answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LicenseKeyField, LicenseParams, Params
from licenses.api.shapes import detail_date
from licenses.codes import Code
from licenses.services.downloads import Offer, offer_downloads, open_download

MAX_TOKEN = 1000
# Whatever staff uploaded is data to save: no browser runs it, guesses what it is or keeps it
INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store, private",
    "Accept-Ranges": "none",
}


class AccessDownloadablesParams(LicenseParams):
    pass


@answers(Code.DOWNLOADS, *GATE, Code.NO_ACTIVATION_FOUND)
def access_downloadables(call: Call) -> Reply:
    found, offers = offer_downloads(**call.params)
    downloadables = [_downloadable(offer, call.base_url) for offer in offers]
    return Reply(Code.DOWNLOADS, {"downloadables": downloadables}, found.product_id)


def _downloadable(offer: Offer, base_url: str) -> dict[str, Any]:
    row, release = offer.downloadable, offer.downloadable.release
    return {
        "id": row.pk,
        "product_id": release.product_id,
        "numeric_version": release.numeric_version,
        "version": release.version,
        "update_summary": release.update_summary,
        "changelog": release.changelog,
        "published": int(release.is_published),
        "release_date": detail_date(release.released_at),
        "download_counter": row.download_counter,
        "url": f"{base_url}/api/v1/download/{offer.token}",
    }


class TokenField(LicenseKeyField):
    """What no token can look like becomes empty here too, and is answered as one that is not good."""


class DownloadParams(Params):
    token = TokenField(max_length=MAX_TOKEN)


@answers(Code.FILE_NOT_FOUND, Code.FILE_NOT_PERMITTED)
def download(call: Call) -> FileResponse:
    downloadable = open_download(**call.params)
    return FileResponse(
        downloadable.file,
        as_attachment=True,
        filename=downloadable.file_name,
        content_type="application/octet-stream",
        headers=INERT,
    )
