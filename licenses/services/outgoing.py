"""The portal's one way to call somebody (S30): what another has named, a shop for example, and what the operator has.

The name is resolved once, every address it has must be public, and the connection goes to the address that was checked:
a name that answers differently the next time changes nothing. What the operator has named in the environment may be a
private address too; every other limit holds for it as well. No redirects, no proxies, no compression, and an end to
the time and to the size of an answer. `http.client` on a socket of our own, because nothing else there resolves names,
and because it logs no URL: a webhook's is a secret.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from django.conf import settings

TIME_LIMIT = 10.0  # seconds for the whole call
CONNECT_LIMIT = 4.0  # seconds for one address to accept a connection
SIZE_LIMIT = 64 * 1024  # bytes that are read of an answer
ADDRESSES_TRIED = 3  # of a name that has many
CHUNK = 8192

PORTS = {"http": 80, "https": 443}
KEPT = "!#$%&'()*+,/:;=?@[]~"  # what a path and a query may hold as it is
PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC = [  # beside what Python calls private: ways to an address of the other family, and the protocols' own
    ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SocketAddress = tuple[socket.AddressFamily, tuple[Any, ...]]


class NotSent(Exception):
    """Nothing of the body can have arrived; the text says why, without the URL."""


class Uncertain(Exception):
    """It was sent, or a part of it, and no answer came: it may have arrived. The text says what happened."""


class Response(NamedTuple):
    """An answer; its body as it came, at most `SIZE_LIMIT` bytes of it and what arrived within the time."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Target(NamedTuple):
    """A URL taken apart. `host` is what is resolved and what a certificate must name."""

    is_tls: bool
    host: str
    port: int
    authority: str
    path: str


def post(url: str, *, body: bytes, headers: Mapping[str, str], named_by_operator: bool = False) -> Response:
    """POST to the URL; raises NotSent or Uncertain when there is no answer."""
    return _call("POST", url, body, headers, may_be_private=named_by_operator)


def get(url: str, *, headers: Mapping[str, str], named_by_operator: bool = False) -> Response:
    """GET the URL; raises NotSent or Uncertain when there is no answer."""
    return _call("GET", url, None, headers, may_be_private=named_by_operator)


def problem_with(url: str) -> str:
    """Why the URL can never be called, as far as it shows without asking anybody; empty when nothing does."""
    try:
        target = _parse(url)
        if target.host == "localhost" or target.host.endswith(".localhost"):
            return "" if is_allowed(ipaddress.ip_address("127.0.0.1")) else "This address is not public."
        with suppress(socket.gaierror):  # a name
            _check(_look_up(target, socket.AI_NUMERICHOST))
    except NotSent as problem:
        return str(problem)
    return ""


def is_allowed(address: Address) -> bool:
    """Whether a call may go there: it is public, or OUTGOING_ALLOWED_NETWORKS has it."""
    if any(address in network for network in settings.OUTGOING_ALLOWED_NETWORKS):
        return True
    if any(address in network for network in NOT_PUBLIC) or address.is_multicast or address.is_reserved:
        return False
    # Outside 2000::/3 lie unspecified, link-local, mapped and NAT64 addresses, and nothing that is public
    return address.is_global and (address.version == 4 or address in PUBLIC_6)  # noqa: PLR2004


def _call(method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, may_be_private: bool) -> Response:
    ends_at = time.monotonic() + TIME_LIMIT
    target = _parse(url)
    addresses = _resolve(target, ends_at)
    connection = _connect(target, addresses if may_be_private else _check(addresses), ends_at)
    try:
        with _cut_off(connection, ends_at):
            return _exchange(connection, method, target, body, headers)
    finally:
        connection.close()


def _parse(url: str) -> Target:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii"), parts.port
    except ValueError:
        raise NotSent("This is not a URL.") from None
    if parts.scheme not in PORTS:
        raise NotSent("The URL must begin with https:// or http://.")
    odd = not url.isprintable() or set(url) & set(' \\"<>^`{|}') or set(parts.netloc) & set("%@")
    if odd or not host or port == 0 or ("[" in parts.netloc) != (":" in host):
        raise NotSent("This is not a URL that can be called: a host, perhaps a port, no user name.")
    authority = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        is_tls=parts.scheme == "https",
        host=host,
        port=port or PORTS[parts.scheme],
        authority=f"{authority}:{port}" if port else authority,
        path=quote(path, safe=KEPT),
    )


def _resolve(target: Target, ends_at: float) -> list[SocketAddress]:
    """The addresses of the name. In a thread: the system's resolver knows no time limit."""
    found: SimpleQueue[list[SocketAddress] | None] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(_look_up(target, socket.AI_ADDRCONFIG))
        except OSError:
            found.put(None)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        addresses = found.get(timeout=_left(ends_at))
    except (Empty, TimeoutError):
        addresses = None
    if not addresses:
        raise NotSent("The name of the host could not be resolved.")
    return addresses


def _look_up(target: Target, flags: int) -> list[SocketAddress]:
    answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, tuple(address)) for family, _, _, _, address in answers]


def _check(addresses: list[SocketAddress]) -> list[SocketAddress]:
    """All of them, or none: a name with one address inside is refused whichever would be taken."""
    for _, address in addresses:
        if not is_allowed(ipaddress.ip_address(str(address[0]).partition("%")[0])):
            raise NotSent("This address is not public.")
    return addresses


def _connect(target: Target, addresses: list[SocketAddress], ends_at: float) -> socket.socket:
    problem = "The host cannot be reached."
    for family, address in addresses[:ADDRESSES_TRIED]:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(CONNECT_LIMIT, _left(ends_at)))
            connection.connect(address)
            connection.settimeout(_left(ends_at))
            return _with_tls(connection, target) if target.is_tls else connection
        except OSError as error:
            connection.close()
            problem = _explained(error)
    raise NotSent(problem)


def _with_tls(connection: socket.socket, target: Target) -> socket.socket:
    return ssl.create_default_context().wrap_socket(connection, server_hostname=target.host)


def _explained(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The host's certificate was not accepted: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "No TLS connection could be made."
    if isinstance(error, TimeoutError):
        return "The host did not accept a connection in time."
    return "The host refused the connection." if isinstance(error, ConnectionRefusedError) else "It cannot be reached."


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextmanager
def _cut_off(connection: socket.socket, ends_at: float) -> Iterator[None]:
    """End the connection when the time is over, however steadily a byte comes now and then."""

    def shut() -> None:
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # that of TLS would say goodbye first

    timer = threading.Timer(max(0.0, ends_at - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _exchange(
    connection: socket.socket, method: str, target: Target, body: bytes | None, headers: Mapping[str, str]
) -> Response:
    http = HTTPConnection(target.host, target.port)
    http.sock, http.auto_open = connection, 0  # never a connection of its own
    sent = {"User-Agent": "licensing-portal", **headers, "Host": target.authority, "Connection": "close"}
    try:
        http.request(method, target.path, body, sent)
        response = http.getresponse()
    except (OSError, HTTPException, ValueError) as error:
        raise Uncertain(f"It was sent, but no answer came ({type(error).__name__}).") from None
    if response.status < HTTPStatus.OK:  # an interim answer, and what would follow it is not read
        raise Uncertain(f"It was sent, but no final answer came ({response.status}).")
    return Response(response.status, _read(response))


def _read(response: HTTPResponse) -> bytes:
    body = b""
    with suppress(OSError, HTTPException, ValueError):
        while len(body) < SIZE_LIMIT and (chunk := response.read1(min(CHUNK, SIZE_LIMIT - len(body)))):
            body += chunk
    return body
