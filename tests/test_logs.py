"""S34, S38: whatever a line is about, no key, password or token stays in it."""

import json
import logging
import sys
import time

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection
from hypothesis import given
from hypothesis import strategies as st

from licenses.models import LicenseKey
from licensing_portal.logs import DeniedInOneLine, ScrubbingFormatter, scrub, to_stderr
from tests.factories import LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.statement("S34", "S38")

SECRET = "WXYZ-4711 (top/secret)+1=="
PLAIN = "WXYZ-4711-0815"


def line(message: str, *args: object, exc_info=None) -> str:
    record = logging.LogRecord("portal", logging.INFO, __file__, 1, message, args, exc_info)
    return ScrubbingFormatter("{levelname} {message}", style="{").format(record)


@pytest.mark.parametrize(
    "text",
    [
        f"GET /api/v1/verify?api_key={PLAIN}&license_key={PLAIN} HTTP/1.1",
        f"GET /admin/licenses/licensekey/?q={PLAIN} HTTP/1.1",
        f"POST body: api_key={PLAIN}&license_key={PLAIN}&identifier=domain.ltd",
        f"entitlement_key={PLAIN}",
        f"licenseKey: {PLAIN}",
        f"Authorization: Bearer {PLAIN}",
        f"authorization: basic {PLAIN}",
        f"'HTTP_AUTHORIZATION': 'Bearer {PLAIN}'",
        f"X-API-Key: {PLAIN}",
        f"'HTTP_X_API_KEY': '{PLAIN}'",
        f"LICENSE_SERVER_API_KEY={PLAIN}",
        f"SECRET_KEY={PLAIN} VAULT_KEYS={PLAIN},{PLAIN}"[:60],
        f"GET /v1/licenses/{PLAIN}/features/export HTTP/1.1",
        f"Not Found: /api//v1//download/{PLAIN}/{PLAIN}/ZG9tYWlu/102",
        f"Unauthorized: /api/v1/contracts/{PLAIN}/generate",
        f"GET /api/v1/licenses/AB {PLAIN}/features/x?y HTTP/1.1",
        f"password={PLAIN}",
        f"Cookie: sessionid={PLAIN}; csrftoken={PLAIN}",
        f"connecting to postgres://portal:{PLAIN}@db.example.com/portal",
        f"redis://:{PLAIN}@cache.example.com:6379/0",
        "lp_1c960de5" + PLAIN * 3,
        f"-----BEGIN PRIVATE KEY-----\n{PLAIN}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{PLAIN}",
        f"pem=-----BEGIN+ENCRYPTED+PRIVATE+KEY-----%0D%0A{PLAIN}%0D%0A-----END+ENCRYPTED+PRIVATE+KEY-----",
        f"'passphrase': '{PLAIN}'",
    ],
)
def test_it_scrubs(text):
    assert PLAIN not in scrub(text)
    assert "***" in scrub(text)


@pytest.mark.parametrize("name", ["api_key", "license_key", "license_keys", "licenseKey", "password1", "token"])
@pytest.mark.parametrize("value", [SECRET, [SECRET], [SECRET, SECRET]])
def test_it_scrubs_json_and_what_python_prints(name, value):
    body = {"first": 1, name: value, "last": "seen"}
    for text in (json.dumps(body), repr(body), json.dumps(json.dumps(body)), json.dumps(body, indent=1)):
        assert "WXYZ" not in scrub(text), text
        assert "secret)" not in scrub(text), text
        assert "seen" in scrub(text), text


def test_it_keeps_what_is_no_secret():
    text = "INFO gunicorn.access: 127.0.0.1 POST /api/v1/verify HTTP/1.1 200 619 bytes 4 ms"
    assert scrub(text) == text
    assert scrub("2 license keys, 1 token used") == "2 license keys, 1 token used"


@given(st.text(alphabet=st.characters(exclude_categories=["Z", "C"], exclude_characters="&,;})")))
def test_it_scrubs_any_value_of_a_form(value):
    assert "WXYZ" not in scrub(f"body: identifier=x&api_key={value}WXYZ&license_key=WXYZ{value} HTTP")


@pytest.mark.parametrize(
    "piece",
    [
        "/",
        "?",
        "license_key=",
        "license_key=[",
        "Key (",
        "Key (a)=(",
        "://a:",
        '"api_key": "',
        "Failing row contains (",
    ],
)
def test_a_hostile_path_costs_no_time(piece):
    text = (piece * 9000)[:9000]
    start = time.process_time()
    scrub(text)
    assert time.process_time() - start < 1


def test_a_line_break_in_a_message_forges_no_line():
    text = line("Not Found: %s", "/x\r\n2026-01-01 INFO portal: all is well\x1b[31m")
    assert text == r"INFO Not Found: /x\r\n2026-01-01 INFO portal: all is well\x1b[31m"


@pytest.mark.django_db(transaction=True)
def test_it_scrubs_the_values_that_a_database_error_quotes():
    """psycopg's text holds `Key (license_key)=(…) already exists.`; SQLite's holds no value at all."""
    product = ProductFactory()
    LicenseKey.objects.create(product=product, license_key=SECRET)
    try:
        LicenseKey.objects.create(product=product, license_key=SECRET)
    except IntegrityError:
        text = line("It failed", exc_info=sys.exc_info())
    assert "WXYZ" not in text
    assert "IntegrityError" in text
    if connection.vendor == "postgresql":
        assert "Key (license_key)=(***) already exists." in text


@pytest.mark.django_db(transaction=True)
def test_it_scrubs_the_row_that_a_failed_check_quotes():
    found = LicenseKeyFactory(license_key=SECRET)
    try:
        LicenseKey.objects.filter(pk=found.pk).update(validity_days=99_999)
    except IntegrityError as error:
        text = line("It failed: %s", error, exc_info=sys.exc_info())
    assert "WXYZ" not in text
    assert "license_key_validity_at_most_a_century" in text


def test_the_text_of_psycopg_is_the_one_we_scrub():
    detail = f"DETAIL:  Key (lower(email::text), license_key)=(a@b.example, {SECRET}) already exists."
    assert "WXYZ" not in line("It failed: %s", psycopg.errors.UniqueViolation(f"duplicate key\n{detail}\nCONTEXT: x"))


def test_a_refused_page_is_one_line():
    """Without the traceback that Django adds; the one of a defect stays."""
    refused = logging.LogRecord(
        "x", logging.WARNING, __file__, 1, "No", (), (PermissionDenied, PermissionDenied(), None)
    )
    assert DeniedInOneLine().filter(refused)
    assert refused.exc_info is None
    defect = logging.LogRecord("x", logging.ERROR, __file__, 1, "It failed", (), (ValueError, ValueError("x"), None))
    assert DeniedInOneLine().filter(defect)
    assert defect.exc_info
    assert to_stderr("INFO")["handlers"]["stderr"]["filters"] == ["denied"]


def test_every_logger_goes_the_one_way():
    """What the framework and the server print on their own would not be scrubbed."""
    configured = to_stderr("WARNING")
    assert configured["root"] == {"handlers": ["stderr"], "level": "WARNING"}
    for name in ("django", "django.server", "gunicorn.error", "gunicorn.access"):
        assert configured["loggers"][name] == {"handlers": [], "level": "NOTSET", "propagate": True}


def test_no_handler_of_django_is_left_outside():
    found = [
        (name, handler)
        for name in logging.root.manager.loggerDict
        for handler in getattr(logging.getLogger(name), "handlers", [])
        if name.split(".")[0] in ("django", "gunicorn", "licenses", "settings_api", "licensing_portal", "environ")
    ]
    assert not found
