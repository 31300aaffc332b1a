"""Versions of products: their files, whether they are published, and what the changelog says about them."""

import re
import secrets
import unicodedata
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.fields.files import FieldFile

from licenses.codes import Code, Refused
from licenses.events import Kind, record
from licenses.models import Actor, Downloadable, Product, Release
from licenses.services.lookup import find_product
from licenses.services.records import delete_record, save_record

MAX_FILE_NAME = 150
MAX_EXTENSION = 20
MAX_ENTRIES = 50  # of a changelog
NAMELESS = "download"
FORBIDDEN = re.compile(r'[<>:"|?*]')  # by Windows; slashes end a path before
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³])(\.|$)", re.IGNORECASE)  # devices of Windows


@transaction.atomic
def publish_release(*, release: Release, actor: Actor) -> bool:
    """Let customers list and download it, and the changelog name it; False when they may already."""
    return _set_published(release, published=True, actor=actor)


@transaction.atomic
def withdraw_release(*, release: Release, actor: Actor) -> bool:
    """Take it back: no list names it, and links that were given out end; False when it is not published."""
    return _set_published(release, published=False, actor=actor)


def _set_published(release: Release, *, published: bool, actor: Actor) -> bool:
    locked = Release.objects.select_for_update().get(pk=release.pk)
    if locked.is_published == published:
        return False
    locked.is_published = published
    locked.save(update_fields=["is_published", "updated_at"])
    facts = {"is_published": published}
    record(Kind.RELEASE_UPDATED, locked, actor=actor, before={"is_published": not published}, after=facts)
    return True


@transaction.atomic
def save_downloadable(*, downloadable: Downloadable, changed_fields: Sequence[str] = (), actor: Actor) -> None:
    """Store a file of a release, or another file or name for it. ValidationError names what cannot be so.

    The storage names the file itself; what the uploader called it is only the name that it is saved under.
    """
    uploaded = is_upload(downloadable.file)
    former = _stored_name(downloadable) if uploaded else ""
    if uploaded:
        require_size(downloadable.file.size)
        downloadable.file_name = downloadable.file_name or str(downloadable.file.name)
        downloadable.file.name = secrets.token_hex(16)
    downloadable.file_name = safe_file_name(downloadable.file_name)
    try:
        save_record(downloadable, changed_fields=changed_fields, actor=actor)
    except Exception:
        if uploaded and downloadable.file and not is_upload(downloadable.file):
            downloadable.file.storage.delete(str(downloadable.file.name))
        raise
    _forget_later(downloadable.file, former)


@transaction.atomic
def delete_downloadable(*, downloadable: Downloadable, actor: Actor) -> None:
    """Remove a file from its release, and from the storage once that is certain."""
    former = _stored_name(downloadable)
    delete_record(downloadable, actor=actor)
    _forget_later(downloadable.file, former)


def is_upload(file: FieldFile) -> bool:
    """Whether the file is one that was sent just now and is not in the storage yet."""
    return bool(file) and not getattr(file, "_committed", True)


def require_size(size: int) -> None:
    """ValidationError for a file of more bytes than MAX_RELEASE_FILE_MB allows."""
    if size > settings.MAX_RELEASE_FILE_MB * 2**20:
        raise ValidationError({"file": f"A file may have at most {settings.MAX_RELEASE_FILE_MB} MB."})


def _stored_name(downloadable: Downloadable) -> str:
    """Where the storage has the file now, whatever the object says."""
    return Downloadable.objects.filter(pk=downloadable.pk).values_list("file", flat=True).first() or ""


def _forget_later(file: FieldFile, former: str) -> None:
    """Delete a file that no row names any longer, once the transaction is through."""
    if former:
        transaction.on_commit(lambda: file.storage.delete(former), robust=True)


def safe_file_name(text: str) -> str:
    """The text as a name that is safe to save under on every system: no path, no invisible character, no device."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    name = "".join(one for one in name if unicodedata.category(one)[0] != "C")  # controls, marks of direction, halves
    name = " ".join(FORBIDDEN.sub("_", name).split()).strip(". ")
    name = f"_{name}" if RESERVED.match(name) else name
    return _shortened(name) or NAMELESS


def _shortened(name: str) -> str:
    if len(name) <= MAX_FILE_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > MAX_EXTENSION:
        return name[:MAX_FILE_NAME].rstrip(". ")
    return stem[: MAX_FILE_NAME - len(extension) - 1].rstrip(". ") + dot + extension


def published_downloadables(product: Product, *, at_most: int) -> QuerySet[Downloadable]:
    """The files of the product's published releases, the newest release first."""
    found = Downloadable.objects.filter(release__product=product, release__is_published=True)
    return found.select_related("release").order_by("-release__released_at", "-release_id", "pk")[:at_most]


def count_download(downloadable: Downloadable) -> None:
    """One more, exactly, however many download at once."""
    Downloadable.objects.filter(pk=downloadable.pk).update(download_counter=F("download_counter") + 1)


def find_changelog(*, product_id: str) -> tuple[Product, list[Release]]:
    """The product and its newest published releases.

    Refuses 1601 where the portal shows no changelogs at all, and 1602 for a product without a public one, which says
    nothing about whether there is such a product.
    """
    if not settings.CHANGELOG:
        raise Refused(Code.CHANGELOG_DISABLED)
    product = find_product(product_id, or_refuse=Code.CHANGELOG_DISABLED_FOR_PRODUCT)
    if not product.changelog_enabled:
        raise Refused(Code.CHANGELOG_DISABLED_FOR_PRODUCT)
    return product, list(product.releases.filter(is_published=True)[:MAX_ENTRIES])
