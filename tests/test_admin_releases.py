"""Releases and their files in the admin."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licenses.models import AuditEvent, Downloadable, Release
from tests.factories import DownloadableFactory, ProductFactory, ReleaseFactory

pytestmark = pytest.mark.django_db

RELEASES = "/admin/licenses/release/"
TOKEN = re.compile(r"downloads/[0-9a-f]{32}")


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(name="setup.exe", data=b"MZ a program", content_type="application/octet-stream"):
    return SimpleUploadedFile(name, data, content_type)


def form(product=None, *files, initial=0, **changes):
    """What the page posts; each of `files` is what one row of it holds."""
    rows = {"downloadables-TOTAL_FORMS": len(files), "downloadables-INITIAL_FORMS": initial}
    for number, row in enumerate(files):
        rows |= {f"downloadables-{number}-{name}": value for name, value in row.items()}
    return {
        **({"product": product.pk} if product else {}),
        "version": "1.0.2",
        "update_summary": "Bugfixes",
        "changelog": "Minor bug fixes",
        "released_at_0": "2024-02-27",
        "released_at_1": "00:00:00",
        **rows,
    } | changes


def act(staff, verb, *releases):
    pks = [release.pk for release in releases]
    return staff.post(RELEASES, {"action": verb, "_selected_action": pks, "confirmed": "1"})


def stored(media) -> list[str]:
    return sorted(str(path.relative_to(media)) for path in media.rglob("*") if path.is_file())


def test_it_adds_a_release_with_its_files(staff, media):
    files = ({"file": upload(), "file_name": ""}, {"file": upload("a.zip", b"PK"), "file_name": "linux.zip"})
    assert staff.post(RELEASES + "add/", form(ProductFactory(), *files)).status_code == 302
    release = Release.objects.get()
    assert (release.version, release.is_published) == ("1.0.2", False), "nobody downloads what is not published yet"
    first, second = release.downloadables.all()
    assert (first.file_name, second.file_name) == ("setup.exe", "linux.zip")
    assert (first.file.read(), second.file.read()) == (b"MZ a program", b"PK")
    assert all(TOKEN.fullmatch(row.file.name) for row in (first, second)), "the storage has names of its own"
    assert stored(media) == sorted([first.file.name, second.file.name])
    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", "door"))
    assert kinds == [("release.created", "admin"), *[("downloadable.created", "admin")] * 2]


def test_it_offers_now_as_the_release_date(staff):
    assert staff.get(RELEASES + "add/").context["adminform"].form.initial["released_at"]


def test_it_publishes_and_withdraws(staff):
    release = ReleaseFactory(is_published=False)
    for verb, published in (("publish_release", True), ("publish_release", True), ("withdraw_release", False)):
        assert act(staff, verb, release).status_code == 302
        release.refresh_from_db()
        assert release.is_published == published
    events = AuditEvent.objects.filter(kind="release.updated").order_by("pk")
    assert [(event.before, event.after) for event in events] == [
        ({"is_published": False}, {"is_published": True}),
        ({"is_published": True}, {"is_published": False}),
    ]


def test_its_page_offers_what_applies(staff):
    release = ReleaseFactory(is_published=False)
    page = staff.get(f"{RELEASES}{release.pk}/change/")
    assert [verb.name for verb in page.context["verbs"]] == ["publish_release"]
    act(staff, "publish_release", release)
    page = staff.get(f"{RELEASES}{release.pk}/change/")
    assert [verb.name for verb in page.context["verbs"]] == ["withdraw_release"]


def test_the_form_cannot_publish_and_cannot_move_it_to_another_product(staff):
    release = ReleaseFactory(is_published=False)
    sent = form(ProductFactory(), is_published="on")
    assert staff.post(f"{RELEASES}{release.pk}/change/", sent).status_code == 302
    changed = Release.objects.get()
    assert (changed.version, changed.is_published, changed.product) == ("1.0.2", False, release.product)


def test_it_refuses_a_second_release_of_a_version(staff):
    release = ReleaseFactory(version="1.0.2")
    answer = staff.post(RELEASES + "add/", form(release.product))
    assert answer.status_code == 200
    assert "This product has a release of this version already." in answer.content.decode()


def test_it_replaces_a_file_and_forgets_the_former(staff, media, django_capture_on_commit_callbacks):
    row = DownloadableFactory(file_name="old.exe", download_counter=7)
    former = row.file.name
    sent = {"id": row.pk, "release": row.release_id, "file": upload("new.exe", b"new"), "file_name": "old.exe"}
    with django_capture_on_commit_callbacks(execute=True):
        answer = staff.post(f"{RELEASES}{row.release_id}/change/", form(None, sent, initial=1))
    assert answer.status_code == 302
    row = Downloadable.objects.get()
    assert (row.file.read(), row.file_name, row.download_counter) == (b"new", "old.exe", 7)
    assert row.file.name != former
    assert stored(media) == [row.file.name]
    event = AuditEvent.objects.get(kind="downloadable.updated")
    assert (event.before, event.after) == ({"file": former}, {"file": row.file.name})


def test_it_renames_a_file(staff, media):
    row = DownloadableFactory(file_name="old.exe")
    sent = {"id": row.pk, "release": row.release_id, "file_name": "../new.exe"}
    assert staff.post(f"{RELEASES}{row.release_id}/change/", form(None, sent, initial=1)).status_code == 302
    row.refresh_from_db()
    assert row.file_name == "new.exe"
    assert stored(media) == [row.file.name]


def test_it_deletes_a_file_and_then_the_release(staff, media, django_capture_on_commit_callbacks):
    row = DownloadableFactory()
    page = f"{RELEASES}{row.release_id}/"
    assert staff.post(page + "delete/", {"post": "yes"}).status_code == 403, "its files first"
    sent = {"id": row.pk, "release": row.release_id, "file_name": row.file_name, "DELETE": "on"}
    with django_capture_on_commit_callbacks(execute=True):
        assert staff.post(page + "change/", form(None, sent, initial=1)).status_code == 302
    assert not Downloadable.objects.exists()
    assert stored(media) == []
    assert AuditEvent.objects.filter(kind="downloadable.deleted").count() == 1
    assert staff.post(page + "delete/", {"post": "yes"}).status_code == 302
    assert not Release.objects.exists()


def test_it_refuses_two_files_of_a_name(staff, media):
    row = DownloadableFactory(file_name="setup.exe")
    sent = {"release": row.release_id, "file": upload(), "file_name": ""}
    kept = {"id": row.pk, "release": row.release_id, "file_name": "setup.exe"}
    answer = staff.post(f"{RELEASES}{row.release_id}/change/", form(None, kept, sent, initial=1))
    assert answer.status_code == 200
    assert "Please correct the duplicate data for file_name." in answer.content.decode()
    assert stored(media) == [row.file.name]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"file_name": "x.exe"}, "This field is required."),
        ({"file": upload("empty.exe", b"")}, "The submitted file is empty."),
        ({"file": upload("large.exe", b"x" * (2**20 + 1))}, "A file may have at most 1 MB."),
    ],
)
def test_it_says_what_is_wrong_with_a_file(staff, media, settings, row, problem):
    settings.MAX_RELEASE_FILE_MB = 1
    answer = staff.post(RELEASES + "add/", form(ProductFactory(), row))
    assert answer.status_code == 200
    assert problem in answer.content.decode()
    assert not Release.objects.exists()
    assert stored(media) == []


def test_it_says_which_file_is_there(staff):
    stored_file = DownloadableFactory(file_name="setup.exe")
    source = staff.get(f"{RELEASES}{stored_file.release.pk}/change/").content.decode()
    assert '<span class="present">setup.exe, 12\xa0bytes</span>' in source


def test_after_a_mistake_it_asks_for_the_files_again(staff, media):
    """A browser cannot be given back the files that were chosen."""
    sent = form(ProductFactory(), {"file": upload(), "file_name": ""}, version="")
    assert "Choose the files again." in staff.post(RELEASES + "add/", sent).content.decode()
    assert "Choose the files again." not in staff.post(RELEASES + "add/", form(version="")).content.decode()


def test_a_file_that_is_lost_says_so(staff, media):
    row = DownloadableFactory()
    assert "12\xa0bytes" in staff.get(f"{RELEASES}{row.release_id}/change/").content.decode()
    row.file.storage.delete(row.file.name)
    assert "Missing" in staff.get(f"{RELEASES}{row.release_id}/change/").content.decode()


def test_a_release_of_many_files_leads_to_all_of_them(staff):
    release = ReleaseFactory()
    DownloadableFactory.create_batch(21, release=release)
    DownloadableFactory()
    page = staff.get(f"{RELEASES}{release.pk}/change/")
    url = f"/admin/licenses/downloadable/?release__id__exact={release.pk}"
    assert url in page.content.decode()
    assert staff.get(url).context["cl"].result_count == 21
    row = release.downloadables.first()
    assert staff.get(f"/admin/licenses/downloadable/{row.pk}/change/").status_code == 200
    assert staff.get("/admin/licenses/downloadable/add/").status_code == 403


def test_no_page_links_to_a_stored_file(staff):
    row = DownloadableFactory()
    for page in (RELEASES, f"{RELEASES}{row.release_id}/change/"):
        assert f'href="{row.file.name}' not in staff.get(page).content.decode()
    for address in (f"/{row.file.name}", f"/media/{row.file.name}", f"/static/{row.file.name}"):
        assert staff.get(address).status_code == 404


def test_the_list_counts_files_and_downloads(staff):
    release = ReleaseFactory()
    for number in (3, 4):
        DownloadableFactory(release=release, download_counter=number)
    ReleaseFactory(product=release.product, is_published=False)
    row = staff.get(RELEASES, {"is_published__exact": 1}).context["cl"].result_list
    assert [(one.file_count, one.download_count) for one in row] == [(2, 7)]
    listed = staff.get(RELEASES, {"product": release.product_id}).context["cl"].result_list
    assert sorted((one.file_count, one.download_count) for one in listed) == [(0, 0), (2, 7)]
    assert staff.get(RELEASES, {"q": release.version}).context["cl"].result_count == 1


def test_the_list_costs_the_same_for_many(staff):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            staff.get(RELEASES)
        return len(captured)

    product = ProductFactory()
    ReleaseFactory(product=product)
    few = queries()
    for release in ReleaseFactory.create_batch(10, product=product):
        DownloadableFactory(release=release)
    assert queries() == few


@pytest.mark.statement("S12")
def test_who_may_only_look_changes_nothing(client):
    row = DownloadableFactory()
    user = get_user_model().objects.create_user("viewer", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_release", "view_downloadable")))
    client.force_login(user)
    page = f"{RELEASES}{row.release_id}/change/"
    assert client.get(page).status_code == 200
    act(client, "withdraw_release", row.release)
    sent = {"id": row.pk, "release": row.release_id, "file": upload(data=b"evil"), "file_name": "evil.exe"}
    client.post(page, form(None, sent, initial=1))
    client.post(RELEASES + "add/", form(row.release.product, {"file": upload()}))
    row.refresh_from_db()
    assert (row.release.is_published, row.file.read(), Downloadable.objects.count()) == (True, b"MZ a program", 1)
    assert not AuditEvent.objects.exists()
