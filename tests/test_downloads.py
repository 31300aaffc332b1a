"""access-downloadables, and the links that it gives out."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import signing
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.models import Activation, AuditEvent, BlockListEntry, Downloadable, LicenseKey, Product, Release
from licenses.services.activations import activate_license, deactivate_license
from licenses.services.license_keys import block_license_key
from licenses.services.products import create_product
from licenses.services.releases import withdraw_release
from tests.factories import ACTOR, DownloadableFactory, LicenseKeyFactory, ReleaseFactory, api_key_text

pytestmark = pytest.mark.django_db

LIST = "access-downloadables"
DATA = b"MZ a program"
FIELDS = {
    "id": int,
    "product_id": int,
    "numeric_version": int,
    "version": str,
    "update_summary": str,
    "changelog": str,
    "published": int,
    "release_date": str,
    "download_counter": int,
    "url": str,
}


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def release(db):
    product = create_product(name="Own key", actor=ACTOR)
    return ReleaseFactory(
        product=product,
        version="1.0.2",
        update_summary="Bugfixes",
        changelog="Minor bug fixes",
        released_at=datetime(2024, 2, 27, tzinfo=UTC),
    )


@pytest.fixture
def sent(release):
    found = LicenseKeyFactory(assigned=True, product=release.product)
    where = {"license_key": found.license_key, "identifier": "domain.ltd"}
    activate_license(**where, actor=ACTOR)
    return where


@pytest.fixture
def link(portal, release, sent):
    """A link to the one file of the release, as customers' software gets it: an absolute address."""
    DownloadableFactory(release=release, file_name="setup 1.0.2.exe")
    return portal(LIST, **sent)["downloadables"][0]["url"]


def follow(client, url):
    return client.get(url.removeprefix("http://testserver"))


def saved(client, url) -> bytes:
    """What a browser would save; read to its end, so that it is closed."""
    http = follow(client, url)
    assert http.status_code == 200
    return b"".join(http.streaming_content)


def code_of(portal, url) -> int:
    return portal.read(follow(portal.client, url))["code"]


# The list


def test_it_lists_in_the_documented_form(portal, release, sent):
    row = DownloadableFactory(release=release)
    answer = portal(LIST, **sent)
    assert list(answer) == ["code", "message", "downloadables", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (600, "Downloads", "product")
    [item] = answer["downloadables"]
    assert {name: type(value) for name, value in item.items()} == FIELDS
    assert list(item) == list(FIELDS)
    url = item.pop("url")
    assert list(item.values()) == [
        row.pk,
        release.product_id,
        102,
        "1.0.2",
        "Bugfixes",
        "Minor bug fixes",
        1,
        "2024-02-27 00:00:00",
        0,
    ]
    assert url.startswith("http://testserver/api/v1/download/")


def test_it_lists_for_a_get_too(portal, release, sent):
    DownloadableFactory(release=release)
    http = portal.client.get(f"/v1/{LIST}", sent, headers={"Authorization": f"Bearer {portal.api_key}"})
    assert len(portal.read(http)["downloadables"]) == 1


def test_it_lists_published_releases_of_the_product_the_newest_first(portal, release, sent):
    product = release.product
    now = timezone.now()
    older = ReleaseFactory(product=product, version="0.9", released_at=now - timedelta(days=9000))
    newest = ReleaseFactory(product=product, version="2.0", released_at=now)
    draft = ReleaseFactory(product=product, version="3.0", is_published=False)
    for one in (older, newest, draft, ReleaseFactory(), release):
        DownloadableFactory(release=one)
    second = DownloadableFactory(release=newest)
    listed = portal(LIST, **sent)["downloadables"]
    assert [item["version"] for item in listed] == ["2.0", "2.0", "1.0.2", "0.9"]
    assert listed[1]["id"] == second.pk


def test_it_lists_nothing_of_a_product_without_files(portal, sent):
    answer = portal(LIST, **sent)
    assert (answer["code"], answer["downloadables"]) == (600, [])


def test_it_passes_the_gate_first(portal, release, sent):
    def code(**changes):
        return portal(LIST, **(sent | changes))["code"]

    assert code(license_key="unknown") == 210
    assert code(license_key=LicenseKeyFactory(product=release.product).license_key) == 201
    assert code(identifier="") == 215
    assert code(identifier="elsewhere.ltd") == 202, "it must be active where it asks"
    found = LicenseKey.objects.filter(license_key=sent["license_key"])
    found.update(expires_at=timezone.now() - timedelta(days=1))
    assert code() == 205
    found.update(expires_at=None, status="blocked")
    assert code() == 204
    Product.objects.update(status="inactive")
    assert code() == 203


def test_it_costs_the_same_for_many_files(portal, release, sent):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            portal(LIST, **sent)
        return len(captured)

    queries()  # the first call notes when the API key was used
    few = queries()
    DownloadableFactory.create_batch(10, release=release)
    assert queries() == few


@pytest.mark.statement("S34")
def test_a_link_holds_no_key(portal, link, sent):
    assert portal.api_key not in link
    assert sent["license_key"] not in link
    assert sent["license_key"] not in str(signing.loads(link.rsplit("/", 1)[1], salt="licenses.download"))


def test_a_link_leads_where_the_portal_is_reached(portal, release, sent, settings):
    DownloadableFactory(release=release)
    http = portal.client.post(f"/v1/{LIST}", sent | {"api_key": portal.api_key}, headers={"host": "localhost:8443"})
    assert portal.read(http)["downloadables"][0]["url"].startswith("http://localhost:8443/api/v1/download/")
    settings.PUBLIC_URL = "https://licenses.example.com"
    assert portal(LIST, **sent)["downloadables"][0]["url"].startswith("https://licenses.example.com/api/v1/download/")


def test_the_sdk_profile_lists_too(client, global_key, release, sent):
    DownloadableFactory(release=release)
    sealed = client.post(f"/v1/{LIST}", sent | {"api_key": api_key_text(LIST, profile="sdk")}).json()
    assert (sealed["code"], sealed["success"], len(sealed["downloadables"])) == (600, True, 1)


# The file


@pytest.mark.statement("S31")
def test_it_serves_the_file_as_something_to_save(client, link):
    http = follow(client, link)
    assert (http.status_code, b"".join(http.streaming_content)) == (200, DATA)
    assert http.headers["Content-Type"] == "application/octet-stream"
    assert http.headers["Content-Disposition"] == 'attachment; filename="setup 1.0.2.exe"'
    assert http.headers["X-Content-Type-Options"] == "nosniff"
    assert http.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert http.headers["Content-Length"] == str(len(DATA))
    assert "no-store" in http.headers["Cache-Control"]


@pytest.mark.statement("S31")
@pytest.mark.parametrize(("name", "data"), [("page.html", b"<script>alert(1)</script>"), ("image.svg", b"<svg/>")])
def test_a_file_of_any_type_is_inert(portal, release, sent, name, data):
    DownloadableFactory(release=release, file__data=data, file_name=name)
    http = follow(portal.client, portal(LIST, **sent)["downloadables"][0]["url"])
    assert b"".join(http.streaming_content) == data
    assert http.headers["Content-Type"] == "application/octet-stream"
    assert http.headers["Content-Disposition"].startswith("attachment")


def test_a_name_in_any_script_is_kept(portal, release, sent):
    DownloadableFactory(release=release, file_name='Über "größe" 图.zip')
    http = follow(portal.client, portal(LIST, **sent)["downloadables"][0]["url"])
    assert http.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''%C3%9Cber")


def test_it_needs_no_api_key_and_counts(client, portal, link, sent):
    for count in (1, 2):
        assert saved(client, link) == DATA
        assert Downloadable.objects.get().download_counter == count
    assert portal(LIST, **sent)["downloadables"][0]["download_counter"] == 2


def test_a_download_leaves_no_audit_row(client, link):
    before = AuditEvent.objects.count()
    saved(client, link)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("method", ["head", "post", "put", "delete", "options"])
def test_a_link_is_for_get_alone(client, link, method):
    http = getattr(client, method)(link.removeprefix("http://testserver"))
    assert http.status_code == 405
    assert Downloadable.objects.get().download_counter == 0


def test_a_part_of_a_file_is_not_to_be_had(client, link):
    """A whole answer to a Range is what HTTP allows."""
    http = client.get(link.removeprefix("http://testserver"), headers={"Range": "bytes=3-"})
    assert (http.status_code, b"".join(http.streaming_content)) == (200, DATA)
    assert http.headers["Accept-Ranges"] == "none"


def test_a_link_ends(portal, release, sent, settings):
    DownloadableFactory(release=release)
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        url = portal(LIST, **sent)["downloadables"][0]["url"]
    for minutes, seconds_later, code in ((15, 899, None), (15, 901, 701), (20, 901, None), (20, 1201, 701)):
        settings.DOWNLOAD_LINK_MINUTES = minutes
        with time_machine.travel(now + timedelta(seconds=seconds_later), tick=False):
            http = follow(portal.client, url)
        if code is None:
            assert b"".join(http.streaming_content) == DATA
        else:
            answer = portal.read(http)
            assert (answer["code"], answer["message"]) == (code, "You don't have permission to access it")
            assert (portal.label, http.status_code) == ("global", 200)


@pytest.mark.statement("S22", "S23")
def test_only_a_link_of_the_portals_own_is_good(portal, link):
    token = link.rsplit("/", 1)[1]
    others = [
        signing.dumps([1, 1, 1]),
        signing.dumps([1, 1, 1], key="another", salt="licenses.download"),
        signing.TimestampSigner().sign(token.rsplit(":", 1)[0]),
    ]
    flipped = [token[:at] + chr(ord(token[at]) ^ 1) + token[at + 1 :] for at in range(0, len(token), 3)]
    for bad in ["x", "a:b:c", token[:-1], token + "A", "é", "\u202e", "a" * 5000, "%00", "%ff", *others, *flipped]:
        http = portal.client.get(f"/api/v1/download/{bad}")
        if http.status_code != 404:  # a flipped character may be a slash or a question mark
            assert portal.read(http)["code"] == 701, bad
    assert Downloadable.objects.get().download_counter == 0


def test_a_link_ends_with_what_it_was_given_for(portal, link, sent):
    deactivate_license(**sent, actor=ACTOR)
    assert code_of(portal, link) == 701
    activate_license(**sent, actor=ACTOR)
    assert saved(portal.client, link) == DATA, "the same place, active again"
    Activation.objects.update(license_key=LicenseKeyFactory(assigned=True))
    assert code_of(portal, link) == 701


def test_a_link_ends_when_its_identifier_is_blocked(portal, link, sent):
    entry = BlockListEntry.objects.create(kind="identifier", value=sent["identifier"])
    assert code_of(portal, link) == 701
    entry.delete()
    assert saved(portal.client, link) == DATA


def test_a_link_ends_when_the_license_key_may_not_be_used(portal, link, sent):
    changes = [
        (LicenseKey, {"expires_at": timezone.now()}, {"expires_at": None}),
        (LicenseKey, {"status": "blocked"}, {"status": "assigned"}),
        (Product, {"status": "inactive"}, {"status": "active"}),
        (Product, {"status": "deleted"}, {"status": "active"}),
    ]
    for model, change, back in changes:
        model.objects.update(**change)
        assert code_of(portal, link) == 701, change
        model.objects.update(**back)
    assert saved(portal.client, link) == DATA
    block_license_key(license_key=sent["license_key"], actor=ACTOR)
    assert code_of(portal, link) == 701
    Activation.objects.all().delete()
    LicenseKey.objects.all().delete()
    assert code_of(portal, link) == 701


def test_a_withdrawn_release_is_700(portal, link, release):
    withdraw_release(release=release, actor=ACTOR)
    answer = portal.read(follow(portal.client, link))
    assert (answer["code"], answer["message"]) == (700, "The request file doesn't exist")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (portal.label, portal.http.status_code) == ("global", 200)
    assert Downloadable.objects.get().download_counter == 0


def test_a_file_that_is_gone_is_700(portal, link, media):
    Downloadable.objects.update(file="../outside.txt")
    assert code_of(portal, link) == 700
    Downloadable.objects.update(file="")
    assert code_of(portal, link) == 700
    Downloadable.objects.update(file="downloads")
    assert code_of(portal, link) == 700, "a folder is no file"
    Downloadable.objects.update(file="downloads/none")
    assert code_of(portal, link) == 700
    assert Downloadable.objects.get().download_counter == 0
    Downloadable.objects.all().delete()
    assert code_of(portal, link) == 700


def test_a_file_moved_to_another_product_is_700(portal, link):
    Release.objects.update(product=create_product(name="Other", actor=ACTOR))
    assert code_of(portal, link) == 700


@pytest.mark.parametrize("tail", ["", "/", "/a/b", f"/{'a' * 36}/KEY/ZG9tYWluLmx0ZA%3D%3D/102"])
def test_other_forms_of_a_link_lead_nowhere(portal, tail):
    answer = portal.read(portal.client.get(f"/api/v1/download{tail}"))
    assert (answer["code"], portal.http.status_code) == (166, 404)


@pytest.mark.django_db(transaction=True)
def test_parallel_downloads_are_all_counted(link):
    path = link.removeprefix("http://testserver")

    def fetch():
        b"".join(Client().get(path).streaming_content)
        connections.close_all()

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Downloadable.objects.get().download_counter == 8
