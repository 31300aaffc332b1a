"""get-product-changelog, and the public changelog of a product."""

from typing import Any

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import Params, ProductParams, TextField
from licenses.api.shapes import detail_date
from licenses.codes import Code
from licenses.models import Release
from licenses.services.releases import find_changelog


class ProductChangelogParams(ProductParams):
    pass


class PublicChangelogParams(Params):
    slug = TextField(source="product_id")


@answers(Code.CHANGELOG_RETRIEVED, Code.CHANGELOG_DISABLED, Code.CHANGELOG_DISABLED_FOR_PRODUCT)
def get_product_changelog(call: Call) -> Reply:
    product, releases = find_changelog(**call.params)
    fields = {
        "entries": [_entry(release) for release in releases],
        "product": {"uuid": str(product.uuid), "name": product.name, "slug": product.slug},
    }
    return Reply(Code.CHANGELOG_RETRIEVED, fields, product.pk)


def _entry(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "release_date": detail_date(release.released_at),
        "changelog": release.changelog,
        "update_summary": release.update_summary,
    }
