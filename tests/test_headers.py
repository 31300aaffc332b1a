"""S33, S34: what every kind of answer tells browsers and caches, whoever made it."""

import runpy

import pytest
from django.test import Client

from tests.factories import ActivationFactory, DownloadableFactory, LicenseKeyFactory
from tests.test_environment import SETTINGS

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S33")]

PAGE = {
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
NOT_A_PAGE = {"default-src 'none'", "frame-ancestors 'none'"}


@pytest.fixture
def signed_in(superuser):
    """Signed in; a crash becomes a page, as it would outside of tests."""
    client = Client(raise_request_exception=False)
    client.force_login(superuser)
    return client


ADDRESSES = [  # path, status, policy, whether its view has a word of its own on caching
    ("/admin/", 200, PAGE),
    ("/admin/login/?next=/", 302, PAGE),
    ("/admin/licenses/licensekey/", 200, PAGE),
    ("/admin/licenses/licensekey/add/", 200, PAGE),
    ("/admin/licenses/auditevent/add/", 403, PAGE),
    ("/admin/jsi18n/", 200, NOT_A_PAGE),
    ("/admin/autocomplete/", 403, PAGE),
    ("/", 302, PAGE),
    ("/nothing/", 404, PAGE),
    ("/api/docs/", 200, PAGE),
    ("/api/docs/?script=", 200, NOT_A_PAGE),
    ("/api/schema/", 200, NOT_A_PAGE),
    ("/api/v1/verify", 405, NOT_A_PAGE),
    ("/api/v1/nothing", 404, NOT_A_PAGE),
    ("/api/license/settings", 401, NOT_A_PAGE),
    ("/api/license/nothing", 404, NOT_A_PAGE),
    ("/healthz", 200, NOT_A_PAGE),
    ("/readyz", 200, NOT_A_PAGE),
]


def check(answer, policy):
    assert set(answer["Content-Security-Policy"].split("; ")) == policy
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    assert {"no-store", "private"} & set(answer["Cache-Control"].replace(" ", "").split(","))


@pytest.mark.parametrize(("path", "status", "policy"), ADDRESSES)
def test_every_kind_of_answer_is_careful(signed_in, global_key, path, status, policy):
    answer = signed_in.get(path)
    assert answer.status_code == status
    check(answer, policy)


def test_so_are_pages_that_fail(signed_in, monkeypatch):
    check(signed_in.get("/admin/", headers={"host": "elsewhere.example"}), PAGE)

    def crash(*args, **kwargs):
        raise ValueError

    monkeypatch.setattr("licensing_portal.admin_site.PortalAdminSite.each_context", crash)
    answer = signed_in.get("/admin/")
    assert answer.status_code == 500
    assert "This went wrong" in answer.content.decode()
    check(answer, PAGE)


def test_so_is_a_form_without_its_token(superuser):
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/admin/login/", {"login": "root", "password": "a-long-password-1"})
    assert answer.status_code == 403
    assert "This form has come too late" in answer.content.decode()
    check(answer, PAGE)


def test_so_are_sealed_answers_and_files(portal, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    found = ActivationFactory(identifier="x")
    DownloadableFactory(release__product=found.license_key.product)
    given = portal("access-downloadables", license_key=found.license_key.license_key, identifier="x")
    check(portal.http, NOT_A_PAGE)
    file = portal.client.get(given["downloadables"][0]["url"].removeprefix("http://testserver"))
    assert (file.status_code, b"".join(file.streaming_content)) == (200, b"MZ a program")
    check(file, {"default-src 'none'", "sandbox"})


def test_nothing_that_the_admin_shows_stays_in_a_cache(signed_in):
    key = LicenseKeyFactory(assigned=True)
    for path in ("", "licenses/licensekey/", f"licenses/licensekey/{key.pk}/change/", "licenses/signingkey/"):
        kept = signed_in.get(f"/admin/{path}")["Cache-Control"]
        assert "no-store" in kept, path
        assert "private" in kept, path


@pytest.mark.parametrize("https", [True, False])
def test_cookies(client, settings, superuser, monkeypatch, https):
    monkeypatch.setenv("HTTPS", str(https))
    for name, value in runpy.run_path(str(SETTINGS)).items():
        if "_COOKIE_" in name:
            setattr(settings, name, value)
    answer = client.post("/admin/login/", {"login": "root", "password": "a-long-password-1"}, secure=https)
    assert answer.status_code == 302
    prefix = "__Host-" if https else ""  # with it browsers take none that is not secure, or of another host or path
    assert set(answer.cookies) == {f"{prefix}sessionid", f"{prefix}csrftoken"}
    for cookie in answer.cookies.values():
        assert cookie["httponly"]
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
        assert bool(cookie["secure"]) is https
    assert client.get("/admin/", secure=https).status_code == 200


def test_https_brings_browsers_back_over_it(client, settings):
    settings.SECURE_HSTS_SECONDS, settings.SECURE_SSL_REDIRECT = 31_536_000, True
    answer = client.get("/healthz", secure=True)
    assert answer["Strict-Transport-Security"] == "max-age=31536000"
    moved = client.get("/admin/?q=x")
    assert (moved.status_code, moved["Location"]) == (301, "https://testserver/admin/?q=x")
    assert "Content-Security-Policy" in moved
