"""Requests for the fuzzer: most are good but for one hostile value, so that they get past validation into the services.

Each is made from the seed and its number alone, so that any of them can be made again.
"""

import base64
import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from licenses.api.urls import ENDPOINTS, Row
from tests.hostile import CORPUS

World = Mapping[str, Sequence[Any]]  # by the name of a parameter, the values that exist

V1 = "/api/v1/"
ROUTES = [(path, row) for row in ENDPOINTS for path in row.paths]
DESTROYERS = ("delete-product", "delete-license-key", "delete-contract", "contracts/destroy-all")
OTHER_PATHS = (
    *(
        "/",
        "/admin/",
        "/admin/login/",
        "/admin/licenses/licensekey/",
        "/api/docs/",
        "/api/schema/",
        "/healthz",
        "/readyz",
    ),
    *("/.well-known/jwks.json", "/.well-known/security.txt", "/static/admin/css/base.css", "/api/license/status"),
    *("/api/license/nothing", "/api", "/api/v1", "//api/v1/verify", "/api/v1/../admin/", "/favicon.ico"),
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND")
HOSTILE_HEADERS = (
    ("Content-Type", "application/json; charset=utf-7"),
    ("Content-Type", "multipart/form-data"),
    ("Content-Type", "text/xml"),
    ("Content-Type", "application/x-www-form-urlencoded; charset*=x'y'z"),
    ("Content-Encoding", "gzip"),
    ("Accept", "text/html;q=x"),
    ("X-Forwarded-For", "127.0.0.1, ' OR 1=1"),
    ("X-Forwarded-Proto", "https"),
    ("Host", "evil.example"),
    ("Host", "[::1"),
    ("Cookie", "sessionid=\xff; csrftoken=" + "x" * 3000),
    ("Range", "bytes=0-18446744073709551615"),
    ("Idempotency-Key", "\xff\xfe"),
    ("Authorization", "Basic " + base64.b64encode(b"a:b\x00").decode()),
    ("Authorization", "Bearer " + "A" * 5000),
    ("X-API-Key", "' OR 1=1 --"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Accept-Language", "x" * 4000),
)


@dataclass(frozen=True)
class Request:
    """One request as its bytes will be; `row` is the endpoint it is for, nothing when it is for none.

    A `broken` one may be no HTTP at all: the connection is not used again, and may be closed without an answer.
    """

    number: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    row: Row | None = None
    broken: bool = False

    def raw(self, host: str) -> bytes:
        own = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [] if "host" in own else [f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if (self.body or self.method == "POST") and not own & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + self.body

    def curl(self, url: str) -> str:
        """To be pasted; what comes from standard input may hold any byte."""
        words = [f"curl -sS -i --path-as-is -X {self.method} {_shell(url + self.target)}"]
        words += [f"-H {_shell(f'{name}: {value}')}" for name, value in self.headers]
        if not self.body:
            return " ".join(words)
        shown = "".join(chr(byte) if _is_plain(byte) else f"\\x{byte:02x}" for byte in self.body[:4000])
        cut = f"  # the body goes on: {len(self.body)} bytes" if len(self.body) > 4000 else ""
        return f"printf '%b' '{shown}' | {' '.join(words)} --data-binary @-{cut}"


def _is_plain(byte: int) -> bool:
    return chr(byte) in string.printable and chr(byte) not in "'\\\r\n\t\x0b\x0c"


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


class Maker:
    """Makes the request of a number."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed

    def make(self, number: int) -> Request:
        random = Random(f"{self.seed}/{number}")
        kinds: tuple[Callable[..., Request], ...] = (self._endpoint, self._settings, self._elsewhere, self._malformed)
        (kind,) = random.choices(kinds, (90, 3, 4, 3))
        return kind(number, random)

    # The kinds

    def _endpoint(self, number: int, random: Random) -> Request:
        path, row = random.choice(ROUTES)
        if path in DESTROYERS and random.random() < 0.7:  # or nothing would be left soon
            path, row = random.choice(ROUTES)
        params = self._params(random, row)
        method = row.methods[0].upper() if random.random() < 0.95 else random.choice(METHODS)
        filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: _segment(params.pop(found[1], "x")), path)
        return self._encoded(number, random, row, method, V1 + filled, params)

    def _settings(self, number: int, random: Random) -> Request:
        method = random.choice(("GET", "PUT", "PATCH", "POST", "DELETE"))
        names = random.sample(["licenseKey", *self.world["setting"], "'", "__proto__"], 2)
        attributes = {name: self._hostile(random) for name in names}
        content = random.choice(({"data": {"attributes": attributes}}, attributes, [attributes], self._hostile(random)))
        headers = (("Authorization", f"Bearer {self._api_key(random)}"), ("Content-Type", "application/json"))
        return Request(number, method, "/api/license/settings", headers, json.dumps(content).encode())

    def _elsewhere(self, number: int, random: Random) -> Request:
        """No endpoint: other pages, unknown paths, paths that are no text."""
        target = random.choice((*OTHER_PATHS, V1 + _segment(self._hostile(random)), V1 + "nothing"))
        query = urlencode({"q": str(self._hostile(random))[:2000]}, errors="replace") if random.random() < 0.4 else ""
        return Request(number, random.choice(METHODS), target + (f"?{query}" if query else ""), ())

    def _malformed(self, number: int, random: Random) -> Request:
        """A good call whose bytes are broken on the way."""
        good = self._endpoint(number, random)
        body, headers = good.body, dict(good.headers)
        match random.randrange(7):
            case 6:
                headers |= {"Expect": "200-maybe"}
            case 0:
                body = body[: random.randrange(len(body) + 1)]
            case 1:
                body = bytes(random.randrange(256) if random.random() < 0.1 else byte for byte in body)
            case 2:
                body, headers = random.randbytes(300), headers | {"Content-Type": random.choice(TYPES)}
            case 3:
                headers |= {"Transfer-Encoding": "chunked"}
                body = b"%x\r\n%s\r\nZZ\r\n\r\n" % (len(body) or 1, body or b"a")
            case 4:
                headers |= {"Content-Length": random.choice(("-1", "1e3", "99999999999999999999", "+5"))}
            case _:
                body, headers = b"[" * random.choice((500, 100_000)), headers | {"Content-Type": "application/json"}
        return Request(number, good.method, good.target, tuple(headers.items()), body, good.row, broken=True)

    # Parameters

    def _params(self, random: Random, row: Row) -> dict[str, Any]:
        names = self._names(random, row)
        params = {name: self._good(random, original) for name, original in names.items() if random.random() < 0.85}
        how = random.random()
        if how < 0.5 and names:  # one hostile
            params[random.choice(list(names))] = self._hostile(random)
        elif how < 0.65:  # all hostile
            params = {name: self._hostile(random) for name in names}
        elif how < 0.67:  # very many
            params |= {f"p{n}": "x" for n in range(random.choice((200, 1001)))}
        if random.random() < 0.1:
            params["nonce"] = self._hostile(random) if random.random() < 0.5 else random.randbytes(12).hex()
        if random.random() < 0.05:
            params |= {"status": "blocked", "is_staff": True, "activation_limit": 10**9, "__proto__": {}}
        return params

    def _names(self, random: Random, row: Row) -> dict[str, str]:
        """The names to send, and what each of them stands for."""
        fields = row.params().fields
        return {
            random.choice((*[name] * 4, *row.params.aliases.get(name, ()))): name for name in (*fields, *_in_paths(row))
        }

    def _good(self, random: Random, name: str) -> Any:
        values = self.world.get(name)
        if values:
            return random.choice(values)
        return random.choice(("", "text", f"text-{random.randrange(10**6)}", 1, True, "2027-01-01"))

    def _hostile(self, random: Random) -> Any:
        how = random.random()
        value = random.choice(CORPUS)
        if how < 0.45:
            return value
        if how < 0.6:
            return _mutated(random, random.choice(random.choice(list(self.world.values()))))
        if how < 0.7:
            return "".join(
                chr(random.choice((random.randrange(0x20), random.randrange(0x3000), 0xD800))) for _ in range(8)
            )
        if how < 0.8:
            return random.choice(
                (2**31, -(2**31), 2**63, -(2**63) - 1, 10**400, 0.1, 1e-320, "1e5", "0x10", "١٢", "1_000")
            )
        if how < 0.9:
            return random.choice(
                (
                    "NULL",
                    "undefined",
                    "true",
                    "[]",
                    "{}",
                    '["a", "\\u0000"]',
                    "\\ud800",
                    "%00",
                    "%ff",
                    "a\r\nSet-Cookie: x=1",
                )
            )
        return {"a": [value, value]} if how < 0.95 else [value] * 3

    def _api_key(self, random: Random) -> str:
        return str(random.choice(self.world["api_key"] if random.random() < 0.92 else self.world["bad_api_key"]))

    # Encodings

    def _encoded(
        self, number: int, random: Random, row: Row, method: str, target: str, params: dict[str, Any]
    ) -> Request:
        headers = self._headers(random)
        if random.random() < 0.5:
            headers["Authorization"] = f"Bearer {self._api_key(random)}"
        else:
            params["api_key"] = self._api_key(random)
        if method in ("GET", "HEAD") or random.random() < 0.03:
            query = _form(random, params)[:7000]
            return Request(number, method, f"{target}?{query}", tuple(headers.items()), row=row)
        media_type, body = random.choice(ENCODERS)(random, params)
        headers = {"Content-Type": media_type} | headers
        if random.random() < 0.05:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return Request(number, method, target, tuple(headers.items()), body, row)

    def _headers(self, random: Random) -> dict[str, str]:
        headers = {}
        if random.random() < 0.15:
            headers["Idempotency-Key"] = f"key-{random.randrange(200)}"
        if random.random() < 0.05:
            headers |= [random.choice(HOSTILE_HEADERS)]
        return headers


def _in_paths(row: Row) -> list[str]:
    return [name for path in row.paths for name in re.findall(r"<(?:\w+:)?(\w+)>", path)]


def _segment(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text[:1500], safe="", errors="surrogatepass")


def _mutated(random: Random, value: Any) -> Any:
    """A value that exists, with a letter changed, doubled, in other letters or as another type."""
    text = str(value)
    place = random.randrange(len(text) + 1)
    return random.choice(
        (
            text[:place] + random.choice(("\x00", "'", "\u202e", " ", "%", "\\", "é")) + text[place:],
            text + text,
            text.upper(),
            f" {text}\t",
            [value],
            {"a": value},
        )
    )


def _form(random: Random, params: Mapping[str, Any]) -> str:
    texts = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in params.items()]
    if texts and random.random() < 0.1:
        texts.append(random.choice(texts))  # twice
    return urlencode(texts, errors="surrogatepass")


def _as_form(random: Random, params: Mapping[str, Any]) -> tuple[str, bytes]:
    return "application/x-www-form-urlencoded", _form(random, params).encode()


def _as_json(random: Random, params: Mapping[str, Any]) -> tuple[str, bytes]:
    media_type = random.choice(("application/json", "application/json; charset=utf-8"))
    if random.random() < 0.02:
        return media_type, json.dumps([params]).encode()
    text = json.dumps(params)
    if random.random() < 0.05:  # one name twice
        text = text[:-1] + ', "license_key": "twice"}' if params else text
    if random.random() < 0.003:
        text += " " * 10_000_000
    return media_type, text.encode()


def _as_multipart(random: Random, params: Mapping[str, Any]) -> tuple[str, bytes]:
    parts = []
    for name, value in params.items():
        text = value if isinstance(value, str) else json.dumps(value)
        file = '; filename="../../x.php"' if random.random() < 0.03 else ""
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + text.encode("utf-8", "surrogatepass") + b"\r\n")
    return "multipart/form-data; boundary=b", b"".join(parts) + b"--b--\r\n"


ENCODERS = (_as_form, _as_form, _as_json, _as_json, _as_json, _as_multipart)
TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "image/png", "")
