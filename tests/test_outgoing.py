"""S30: calls to addresses that somebody else has named reach nothing that is not public, and end in time."""

import ast
import re
import socket
import ssl
import struct
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from licenses.services import outgoing
from licenses.services.outgoing import NotSent, Uncertain
from tests.server import free_port
from tests.stand_ins import drip, raw_server, read_request, receiving

pytestmark = pytest.mark.statement("S30")
ROOT = Path(__file__).resolve().parent.parent

PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


@pytest.fixture
def allowed(settings):
    """This machine counts as public."""
    settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


@pytest.fixture
def connected(monkeypatch):
    """The addresses that were connected to. None of them is outside of this machine."""
    addresses: list[str] = []
    connect = socket.socket.connect

    def watched(self, address):
        addresses.append(address[0])
        if not address[0].startswith("127."):
            raise ConnectionRefusedError
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    return addresses


@pytest.fixture
def names(monkeypatch):
    """What names resolve to: a list of addresses for each time that somebody asks, the last for all further times."""
    known: dict[str, list[list[str]]] = {}
    resolve = socket.getaddrinfo

    def look_up(host, port, *args, flags=0, **options):
        if host not in known or flags & socket.AI_NUMERICHOST:
            return resolve(host, port, *args, flags=flags, **options)
        answers = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in answers]
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port))
            for family, address in zip(families, answers, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def post(url: str) -> outgoing.Response:
    return outgoing.post(url, body=b'{"a":1}', headers={"Content-Type": "application/json"})


# What it does


def test_it_posts_and_gets(allowed, receiver):
    receiver.answers(201, b"done")
    assert post(f"{receiver.url}/hook/ä b?key=s%20ecret&x=1#part".replace(" ", "%20")) == (201, b"done")
    (request,) = receiver.received
    assert (request.method, request.body) == ("POST", b'{"a":1}')
    assert request.path == "/hook/%C3%A4%20b?key=s%20ecret&x=1"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["Content-Length"] == "7"
    assert outgoing.get(receiver.url, headers={"Authorization": "Bearer t"}).status == 201
    assert receiver.received[1].headers["Authorization"] == "Bearer t"
    assert (receiver.received[1].method, receiver.received[1].path) == ("GET", "/")


@pytest.mark.parametrize("status", [200, 204, 302, 404, 410, 500, 503])
def test_an_answer_is_an_answer_whatever_it_says(allowed, receiver, status):
    receiver.answers(status)
    assert post(receiver.url).status == status
    assert post(receiver.url).is_success == (status < 300)


def test_it_takes_the_next_address_when_the_first_refuses(allowed, receiver, names, connected):
    names["shop.example"] = [["127.0.0.9", "127.0.0.1"]]
    assert post(f"http://shop.example:{receiver.port}/").status == 200
    assert connected == ["127.0.0.9", "127.0.0.1"]
    assert receiver.received[0].headers["Host"] == f"shop.example:{receiver.port}"


# Where it does not go

FORBIDDEN = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST.",
    "app.localhost",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.7",
    "198.18.0.1",
    "192.88.99.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:93.184.215.14]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "127.0.0.1",  # full-width digits
    "ⓛocalhost",
]


@pytest.mark.parametrize("host", FORBIDDEN)
def test_it_refuses_an_address_that_is_not_public(connected, host):
    for scheme in ("http", "https"):
        with pytest.raises(NotSent):
            post(f"{scheme}://{host}:8000/")
        assert outgoing.problem_with(f"{scheme}://{host}/"), "it shows before anything is asked"
    assert connected == []


@pytest.mark.parametrize("address", [PUBLIC, OTHER_PUBLIC, "8.8.8.8", "2a00:1450:4001:82b::200e"])
def test_public_addresses_are_allowed(address):
    assert outgoing.is_allowed(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", f"::ffff:{PUBLIC}"])
@pytest.mark.parametrize("others", [[], [PUBLIC]])
def test_it_refuses_a_name_with_one_such_address(names, connected, address, others):
    names["shop.example"] = [[*others, address, *others]]
    with pytest.raises(NotSent, match="not public"):
        post("http://shop.example/")
    assert connected == []
    assert outgoing.problem_with("http://shop.example/") == "", "a name is not resolved before it is called"


def test_a_name_that_answers_differently_the_next_time_changes_nothing(names, connected, receiver):
    """Rebinding: public when it is checked, this machine when it is connected to."""
    names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(NotSent):
        post(f"http://rebind.example:{receiver.port}/")
    assert connected == [PUBLIC]
    assert receiver.received == []
    assert names["rebind.example"] == [["127.0.0.1"]], "it was resolved once"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "/path",
        "//shop.example/",
        "file:///etc/passwd",
        "ftp://shop.example/",
        "gopher://shop.example/",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://.",
        "http://.example/",
        "http://user@shop.example/",
        "http://user:password@shop.example/",
        "http://shop.example\\@127.0.0.1/",
        "http://127.0.0.1#@shop.example@/",
        "http://shop.example:0/",
        "http://shop.example:99999/",
        "http://shop.example:x/",
        "http://shop .example/",
        "http://shop.example/a b",
        "http://shop.example/\r\nHost: evil",
        "http://shop.example/\x00",
        "http://shop%2eexample/",
        "http://[::1/",
        "http://[v1.x]/",
        "http://[fe80::1%25eth0]/",
        "http://" + "a" * 300 + ".example/",
        "http://\ud800/",
    ],
)
def test_it_refuses_what_is_no_such_url(connected, url):
    with pytest.raises(NotSent):
        post(url)
    assert connected == []
    assert outgoing.problem_with(url) or len(url) > 300


def test_it_says_nothing_against_a_good_url():
    for url in ("https://shop.example/?webhook=secret", "http://93.184.215.14:8080/x", f"https://[{OTHER_PUBLIC}]/"):
        assert outgoing.problem_with(url) == ""


def test_it_follows_no_redirect(allowed, connected, receiver):
    for location in ("http://169.254.169.254/latest/meta-data/", f"{receiver.url}/elsewhere", "file:///etc/passwd"):
        receiver.answers(302, Location=location)
        assert post(f"{receiver.url}/hook").status == 302
    assert {request.path for request in receiver.received} == {"/hook"}
    assert set(connected) == {"127.0.0.1"}


def test_it_asks_no_proxy_of_the_environment(allowed, receiver, monkeypatch):
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert post(receiver.url).status == 200
        assert (len(receiver.received), proxy.received) == (1, [])


# What has arrived


def test_a_refused_connection_has_sent_nothing(allowed):
    with pytest.raises(NotSent, match="refused"):
        post(f"http://127.0.0.1:{free_port()}/")


def test_an_unknown_name_has_sent_nothing(names, monkeypatch):
    def unknown(*args, **options):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSent, match="resolved"):
        post("http://shop.example/")


def test_a_slow_resolver_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(outgoing, "TIME_LIMIT", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: time.sleep(1) or [])
    started = time.monotonic()
    with pytest.raises(NotSent, match="resolved"):
        post("http://shop.example/")
    assert time.monotonic() - started < 0.9


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1", b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", "reset"],
)
def test_what_was_sent_and_not_answered_is_uncertain(allowed, answer):
    def serve(connection):
        read_request(connection)
        reset(connection) if answer == "reset" else connection.sendall(answer)

    with raw_server(serve) as server:
        with pytest.raises(Uncertain, match="It was sent"):
            post(server.url)
        assert server.connections == 1


# How long and how much


def test_it_waits_for_no_answer_longer_than_the_limit(allowed, monkeypatch):
    monkeypatch.setattr(outgoing, "TIME_LIMIT", 0.5)

    def silence(connection):
        read_request(connection)
        time.sleep(3)

    def slow_head(connection):
        read_request(connection)
        drip(connection, b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200)

    for serve in (silence, slow_head):
        with raw_server(serve) as server:
            started = time.monotonic()
            with pytest.raises(Uncertain):
                post(server.url)
            assert 0.4 < time.monotonic() - started < 1.5


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "endless"),
    [
        (b"", b"X-More: " + b"x" * 100 + b"\r\n"),
        (b"X-Long: ", b"x" * 1000),
        (CHUNKED, b"ffffffffffffffff;"),
        (CHUNKED, b"1" * 1000),
    ],
    ids=["headers", "a header", "a chunk's parameters", "a chunk's length"],
)
def test_a_head_or_a_chunk_without_an_end_is_not_read_to_it(allowed, monkeypatch, first, endless):
    monkeypatch.setattr(outgoing, "TIME_LIMIT", 2)
    sent = 0

    def serve(connection):
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + first)
        while sent < 100_000_000:
            connection.sendall(endless)
            sent += len(endless)

    with raw_server(serve) as server:
        started = time.monotonic()
        with suppress(Uncertain):
            assert post(server.url).body == b""
        assert time.monotonic() - started < 2.5
    assert sent < 50_000_000


def test_a_slow_body_ends_at_the_limit(allowed, monkeypatch):
    monkeypatch.setattr(outgoing, "TIME_LIMIT", 0.5)

    def serve(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        drip(connection, b"x" * 500)

    with raw_server(serve) as server:
        started = time.monotonic()
        status, body = post(server.url)
        assert time.monotonic() - started < 1.5
        assert status == 200, "it has answered"
        assert 0 < len(body) < 100


@pytest.mark.parametrize("chunked", [False, True])
def test_it_reads_64_kilobytes_at_most(allowed, chunked):
    sent = 0

    def serve(connection):
        nonlocal sent
        read_request(connection)
        head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100000000"
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        piece = b"x" * 100_000
        while sent < 100_000_000:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            sent += len(piece)

    with raw_server(serve) as server:
        assert len(post(server.url).body) == 64 * 1024
    assert sent < 50_000_000


def test_it_unpacks_nothing(allowed, receiver):
    receiver.answers(200, b"\x1f\x8b as it came", **{"Content-Encoding": "gzip"})
    assert post(receiver.url).body == b"\x1f\x8b as it came"


# TLS


def certificate_for(name, folder):
    """A certificate for this name, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(tmp_path, monkeypatch):
    """A TLS server with a certificate for shop.example that this machine trusts."""
    path = certificate_for("shop.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as wrapped:
            read_request(wrapped)
            wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with raw_server(serve) as server:
        yield server


def test_tls_checks_the_name_and_not_the_address(allowed, names, tls_server):
    names["shop.example"] = names["other.example"] = [["127.0.0.1"]]
    assert post(f"https://shop.example:{tls_server.port}/") == (200, b"ok")
    for host in ("other.example", "127.0.0.1"):
        with pytest.raises(NotSent, match="certificate"):
            post(f"https://{host}:{tls_server.port}/")


def test_tls_needs_a_certificate_that_somebody_vouches_for(allowed, names, tls_server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    names["shop.example"] = [["127.0.0.1"]]
    with pytest.raises(NotSent, match="certificate"):
        post(f"https://shop.example:{tls_server.port}/")


def test_a_server_without_tls_has_got_nothing(allowed, receiver):
    with pytest.raises(NotSent, match="TLS"):
        post(f"https://127.0.0.1:{receiver.port}/")
    assert receiver.received == []


# What the operator has named in the environment, and who else calls


def test_what_the_operator_has_named_may_be_private_and_no_more(names, connected, receiver, monkeypatch):
    names["licenses.internal"] = [["127.0.0.1"]]
    url = f"http://licenses.internal:{receiver.port}/hook"
    assert outgoing.post(url, body=b"{}", headers={}, named_by_operator=True).status == 200
    with pytest.raises(NotSent):
        outgoing.post(url, body=b"{}", headers={})
    receiver.answers(302, Location="http://169.254.169.254/latest/meta-data/")
    assert outgoing.get(url, headers={}, named_by_operator=True).status == 302
    receiver.answers(200, b"x" * 100_000)
    assert len(outgoing.get(url, headers={}, named_by_operator=True).body) == 64 * 1024
    assert set(connected) == {"127.0.0.1"}
    for url in ("file:///etc/passwd", "ftp://licenses.internal/", "http://user:password@licenses.internal/"):
        with pytest.raises(NotSent):
            outgoing.get(url, headers={}, named_by_operator=True)


NETWORK = re.compile(
    r"(socket|ssl|http\.client|urllib\.request|urllib3|requests|httpx|aiohttp|ftplib|smtplib|asyncio)(\.|$)"
)
CALLERS = {  # who may import what talks to the network, and why
    "licenses/services/outgoing.py": "the one guarded client",
    "licenses/services/installation.py": "this host's name, socket.gethostname()",
    "licenses/services/workers.py": "this host's name, for that of the worker",
    "licensing_portal/staff/single_sign_on.py": "what `requests` raises when the identity provider is away; no call",
    "licensing_portal/quickstart.py": "whether the port to listen on is free",
    "licensing_portal/demo.py": "a free port to listen on",
    "deploy/gunicorn.conf.py": "an option of the socket that it listens on",
}


def names_imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_nobody_else_talks_to_the_network():
    """Of our own code; django-allauth asks the operator's identity provider with `requests`, where one is set."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("licenses", "licensing_portal", "settings_api", "deploy")
        for path in (ROOT / folder).rglob("*.py")
        if any(NETWORK.match(name) for name in names_imported(path))
    }
    assert found == set(CALLERS)
    calls = re.compile(r"socket\.(?:socket|create_connection|getaddrinfo)\(|urlopen\(")
    calling = [name for name in found if calls.search((ROOT / name).read_text())]
    assert calling == ["licenses/services/outgoing.py"]
