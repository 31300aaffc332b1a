"""The black box: the real server as a process, asked over HTTP as the documents ask, each signature checked."""

import base64
import http.client
import json
import re
import subprocess

import pytest

from licenses.models import LicenseKey, SigningKey
from licenses.services.products import create_product
from tests.environment import WORK_DIR
from tests.factories import ACTOR, LicenseKeyFactory, api_key_text
from tests.server import running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

IDENTIFIER = "domain.ltd"
POST_URL = "https://domain.ltd/receiver.php?example-post-url=test"


@pytest.fixture
def story(global_key):
    """What the documented requests find: a product with a key of its own, and license keys in every state."""
    product = create_product(name="Test Product", description="A product with its own key", actor=ACTOR)
    inactive = create_product(name="Old", status="inactive", own_signing_key=False, actor=ACTOR)
    texts = {
        "available": LicenseKeyFactory(product=product, activation_limit=1),
        "spare": LicenseKeyFactory(product=product),
        "blocked": LicenseKeyFactory(product=product, status="blocked"),
        "expired": LicenseKeyFactory(product=product, expired=True),
        "inactive": LicenseKeyFactory(product=inactive, assigned=True),
    }
    return {name: key.license_key for name, key in texts.items()} | {"unknown": "276fac24-3dd1-429f-b8ff"}


NOT_ASSIGNED = "This license key is not assigned"
NOT_AVAILABLE = "Invalid or already assigned license key"
NO_ACTIVATION = "No activation found for this license key/identifier combination"
INACTIVE = "The product associated with this license key is not active or doesn't exist"
CREATE, UPDATE, DELETE = (f"{verb}-license-key-meta" for verb in ("create", "update", "delete"))
DETAILS = "get-license-key-details"
WITH_ID = {"identifier": IDENTIFIER}
META = WITH_ID | {"key": "test-key"}
OTHER_META = WITH_ID | {"key": "test", "value": "y"}
OWNER = {"owner_name": "Test User", "email": "email@domain.ltd"}

# endpoint, which license key, other parameters, then what is documented: code, message, label, extra fields
STORY = [
    ("verify", "unknown", WITH_ID, 210, "Invalid license key", "global", {}),
    ("verify", "available", WITH_ID, 201, NOT_ASSIGNED, "product", {}),
    (CREATE, "available", META | {"value": "v"}, 201, NOT_ASSIGNED, "product", {}),
    ("assign-license-key", "unknown", OWNER, 801, NOT_AVAILABLE, "global", {}),
    ("assign-license-key", "available", OWNER, 800, "License key assigned", "global", {}),
    ("assign-license-key", "available", OWNER, 801, NOT_AVAILABLE, "global", {}),
    ("verify", "available", WITH_ID, 202, NO_ACTIVATION, "product", {}),
    ("verify", "blocked", WITH_ID, 204, "License key blocked", "product", {}),
    ("verify", "expired", WITH_ID, 205, "License key expired", "product", {}),
    ("verify", "inactive", WITH_ID, 203, INACTIVE, "global", {}),
    ("activate", "available", {}, 215, "Identifier is required", "product", {}),
    ("activate", "available", WITH_ID | {"post_url": POST_URL}, 300, "License key activated", "product", {}),
    ("activate", "available", WITH_ID, 301, "License key already active", "product", {}),
    ("activate", "available", {"identifier": "x"}, 302, "License key reached activation limit", "product", {}),
    ("verify", "available", WITH_ID, 200, "Valid license key", "product", {}),
    (CREATE, "available", WITH_ID, 450, "Meta key is required", "product", {}),
    (CREATE, "available", META, 451, "Meta value is required", "product", {}),
    (CREATE, "available", META | {"value": "x"}, 453, "Metadata created", "product", {"meta_id": int}),
    (CREATE, "available", META | {"value": "x"}, 452, "Meta key already exists", "product", {}),
    (UPDATE, "available", WITH_ID, 350, "Meta key is required", "product", {}),
    (UPDATE, "available", META, 351, "Meta value is required", "product", {}),
    (UPDATE, "available", META | {"value": "y"}, 353, "Metadata updated", "product", {"meta_id": int}),
    (UPDATE, "available", OTHER_META, 352, "Meta key doesn't exist", "product", {}),
    (DETAILS, "available", WITH_ID, 500, "Active license key found", "product", {"licenseKey": dict, "product": dict}),
    (DELETE, "available", WITH_ID, 250, "Meta key is required", "product", {}),
    (DELETE, "available", META, 252, "Metadata deleted", "product", {}),
    (DELETE, "available", META, 251, "Meta key doesn't exist", "product", {}),
    ("deactivate", "available", WITH_ID, "400", "License key deactivated", "global", {}),
    ("deactivate", "available", WITH_ID, 401, "License key already inactive", "product", {}),
    (DETAILS, "available", WITH_ID, 202, NO_ACTIVATION, "product", {}),
]


def check(server, answer, code, message, label, fields):
    assert (answer["code"], answer["message"]) == (code, message)
    assert type(answer["code"]) is type(code)
    assert list(answer) == ["code", "message", *fields, "timestamp"]
    assert {name: type(answer[name]) for name in fields} == fields
    assert (server.status, server.envelope["private_key_used"]) == (200, label)


def as_json(server, endpoint, api_key, params):
    http = server.request(
        "POST",
        f"/v1/{endpoint}",
        body=json.dumps(params).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {api_key}"},
    )
    server.status, server.envelope = http.status, http.json()
    return server.envelope["response"]


@pytest.mark.parametrize("style", ["form", "json"])
def test_every_documented_answer(story, style):
    api_key = api_key_text()
    with running_portal() as server:
        for endpoint, which, params, code, message, label, fields in STORY:
            sent = {"license_key": story[which], **params}
            answer = (
                server.call(endpoint, api_key, **sent) if style == "form" else as_json(server, endpoint, api_key, sent)
            )
            check(server, answer, code, message, label, fields)


def test_openssl_verifies_an_answer(server, story):
    server.call("verify", api_key_text(), license_key=story["expired"], identifier=IDENTIFIER)
    for name, data in {
        "answer.pem": SigningKey.objects.get(product__name="Test Product").public_key.encode(),
        "answer.sig": base64.b64decode(server.envelope["signature"]),
        "answer.b64": server.envelope["response_base64"].encode(),
    }.items():
        (WORK_DIR / name).write_bytes(data)
    command = ["openssl", "dgst", "-sha256", "-verify", "answer.pem", "-signature", "answer.sig", "answer.b64"]
    run = subprocess.run(command, cwd=WORK_DIR, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "Verified OK")


def test_bodies_without_a_length_and_old_http(server, story):
    """Chunked JSON (D18) as the JavaScript client sends it; HTTP/1.0 as shop plug-ins do."""
    api_key = api_key_text()
    body = json.dumps({"license_key": story["unknown"], "api_key": api_key}).encode()
    caller = http.client.HTTPConnection("127.0.0.1", server.port)
    chunks = (body[start : start + 7] for start in range(0, len(body), 7))
    caller.request("POST", "/v1/verify", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
    assert json.load(caller.getresponse())["response"]["code"] == 210

    caller = http.client.HTTPConnection("127.0.0.1", server.port)
    caller._http_vsn, caller._http_vsn_str = 10, "HTTP/1.0"
    caller.request("POST", "//v1//verify/", body, {"Content-Type": "application/json"})
    assert json.load(caller.getresponse())["response"]["code"] == 210


@pytest.mark.statement("S35")
@pytest.mark.parametrize("chunked", [True, False])
def test_a_large_body_is_refused(server, global_key, chunked):
    caller = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    size = 1024 * 1024 + 1
    body = (b"x" * 65536 for _ in range(17)) if chunked else b"x" * size
    caller.request("POST", "/v1/verify", body, {"Content-Type": "application/json"}, encode_chunked=chunked)
    answer = caller.getresponse()
    assert (answer.status, json.load(answer)["response"]["code"]) == (413, 164)
    assert server.request("GET", "/healthz").status == 200, "the server goes on"


@pytest.mark.statement("S38", "S34")
def test_no_log_holds_a_secret(story):
    """The API key in query, body and header, good and bad calls, a crash in between: the log shows none of it."""
    api_key = api_key_text()
    with running_portal(workers=1, LOG_LEVEL="DEBUG") as server:
        for endpoint, which, params, *_ in STORY:
            server.call(endpoint, api_key, license_key=story[which], **params)
        query = f"api_key={api_key}&license_key={story['available']}&identifier=x"
        server.request("POST", f"/v1/verify?{query}")
        server.request("GET", f"/v1/verify?{query}")
        server.request("GET", f"/nonsense?{query}")
        server.request("POST", "/v1/nonsense", headers={"Authorization": f"Bearer {api_key}"})
    log = server.log.read_text()
    assert "gunicorn" in log or "Booting" in log, "the log is not empty"
    secrets = [api_key, *story.values(), *LicenseKey.objects.values_list("license_key", flat=True)]
    for secret in secrets:
        assert secret not in log
    assert not re.search(r"lp_[A-Za-z0-9_-]{20,}", log)
