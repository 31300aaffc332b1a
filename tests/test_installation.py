"""GET /api/license/status: the license that the portal itself runs under, looked up here or on another portal."""

import json
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import time_machine
import urllib3
from django.core.cache import cache

from licenses import signing
from licenses.models import LicenseKeyMetadata, SigningKey
from licenses.services import outgoing
from licenses.services.installation import license_status
from settings_api.changes import Caller, change_settings
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, ProductFactory, api_key_text
from tests.settings_door import SettingsApi

pytestmark = pytest.mark.django_db

HOST = socket.gethostname()
NOTHING_KNOWN = {
    "licenseType": "Commercial",
    "licenseModel": "Subscription",
    "licenseState": "INVALID",
    "expireDate": None,
}
EXPIRY = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
EXPIRY_MS = 4_102_444_799_000
THEIR_KEY = signing.generate_private_key()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for variable in ("LICENSE_KEY", "LICENSE_KEY_FILE"):
        monkeypatch.delenv(variable, raising=False)
    cache.clear()
    yield
    cache.clear()


def install(license_key):
    """Make it the key that this installation runs under."""
    caller = Caller("tests", door="command", may_change=True)
    change_settings({"licenseKey": license_key}, caller=caller, replace=False)


def own_license(*, activated=True, metadata=(), **fields):
    key = LicenseKeyFactory(**{"assigned": True, **fields})
    if activated:
        ActivationFactory(license_key=key, identifier=HOST)
    for name, value in dict(metadata).items():
        LicenseKeyMetadata.objects.create(license_key=key, name=name, value=value)
    install(key.license_key)
    return key


# Here


def test_status_is_flat_and_in_order(client):
    own_license(expires_at=EXPIRY, metadata={"licenseType": "Trial", "licenseModel": "Perpetual", "seats": "5"})
    api = SettingsApi(client, api_key_text("read-settings"))
    body = api.get("status")
    assert api.status == 200
    assert list(body) == ["data", "meta"]
    assert list(body["data"].items()) == [
        ("licenseType", "Trial"),
        ("licenseModel", "Perpetual"),
        ("licenseState", "VALID"),
        ("expireDate", EXPIRY_MS),
    ]


def test_a_license_without_metadata_and_expiry_has_the_documented_words():
    own_license()
    assert license_status() == NOTHING_KNOWN | {"licenseState": "VALID"}


def test_no_key_is_invalid():
    assert license_status() == NOTHING_KNOWN


def test_an_unknown_key_is_invalid():
    install("NOBODY-KNOWS-THIS-KEY")
    assert license_status() == NOTHING_KNOWN


def test_an_expired_key_is_expired_and_says_since_when():
    key = own_license(expired=True, metadata={"licenseType": "Trial"})
    assert license_status() == {
        "licenseType": "Trial",
        "licenseModel": "Subscription",
        "licenseState": "EXPIRED",
        "expireDate": int(key.expires_at.timestamp() * 1000),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"activated": False},
        {"status": "blocked"},
        {"assigned": False, "activated": False},
        {"product": "inactive"},
    ],
    ids=["not activated on this host", "blocked", "not assigned", "its product inactive"],
)
def test_everything_else_is_invalid(fields):
    if "product" in fields:
        fields = {"product": ProductFactory(status="inactive")}
    own_license(**fields)
    assert license_status()["licenseState"] == "INVALID"


def test_an_activation_elsewhere_is_not_this_installation():
    key = own_license(activated=False)
    ActivationFactory(license_key=key, identifier=f"not-{HOST}")
    assert license_status()["licenseState"] == "INVALID"


def test_the_key_of_the_environment_counts(monkeypatch):
    key = own_license()
    install("ANOTHER-LICENSE-KEY-1")
    monkeypatch.setenv("LICENSE_KEY", key.license_key)
    assert license_status()["licenseState"] == "VALID"


def test_it_is_a_verification_like_any_other():
    key = own_license()
    license_status()
    assert key.activations.get().last_verified_at is not None


# There: a real second portal over HTTP


@pytest.fixture
def second_portal(live_server, settings, transactional_db):
    """The live server as the license server; this installation asks it over HTTP and trusts its public keys alone."""
    from licenses.services.products import create_product
    from licenses.services.signing_keys import create_signing_key

    create_signing_key(product=None, actor=ACTOR)
    product = create_product(name="The portal", actor=ACTOR)
    settings.LICENSE_SERVER_URL = f"{live_server.url}/"
    settings.LICENSE_SERVER_API_KEY = api_key_text("verify", "get-license-key-details", "activate")
    settings.LICENSE_SERVER_PUBLIC_KEY = "\n".join(SigningKey.objects.values_list("public_key", flat=True))
    return product


def test_a_second_portal_says_what_it_knows(second_portal, settings):
    key = own_license(product=second_portal, activated=False, expires_at=EXPIRY, metadata={"licenseModel": "Perpetual"})
    assert license_status() == NOTHING_KNOWN
    cache.clear()
    urllib3.request(
        "POST",
        f"{settings.LICENSE_SERVER_URL}api/v1/activate",
        headers={"Connection": "close"},
        fields={"license_key": key.license_key, "identifier": HOST, "api_key": settings.LICENSE_SERVER_API_KEY},
    )
    assert license_status() == {
        "licenseType": "Commercial",
        "licenseModel": "Perpetual",
        "licenseState": "VALID",
        "expireDate": EXPIRY_MS,
    }


def test_a_second_portal_says_that_the_key_expired(second_portal):
    own_license(product=second_portal, expired=True)
    assert license_status()["licenseState"] == "EXPIRED"


def test_a_second_portal_that_does_not_know_the_key_makes_it_invalid(second_portal):
    install("NOBODY-KNOWS-THIS-KEY")
    assert license_status() == NOTHING_KNOWN


def test_keys_may_come_on_one_line(second_portal, settings):
    own_license(product=second_portal)
    settings.LICENSE_SERVER_PUBLIC_KEY = settings.LICENSE_SERVER_PUBLIC_KEY.replace("\n", "\\n")
    assert license_status()["licenseState"] == "VALID"


@pytest.mark.statement("S24")
@pytest.mark.parametrize("public_key", ["nonsense", signing.public_pem(THEIR_KEY)])
def test_an_answer_that_another_key_signed_does_not_count(second_portal, settings, public_key):
    own_license(product=second_portal)
    settings.LICENSE_SERVER_PUBLIC_KEY = public_key
    assert license_status() == NOTHING_KNOWN


def test_both_variables_name_the_second_portal_or_none(settings):
    own_license()
    settings.LICENSE_SERVER_URL = "http://127.0.0.1:1"
    assert license_status()["licenseState"] == "VALID", "without its public key it is not asked"


# There: a server that does not do what it should


class LicenseServer:
    """A real HTTP server. `answers` maps an endpoint to the response it signs, `raw` to bytes it sends as they are."""

    def __init__(self, url):
        self.url = url
        self.calls = []
        self.sign_with = THEIR_KEY
        self.timestamp = time.time
        self.chunk, self.pause = 100_000, 0  # bytes, seconds
        self.raw = {}
        self.answers = {"verify": {"code": 200, "message": "Valid license key"}, "get-license-key-details": details()}

    def reply(self, endpoint):
        self.calls.append(endpoint)
        if endpoint in self.raw:
            return self.raw[endpoint]
        response = self.answers[endpoint] | {"timestamp": int(self.timestamp())}
        envelope = signing.seal(response, private_key=self.sign_with, label="product")
        return 200, {}, json.dumps(envelope).encode()


KEY = "THE-KEY-OF-THIS-INSTALLATION"


def details(**changes):
    row = {"license_key": KEY, "meta_data": [{"key": "licenseType", "value": "Trial"}], "expires_at": False}
    return {"code": 500, "message": "Active license key found", "licenseKey": row | changes}


@pytest.fixture
def server(settings):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.portal.received = (dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = self.server.portal.reply(self.path.rpartition("/")[2])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.drip(body)

        def drip(self, body):
            for start in range(0, len(body), self.server.portal.chunk):
                self.wfile.write(body[start : start + self.server.portal.chunk])
                time.sleep(self.server.portal.pause)

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.portal = LicenseServer(f"http://127.0.0.1:{http.server_port}")
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    settings.LICENSE_SERVER_URL = http.portal.url
    settings.LICENSE_SERVER_PUBLIC_KEY = signing.public_pem(THEIR_KEY)
    settings.LICENSE_SERVER_API_KEY = "lp_test"
    install(KEY)
    yield http.portal
    http.shutdown()
    http.server_close()


VALID = NOTHING_KNOWN | {"licenseType": "Trial", "licenseState": "VALID"}
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def later(by):
    return time_machine.travel(datetime.now(UTC) + by)


def test_it_asks_with_the_key_in_the_body_and_the_token_in_the_header(server):
    assert license_status() == VALID
    headers, body = server.received
    assert headers["Authorization"] == "Bearer lp_test"
    assert json.loads(body) == {"license_key": KEY, "identifier": HOST}


def test_an_answer_is_remembered_for_an_hour(server):
    assert [license_status(), license_status()] == [VALID, VALID]
    assert server.calls == ["verify", "get-license-key-details"]
    server.answers["verify"] = {"code": 204, "message": "License key blocked"}
    with later(HOUR - timedelta(minutes=1)):
        assert license_status() == VALID
    with later(HOUR + timedelta(minutes=1)):
        assert license_status() == NOTHING_KNOWN


def test_another_key_is_asked_about_at_once(server):
    assert license_status() == VALID
    install("ANOTHER-LICENSE-KEY-1")
    server.answers["verify"] = {"code": 210, "message": "Invalid license key"}
    assert license_status() == NOTHING_KNOWN


def test_an_expired_key_keeps_what_was_known_about_it(server):
    server.answers["get-license-key-details"] = details(expires_at="2099-12-31 23:59:59")
    assert license_status() == VALID | {"expireDate": EXPIRY_MS}
    server.answers["verify"] = {"code": 205, "message": "License key expired"}
    with later(2 * HOUR):
        assert license_status() == VALID | {"expireDate": EXPIRY_MS, "licenseState": "EXPIRED"}


@pytest.mark.parametrize("code", [100, 101, 102, 103, 201, 202, 203, 204, 210, 215, "200", 2000, True, None, [200]])
def test_every_other_code_is_invalid(server, code):
    server.answers["verify"] = {"code": code, "message": "?"}
    assert license_status() == NOTHING_KNOWN


def break_signature(server):
    server.sign_with = signing.generate_private_key()


def break_connection(server):
    server.raw = {"verify": (200, {}, b"")}


def redirect(server):
    server.raw = {"verify": (307, {"Location": f"{server.url}/api/v1/elsewhere"}, b"")}
    server.answers["elsewhere"] = {"code": 210, "message": "Invalid license key"}


def say_too_much(server):
    server.raw = {"verify": (200, {}, b" " * 70_000)}


def talk_nonsense(server):
    server.raw = {"verify": (200, {}, b"<html>")}


def nest_deeply(server):
    server.raw = {"verify": (200, {}, b"[" * 60_000)}


def send_a_list(server):
    server.raw = {"verify": (200, {}, b"[1]")}


def replay(server):
    server.timestamp = lambda: time.time() - 301


def run_ahead(server):
    server.timestamp = lambda: time.time() + 301


def lose_its_database(server):
    server.answers["verify"] = {"code": 198, "message": "Service unavailable"}


def crash(server):
    server.answers["verify"] = {"code": 199, "message": "Internal error"}


def sign_something_else(server):
    server.answers["verify"] = {"event": "license_key.assigned"}


def describe_another_key(server):
    server.answers["get-license-key-details"] = details(license_key="SOMEBODY-ELSES-KEY")


def forget_the_details(server):
    server.answers["get-license-key-details"] = {"code": 500, "message": "Active license key found"}


def garble_the_details(server):
    server.answers["get-license-key-details"] = details(expires_at="tomorrow")


FAILURES = [
    break_signature,
    break_connection,
    redirect,
    say_too_much,
    talk_nonsense,
    nest_deeply,
    send_a_list,
    replay,
    run_ahead,
    lose_its_database,
    crash,
    sign_something_else,
    describe_another_key,
    forget_the_details,
    garble_the_details,
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_an_answer_that_does_not_count_leaves_the_last_good_one_for_a_week(server, failure, caplog):
    failure(server)
    assert license_status() == NOTHING_KNOWN, "nothing is guessed"
    cache.clear()
    server.__init__(server.url)
    assert license_status() == VALID
    failure(server)
    calls = len(server.calls)
    with later(2 * HOUR):
        assert license_status() == VALID
    assert len(server.calls) > calls, "it was not asked"
    assert "elsewhere" not in server.calls
    assert "gave no answer that counts" in caplog.text
    assert KEY not in caplog.text
    with later(WEEK - HOUR):
        assert license_status() == VALID
    with later(WEEK + HOUR):
        assert license_status() == NOTHING_KNOWN


def test_a_server_that_drips_is_not_waited_for(server, monkeypatch, caplog):
    monkeypatch.setattr(outgoing, "TIME_LIMIT", 0.3)
    server.chunk, server.pause = 1, 0.05
    began = time.monotonic()
    assert license_status() == NOTHING_KNOWN
    assert time.monotonic() - began < 3
    assert "too long or too slow" in caplog.text


def test_a_server_that_is_gone_is_asked_once_a_minute(server, settings, caplog):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.LICENSE_SERVER_URL = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        assert [license_status() for _ in range(3)] == [NOTHING_KNOWN] * 3
        assert caplog.text.count("gave no answer that counts") == 1
        with later(timedelta(seconds=61)):
            assert license_status() == NOTHING_KNOWN
        assert caplog.text.count("gave no answer that counts") == 2


@pytest.mark.statement("R15")
@pytest.mark.parametrize("skew", [-299, 299])
def test_a_clock_may_be_five_minutes_off(server, skew):
    server.timestamp = lambda: time.time() + skew
    assert license_status() == VALID


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[", "http://127.0.0.1:99999"])
def test_a_url_that_leads_nowhere_is_no_crash(server, settings, url):
    settings.LICENSE_SERVER_URL = url
    assert license_status() == NOTHING_KNOWN


@pytest.mark.parametrize("api_key", ["", "two\r\nlines", "ünicode \u2028"])
def test_a_token_that_no_header_can_hold_is_no_crash(server, settings, api_key, caplog):
    settings.LICENSE_SERVER_API_KEY = api_key
    assert license_status()["licenseState"] in ("VALID", "INVALID")
    assert "lines" not in caplog.text


@pytest.mark.statement("S38")
def test_the_cache_holds_no_secret(server):
    license_status()
    entries = repr(cache._cache)
    assert KEY not in entries
    assert "lp_test" not in entries
