"""The real server: bodies without a length, old HTTP, what it logs, and that it does not start unable to sign (S24)."""

import contextlib
import json
import socket
import subprocess
import time

import pytest
from cryptography.fernet import Fernet

from licenses import signing
from licenses.models import SigningKey
from tests.factories import LicenseKeyFactory, api_key_text
from tests.server import ROOT, SERVER, free_port, running_portal, server_environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def send(server, *parts, pause=0.0, end=False):
    """The status and the `response` that the server answers on a bare socket; the signature is checked.

    With `end` the client says that nothing more will come.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller:
        for part in parts:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has it all
                caller.sendall(part if isinstance(part, bytes) else part.encode())
            time.sleep(pause)
        if end:
            caller.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: caller.recv(65536), b""))
    head, _, body = text.partition(b"\r\n\r\n")
    envelope = json.loads(body)
    assert any(signing.verify(envelope, key.public_key) for key in SigningKey.objects.all())
    return int(head.split()[1]), envelope["response"]


def head(*headers, path="/api/v1/verify", version="1.1", host="Host: 127.0.0.1"):
    lines = [f"POST {path} HTTP/{version}", host, "Connection: close", JSON, *headers]
    return "\r\n".join(line for line in lines if line) + "\r\n\r\n"


@pytest.fixture
def body(global_key):
    return json.dumps({"api_key": api_key_text(), "license_key": "unknown", "identifier": "domain.ltd"}).encode()


def test_bodies_without_a_length(server, body):
    # Whole, in the smallest chunks, slowly, with an extension and a trailer
    whole = send(server, head(CHUNKED), chunk(body), "0\r\n\r\n")
    bytewise = send(server, head(CHUNKED), b"".join(chunk(bytes([byte])) for byte in body), "0\r\n\r\n")
    slow = send(server, head(CHUNKED), chunk(body[:9]), chunk(body[9:]), "0\r\n\r\n", pause=0.4)
    adorned = send(server, head(CHUNKED), b"%x;a=b\r\n%s\r\n" % (len(body), body), "0\r\nX-Sum: 1\r\n\r\n")
    for status, answer in (whole, bytewise, slow, adorned):
        assert (status, answer["code"]) == (200, 210)

    status, answer = send(server, head(CHUNKED), "0\r\n\r\n")  # nothing at all, not even an API key
    assert (status, answer["code"]) == (401, 100)


BROKEN = (
    b"zz\r\n{}\r\n0\r\n\r\n",  # no number
    b"5\r\n{}\r\n0\r\n\r\n",  # shorter than it says
    b"2\r\n{}XX0\r\n\r\n",  # longer than it says
    b"-1\r\n\r\n",
    b"ffffffffffffffffffff;\x00\r\n{}\r\n",
)


@pytest.mark.statement("S29")
def test_a_broken_chunk_is_answered_sealed_and_the_connection_is_closed(server, body):
    kept_alive = head(CHUNKED).replace("Connection: close\r\n", "")
    smuggled = f"{head('Content-Length: 2', path='/api/v1/activate')}{{}}"
    for broken in BROKEN:
        status, answer = send(server, kept_alive, broken, smuggled)
        assert (status, answer["code"]) == (400, 162), broken
    assert send(server, head(CHUNKED), chunk(body), "0\r\n\r\n")[0] == 200  # the process lives on


CUT_OFF = {
    "application/x-www-form-urlencoded": "api_key={}&license_key={}&identifier=shop.example.com",
    "multipart/form-data; boundary=b": "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"api_key": "{}", "license_key": "{}", "identifier": "shop.example.com"}.items()
    ),
}


@pytest.mark.statement("S29")
@pytest.mark.parametrize("content_type", CUT_OFF)
def test_a_form_that_was_cut_off_is_not_taken_for_a_whole_one(server, global_key, content_type):
    """The client vanishes before the last bytes: nothing runs at `shop.exam`, which nobody asked for."""
    found = LicenseKeyFactory(assigned=True)
    whole = CUT_OFF[content_type].format(api_key_text(), found.license_key).encode()
    request = head(f"Content-Length: {len(whole)}", path="/v1/activate").replace(JSON, f"Content-Type: {content_type}")
    status, answer = send(server, request, whole[:-6], end=True)
    assert (status, answer["code"]) == (400, 162)
    assert not found.activations.exists()
    status, answer = send(server, request, whole)
    assert (status, answer["code"]) == (200, 300)
    assert found.activations.get().identifier == "shop.example.com"


UNREADABLE = [
    "charset=zlib",
    "charset=punycode",
    "charset=undefined",
    "charset=a\tb",
    "x*=nonsense'en'a",
    "x*=a; x*0=b",
]


@pytest.mark.statement("S29")
def test_a_content_type_that_cannot_be_read_is_answered_sealed(server, body):
    """Django reads it, and the query in its charset, before any view or middleware could answer."""
    for parameter in UNREADABLE:
        request = head(f"Content-Length: {len(body)}", path="/v1/verify?a=%ff%5c")
        status, answer = send(server, request.replace(JSON, f"{JSON}; {parameter}"), body)
        assert (status, answer["code"]) == (400, 162), parameter
    for charset in ("utf-8", '"UTF-8"', "iso-8859-1"):
        request = head(f"Content-Length: {len(body)}").replace(JSON, f"{JSON}; charset={charset}")
        assert send(server, request, body)[1]["code"] == 210, charset


UNACCEPTABLE = {
    "nonsense\r\n\r\n": (400, 162),
    "POST /api/v1/verify HTTP/9.9\r\n\r\n": (400, 162),
    head("Odd Name: x"): (400, 162),
    head("Transfer-Encoding: gzip"): (400, 162),
    head(path="/api/v1/verify?license_key=" + "x" * 9000): (413, 164),
    head(f"X-Long: {'x' * 9000}"): (413, 164),
    head(*(f"X-{number}: x" for number in range(200))): (413, 164),
}


@pytest.mark.statement("S29", "S35")
def test_what_is_no_acceptable_request_is_answered_sealed(server, body):
    """gunicorn refuses it before the portal is asked."""
    for request, expected in UNACCEPTABLE.items():
        status, answer = send(server, request)
        assert (status, answer["code"]) == expected, request[:60]
    assert send(server, head(f"Content-Length: {len(body)}"), body)[1]["code"] == 210


def test_a_header_moves_no_path(server, body):
    for moved in ("SCRIPT_NAME: /elsewhere", "PATH_INFO: /admin/", "Script-Name: /elsewhere"):
        assert send(server, head(moved, f"Content-Length: {len(body)}"), body)[1]["code"] == 210, moved


def test_clients_that_vanish_give_their_threads_back(body):
    """Two in the middle of a body, two in the middle of a header, and as many threads: none is left for the fifth."""
    with running_portal(workers=1, threads=4) as server, contextlib.ExitStack() as silent:
        for begun in (
            head("Content-Length: 9"),
            "POST /v1/verify HTTP/1.1\r\nHost: 127",
            head("Content-Length: 9"),
            "P",
        ):
            caller = silent.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            caller.sendall(begun.encode())
        time.sleep(1)
        assert send(server, head(f"Content-Length: {len(body)}"), body)[1]["code"] == 210


def test_old_http(server, body):
    """As WordPress plug-ins ask; and without a Host header, which HTTP/1.0 does not demand."""
    for host in ("Host: 127.0.0.1", ""):
        status, answer = send(server, head(f"Content-Length: {len(body)}", version="1.0", host=host), body)
        assert (status, answer["code"]) == (200, 210)


@pytest.mark.statement("S34", "S38")
def test_what_the_server_itself_logs_holds_no_secret(global_key):
    api_key, found = api_key_text(), LicenseKeyFactory(assigned=True)
    with running_portal(workers=1) as server:
        server.request("GET", f"/admin/?q={found.license_key}", redirect=False)
        server.request("GET", f"/x%0aINFO forged?api_key={api_key}")
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as caller:
            caller.sendall(f"GET /x?api_key={api_key} nonsense\r\n\r\n".encode())
            caller.recv(1000)
    log = server.log.read_text()
    assert '"GET /admin/ HTTP/1.1" 302' in log
    assert r"/x\nINFO forged HTTP/1.1" in log
    assert "Invalid request from" in log
    assert not [secret for secret in (api_key, api_key[11:], found.license_key) if secret in log]


@pytest.mark.statement("S24")
def test_it_does_not_start_without_a_global_signing_key(db):
    stopped = run_until_it_stops()
    assert "There is no global signing key, so no answer can be sealed." in stopped
    assert "create_signing_key" in stopped


@pytest.mark.statement("S24", "S28")
def test_it_does_not_start_with_a_key_that_it_cannot_decrypt(global_key):
    stopped = run_until_it_stops(VAULT_KEYS=Fernet.generate_key().decode())
    assert "cannot be decrypted with any of VAULT_KEYS" in stopped


@pytest.mark.parametrize("name", ["PORT", "PROCESSES", "THREADS"])
def test_nonsense_stops_the_server_by_name(global_key, name):
    assert f"The environment variable {name} must be a whole number" in run_until_it_stops(**{name: "many"})


def run_until_it_stops(**variables):
    """What a server that does not start says."""
    environment = server_environment(free_port(), **variables)
    run = subprocess.run(SERVER, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    return run.stderr
