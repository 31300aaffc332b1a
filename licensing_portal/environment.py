"""Reading variables strictly: what django-environ would guess about, the portal refuses by name."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
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
    """Networks written with commas, like 10.0.0.0/8; a single address is one too."""
    return read(
        name,
        lambda text: [ip_network(part.strip()) for part in text.split(",") if part.strip()],
        "networks like 10.0.0.0/8 with commas between",
        [],
    )


def url(name: str) -> str:
    """An http(s) address without a slash at its end; empty when it is not set."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(text)
        return text.rstrip("/")

    return read(name, parse, "an address like https://licenses.example.com", "")


def secret(name: str) -> str:
    """A text that must be set. Read as it is, so that it may start with `$`."""
    value = env.ENVIRON.get(name, "").strip()
    if not value:
        raise ImproperlyConfigured(
            f"Set the environment variable {name}, or DATA_DIR to the folder in which `make run` has made one."
        )
    return value


def fernet_keys(name: str) -> list[str]:
    """One or more Fernet keys with commas between them, the newest first."""
    keys = [part.strip() for part in secret(name).split(",") if part.strip()]
    try:
        for key in keys:
            Fernet(key)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"The environment variable {name} must be Fernet keys (32 bytes in URL-safe base64) with commas between."
        ) from error
    return keys


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
