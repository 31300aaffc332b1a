"""S31: files come in under any name, of any size and from anybody, and stay inert."""

import gzip
import io
import os
import re
import zipfile
from pathlib import Path

import pytest
import urllib3
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from licenses.codes import Code
from licenses.models import Downloadable, Product, Release
from licenses.services.activations import activate_license
from licenses.services.releases import MAX_FILE_NAME, publish_release, safe_file_name
from licensing_portal.uploads import StaffUploadHandler
from tests.environment import WORK_DIR
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory, api_key_text
from tests.server import running_portal

pytestmark = pytest.mark.statement("S31")

RELEASES = "/admin/licenses/release/"
MB = 2**20


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("setup 1.0.exe", "setup 1.0.exe"),
        ("Über-größe 图.zip", "Über-größe 图.zip"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\calc.exe", "calc.exe"),
        ("/etc/passwd", "passwd"),
        ("C:\\x.exe", "x.exe"),
        ("a:b.exe", "a_b.exe"),
        ("..", "download"),
        (".", "download"),
        ("", "download"),
        ("   ", "download"),
        ("folder/", "download"),
        (".htaccess", "htaccess"),
        ("trailing. . ", "trailing"),
        ("a\x00b\r\n\tc.exe", "abc.exe"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("zero\u200bwidth\u2066\ufeff.zip", "zerowidth.zip"),
        ("\ud800half.zip", "half.zip"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1.tar.gz", "_Com1.tar.gz"),
        ("LPT¹.x", "_LPT¹.x"),
        ("console.exe", "console.exe"),
        ('a"b<c>d|e?f*g', "a_b_c_d_e_f_g"),
        ("x" * 300 + ".tar.gz", "x" * 143 + ".tar" + ".gz"),
        ("x" * 300, "x" * 150),
        ("." + "x" * 300, "x" * 150),
    ],
)
def test_a_name_is_one_to_save_under(sent, safe):
    if sent.endswith(".tar.gz") and len(sent) > 200:
        assert safe_file_name(sent) == "x" * (MAX_FILE_NAME - 3) + ".gz"
    else:
        assert safe_file_name(sent) == safe


@given(st.text(max_size=400))
def test_any_name_becomes_a_safe_one(text):
    name = safe_file_name(text)
    assert 1 <= len(name) <= MAX_FILE_NAME
    assert not set(name) & set('/\\<>:"|?*\0\r\n\t')
    assert name == name.strip(". ")
    assert name.isprintable() or "\xa0" in name or any(character.isspace() for character in name)
    assert safe_file_name(name) == name, "a safe name stays as it is"


def release_form(product, file, **more):
    return {
        "product": product.pk,
        "version": "1.0",
        "released_at_0": "2024-02-27",
        "released_at_1": "00:00:00",
        "downloadables-TOTAL_FORMS": "1",
        "downloadables-INITIAL_FORMS": "0",
        "downloadables-0-file": file,
        **more,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["../../evil.sh", "..\\evil.sh", "evil.sh\u202e", "/tmp/evil.sh", "CON"])
def test_the_senders_name_decides_no_path(staff, settings, tmp_path, name):
    settings.MEDIA_ROOT = tmp_path / "media"
    file = SimpleUploadedFile("x", b"#!/bin/sh", "text/x-sh")
    file._name = name
    assert staff.post(RELEASES + "add/", release_form(ProductFactory(), file)).status_code == 302
    row = Downloadable.objects.get()
    assert re.fullmatch(r"downloads/[0-9a-f]{32}", row.file.name)
    assert row.file_name in ("evil.sh", "_CON")
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stored == [tmp_path / "media" / row.file.name]
    assert stored[0].stat().st_mode & 0o777 == 0o600, "the owner's alone, and no program"


@pytest.mark.django_db
def test_a_stranger_leaves_no_file_on_the_disk(client, settings, monkeypatch):
    """The check for forged requests reads the form before anything asks who sent it."""
    made = []
    handler = "licensing_portal.uploads.StaffUploadHandler.receive_data_chunk"
    monkeypatch.setattr(handler, lambda self, data, start: made.append(start))
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    sent = {"login": "root", "password": "x", "file": SimpleUploadedFile("x", b"x" * 200_000)}
    assert client.post("/admin/login/", sent).status_code == 200
    user = get_user_model().objects.create_user("nobody", password="a-long-password-1", is_staff=True)
    client.force_login(user)
    client.post(RELEASES + "add/", sent)
    assert made == []


@pytest.mark.django_db
def test_of_a_file_that_is_too_large_only_the_allowed_part_is_written(staff, settings, monkeypatch, tmp_path):
    settings.MEDIA_ROOT, settings.MAX_RELEASE_FILE_MB, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = tmp_path, 1, 1000
    written = []
    complete = StaffUploadHandler.file_complete

    def note(self, size):
        written.append((size, Path(self.file.temporary_file_path()).stat().st_size))
        return complete(self, size)

    monkeypatch.setattr(StaffUploadHandler, "file_complete", note)
    file = SimpleUploadedFile("large.bin", b"x" * (5 * MB))
    answer = staff.post(RELEASES + "add/", release_form(ProductFactory(), file))
    assert "A file may have at most 1 MB." in answer.content.decode()
    [(size, on_disk)] = written
    assert size == 5 * MB
    assert on_disk <= MB + 64 * 1024
    assert not Release.objects.exists()


def zip_bomb() -> bytes:
    """60 MB of zeros in a few dozen KB, twice over: an archive in an archive, under names that lead out of it."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("../../../etc/cron.d/evil", b"\0" * (60 * MB))
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("/etc/passwd", inner.getvalue())
    return outer.getvalue()


@pytest.mark.django_db
def test_an_archive_is_never_opened(staff, settings, tmp_path):
    """A zip bomb is as long in the store as it was on the way, and nothing else is written."""
    settings.MEDIA_ROOT = tmp_path
    bomb = zip_bomb()
    assert len(bomb) < MB
    file = SimpleUploadedFile("update.zip", bomb, "application/zip")
    assert staff.post(RELEASES + "add/", release_form(ProductFactory(), file)).status_code == 302
    [stored] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stored.read_bytes() == bomb


@pytest.mark.django_db
def test_a_body_is_never_unpacked(staff, portal):
    """What says that it is gzip is read as the bytes that it is: 413 counts what is sent, not what it would become."""
    packed = gzip.compress(b"api_key=x&license_key=" + b"A" * (60 * MB))
    form = "application/x-www-form-urlencoded"
    answer = portal.client.post("/api/v1/verify", packed, content_type=form, headers={"Content-Encoding": "gzip"})
    assert answer.status_code in (400, 401, 415)
    assert portal.read(answer)["code"] != Code.INTERNAL_ERROR.value.number
    packed = gzip.compress(b"name=Unpacked&status=active")
    answer = staff.post("/admin/licenses/product/add/", packed, content_type=form, headers={"Content-Encoding": "gzip"})
    assert answer.status_code in (200, 400)
    assert not Product.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("sent", "said"), [("../../etc/passwd", "No file was submitted"), (b"", "file is empty")])
def test_what_is_no_file_is_none(staff, settings, tmp_path, sent, said):
    """A path in place of a file does not make the portal read that path."""
    settings.MEDIA_ROOT = tmp_path
    file = sent if isinstance(sent, str) else SimpleUploadedFile("empty.bin", sent)
    answer = staff.post(RELEASES + "add/", release_form(ProductFactory(), file, **{"downloadables-0-file_name": "x"}))
    assert said in answer.content.decode() or "This field is required" in answer.content.decode()
    assert not Downloadable.objects.exists()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.django_db
def test_a_file_where_a_text_belongs_is_not_read(portal):
    """Programs send no files: no endpoint has a place for one."""
    found = LicenseKeyFactory(assigned=True)
    file = SimpleUploadedFile("key.txt", found.license_key.encode())
    sent = {"api_key": portal.api_key, "license_key": file, "identifier": "host"}
    answer = portal.read(portal.client.post("/api/v1/activate", sent))
    assert answer["code"] not in (Code.INTERNAL_ERROR.value.number, Code.LICENSE_KEY_ACTIVATED.value.number)
    assert not found.activations.exists()


def resident_mb(pid: int) -> float:
    """The memory of a server and its processes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    texts = [Path(f"/proc/{one}/status").read_text() for one in (pid, *map(int, children))]
    return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in texts) / 1024


@pytest.mark.server
@pytest.mark.django_db(transaction=True)
def test_a_large_file_goes_in_and_out_of_the_real_server(staff, global_key):
    """60 MB through a form of the admin and out through a link, without being held in memory."""
    found = LicenseKeyFactory(assigned=True)
    where = {"license_key": found.license_key, "identifier": "domain.ltd"}
    activate_license(**where, actor=ACTOR)
    text, data = api_key_text(), os.urandom(MB) * 60
    with running_portal(workers=1) as server:
        before = resident_mb(server.pid)
        form = release_form(found.product, ("big.bin", data))
        http = send(server, RELEASES + "add/", form, staff.cookies["sessionid"].value)
        assert http.status == 302, http.data[-2000:]
        publish_release(release=Release.objects.get(), actor=ACTOR)
        answer = server.call("access-downloadables", text, **where)
        url = answer["downloadables"][0]["url"]
        assert url.startswith(server.url)
        http = urllib3.PoolManager().request("GET", url)
        assert (http.status, len(http.data)) == (200, len(data))
        assert http.data == data
        assert http.headers["Content-Length"] == str(len(data))
        assert resident_mb(server.pid) - before < 30
    log = server.log.read_text()
    assert "/v1/download/***" in log
    assert url.rsplit("/", 1)[1] not in log
    [stored] = (WORK_DIR / "media").rglob(Path(Downloadable.objects.get().file.name).name)
    assert stored.stat().st_size == len(data)
    stored.unlink()


def send(server, path, fields, session):
    """A form POST of a member of staff who is signed in."""
    token = "x" * 32
    texts = {name: value if isinstance(value, tuple) else str(value) for name, value in fields.items()}
    headers = {"Cookie": f"sessionid={session}; csrftoken={token}"}
    return server.request("POST", path, fields=texts | {"csrfmiddlewaretoken": token}, headers=headers, redirect=False)
