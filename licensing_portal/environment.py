"""Reading variables strictly: what django-environ would guess about, the portal refuses by name, dangers too."""

import base64
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}

SECRETS_FILE = "secrets.env"
SECRET_KEY_CHARACTERS = 50  # at least, and of them this many different ones
DIFFERENT_CHARACTERS = 10
KNOWN_SECRETS = re.compile(r"django-insecure|change.?me|your.?secret|secret.?key|example", re.IGNORECASE)
DIFFERENT_BYTES = 16  # at least, in a vault key; 32 random bytes have about 30
MAKE_FERNET_KEY = "Make one: python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
HOST = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
env = environ.FileAwareEnv()  # NAME_FILE names a file that holds the value of NAME


def read_files(base_dir: Path) -> Path:
    """Take the variables of .env, then the secrets that `make run` made; what is set already wins. Returns DATA_DIR.

    A relative DATA_DIR counts from `base_dir`, so that every command finds the same folder.
    """
    _read_file(base_dir / ".env")
    data_dir = base_dir / (env.ENVIRON.get("DATA_DIR", "").strip() or "data")
    _read_file(data_dir / SECRETS_FILE)
    return data_dir


def _read_file(path: Path) -> None:
    if path.is_file():
        environ.Env.read_env(path)


def read(name: str, parse: Callable[[str], T], expected: str, default: Any) -> T:
    """The variable's value, or `default` when it is not set or empty. Nonsense stops the boot.

    The error names the variable and what was expected, never the value: it may be a secret.
    """
    text = env.ENVIRON.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except (ValueError, KeyError, TypeError):
        raise ImproperlyConfigured(f"The environment variable {name} must be {expected}.") from None


def boolean(name: str, *, default: bool) -> bool:
    return read(name, lambda text: _WORDS[text.lower()], "true or false", default)


def integer(name: str, *, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(number)
        return number

    return read(name, parse, f"a whole number from {low} to {high}", default)


def word(name: str, *, default: str, among: tuple[str, ...]) -> str:
    return read(
        name,
        lambda text: {option.lower(): option for option in among}[text.lower()],
        f"one of {', '.join(among)}",
        default,
    )


def words(name: str, *, default: list[str]) -> list[str]:
    """A list written with commas."""
    return read(name, lambda text: [part.strip() for part in text.split(",") if part.strip()], "a list", default)


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Networks written with commas, like 10.0.0.0/8; a single address is one too. Not all there is: that is no list."""

    def parse(text: str) -> list[IPv4Network | IPv6Network]:
        found = [ip_network(part.strip()) for part in text.split(",") if part.strip()]
        if any(network.prefixlen == 0 for network in found):
            raise ValueError(text)
        return found

    return read(name, parse, "networks like 10.0.0.0/8 with commas between, and not all addresses there are", [])


def url(name: str) -> str:
    """An http(s) address without a slash at its end; empty when it is not set."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(text)
        return text.rstrip("/")

    return read(name, parse, "an address like https://licenses.example.com", "")


def text(name: str) -> str:
    """Any text, as it is; empty when it is not set."""
    return env.ENVIRON.get(name, "").strip()


def secret(name: str) -> str:
    """A text that must be set. Read as it is, so that it may start with `$`."""
    value = env.ENVIRON.get(name, "").strip()
    if not value:
        raise ImproperlyConfigured(
            f"Set the environment variable {name}, or DATA_DIR to the folder in which `make run` has made one."
        )
    return value


def secret_key(name: str) -> str:
    """A secret that nobody can guess or has read somewhere."""
    value = secret(name)
    _refuse_weak(name, value)
    return value


def secret_keys(name: str) -> list[str]:
    """Secrets with commas between them; each opens sessions, so each must be as good as the first."""
    values = words(name, default=[])
    for value in values:
        _refuse_weak(name, value)
    return values


def _refuse_weak(name: str, value: str) -> None:
    if (
        len(value) >= SECRET_KEY_CHARACTERS
        and len(set(value)) >= DIFFERENT_CHARACTERS
        and not KNOWN_SECRETS.search(value)
    ):
        return
    raise ImproperlyConfigured(
        f"The environment variable {name} can be guessed: it must be at least {SECRET_KEY_CHARACTERS} random "
        "characters and no example. Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )


def hosts(name: str, *, default: list[str]) -> list[str]:
    """Host names with commas between them; `.example.com` is a domain with all below it."""
    found = words(name, default=default)
    for host in found:
        labels = host.strip(".").split(".")
        if "*" in host or (host.startswith(".") and len(labels) == 1 and not _is_loopback(host)):
            raise ImproperlyConfigured(
                f"The environment variable {name} lets everybody choose the host name of the portal's links. "
                "Name the hosts that it serves instead, like licenses.example.com."
            )
        if not HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"The environment variable {name} must be host names like licenses.example.com with commas between, "
                "without https://, port and path."
            )
    return found


def debug(name: str, *, hosts: list[str]) -> bool:
    """Debug pages show settings and source to whoever asks, so only this machine may be asked."""
    value = boolean(name, default=False)
    if value and not all(map(_is_loopback, hosts)):
        raise ImproperlyConfigured(
            f"The environment variable {name} is true, and others can reach what ALLOWED_HOSTS or BIND names: debug "
            f"pages would show them settings and source. Take {name} away, or keep both to localhost and 127.0.0.1."
        )
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.strip(".").lower().split(".")[-1] == "localhost"


def origins(name: str) -> list[str]:
    """Origins with commas between them; one with a `*` would let every page of that domain send forms here."""

    def parse(text: str) -> list[str]:
        found = [part.strip() for part in text.split(",") if part.strip()]
        for origin in found:
            parts = urlsplit(origin)
            if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("http", "https"):
                raise ValueError
            if "@" in origin or not HOST.fullmatch(parts.netloc.removesuffix(f":{parts.port}")):
                raise ValueError
        return found

    return read(name, parse, "origins like https://licenses.example.com with commas between, without *", [])


def fernet_keys(name: str) -> list[str]:
    """One or more Fernet keys with commas between them, the newest first."""
    keys = [part.strip() for part in secret(name).split(",") if part.strip()]
    try:
        for key in keys:
            Fernet(key)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"The environment variable {name} must be Fernet keys (32 bytes in URL-safe base64) with commas between. "
            f"{MAKE_FERNET_KEY}"
        ) from error
    if not all(map(_looks_random, keys)):
        raise ImproperlyConfigured(
            f"The environment variable {name} has a key that anybody can guess. {MAKE_FERNET_KEY}"
        )
    return keys


def _looks_random(key: str) -> bool:
    """Whether it is none of those that people write by hand: zeros, a repeated word, 0 to 31."""
    content = base64.urlsafe_b64decode(key)
    steps = {(after - before) % 256 for before, after in pairwise(content)}
    return min(len(set(content)), len(steps)) >= DIFFERENT_BYTES


def database(name: str, *, default: str) -> dict[str, Any]:
    """A DATABASES entry from a URL, sqlite:/// or postgres://, with what each engine needs to be safe here."""
    return read(name, _database, "a sqlite:/// or postgres:// URL", None) or _database(default)


def _database(url: str) -> dict[str, Any]:
    """django-environ takes a text that is no URL for no database at all, so the scheme is looked at first."""
    complete = {"sqlite": _sqlite, "postgres": _postgresql, "postgresql": _postgresql}[url.partition("://")[0]]
    return complete(dict(environ.Env.db_url_config(url)))


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"


def _sqlite(config: dict[str, Any]) -> dict[str, Any]:
    """IMMEDIATE takes the write lock when a transaction begins: what row locks do on PostgreSQL."""
    return config | {
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "TEST": {"NAME": env.ENVIRON.get("TEST_SQLITE_FILE") or None},
    }


def _postgresql(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


def cache(name: str) -> dict[str, Any]:
    """A CACHES entry: redis://host:port/number (Valkey too), or this process's memory when it is not set."""
    url = env.ENVIRON.get(name, "").strip()
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if not url.startswith(("redis://", "rediss://")):
        raise ImproperlyConfigured(f"The environment variable {name} must be a redis:// URL.")
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
