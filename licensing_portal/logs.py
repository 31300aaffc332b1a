"""Logs without secrets: one way out for every logger, and what looks like a key, password or token is replaced."""

import logging
import re
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http.multipartparser import MultiPartParserError

REFUSALS = (PermissionDenied, SuspiciousOperation, BadRequest, MultiPartParserError)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# Each pattern takes time in proportion to the text, or nearly so: a caller decides what a path looks like
_NAMES = (
    r"(?<![A-Za-z])(api[_-]?key|license[_-]?keys?|entitlement[_-]?key|secret[_-]?key|vault[_-]?keys"
    r"|password\d?|passwd|passphrase|token|secret|sessionid|csrftoken|csrfmiddlewaretoken)"
)
_IS = r"(\\?[\"']?\s*[=:]\s*)"
_SECRETS = (
    (re.compile(r"-----BEGIN[A-Z +]+PRIVATE.KEY-----.*?(-----END[A-Z +]+PRIVATE.KEY-----|$)", re.DOTALL), "***"),
    # PostgreSQL quotes rows: `Key (license_key)=(…) already exists.` and `Failing row contains (…).` What never ends is
    # taken whole: a path full of such beginnings would otherwise be read to its end from each of them
    (re.compile(r"(Key \(.{0,300}?\)=\().*?(\) (?=already|is |conflicts)|$)", re.DOTALL), r"\1***\2"),
    (re.compile(r"(Failing row contains \().*?(\)\.(?=\s|\\n|$)|$)", re.DOTALL), r"\1***\2"),
    (re.compile(r"(?i)\b(bearer|authorization\W{1,5}basic)\s+[\w.~+/=-]+"), r"\1 ***"),
    (re.compile(r"(://[^\s:/@]*:)[^\s@]{1,256}@"), r"\1***@"),  # the password of a database URL
    (re.compile(r"\?[^\s=?]*=\S*"), "?***"),  # the query of a URL: staff search for license keys
    (re.compile(rf"(?i){_NAMES}{_IS}b?(\\?[\"'])(?:(?!\3).)*\3"), r"\1\2\3***\3"),
    (re.compile(rf"(?i){_NAMES}{_IS}\[[^\]]*(?:\]|$)"), r"\1\2[***]"),
    (re.compile(rf"(?i){_NAMES}{_IS}[^\s&,;}})]+"), r"\1\2***"),
    (re.compile(r"\blp_[A-Za-z0-9_-]{20,}"), "lp_***"),
    # Clients put keys into these paths, and keys may hold spaces
    (re.compile(r"(/v1/+(?:licenses|download|contracts)/+)(?:(?! HTTP/)[^\n])+"), r"\1***"),
)
_CONTROLS = {number: f"\\x{number:02x}" for number in (*range(32), 127)} | {10: "\\n", 13: "\\r", 9: "\t"}


def scrub(text: str) -> str:
    """The text with every secret in it replaced by `***`."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class ScrubbingFormatter(logging.Formatter):
    """Scrubs the finished line, traceback included: a database error quotes the value it stumbled over."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """A message stays on its line: a line break that a caller put into a path cannot forge another line."""
        return super().formatMessage(record).translate(_CONTROLS)


class DeniedInOneLine(logging.Filter):
    """Django adds a traceback to each page that it refuses (400, 403), which is no defect and anybody can ask for."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], REFUSALS):
            record.exc_info = None
        return True


def to_stderr(level: str) -> dict[str, Any]:
    """The logging configuration of Django and of gunicorn: all of it to standard error, one line an event."""
    through_root: dict[str, Any] = {"handlers": [], "level": "NOTSET", "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "licensing_portal.logs.ScrubbingFormatter",
                "format": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            }
        },
        "filters": {"denied": {"()": "licensing_portal.logs.DeniedInOneLine"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["denied"]}},
        "root": {"handlers": ["stderr"], "level": level},
        # These mail and print on their own unless told otherwise
        "loggers": dict.fromkeys(("django", "django.server", "gunicorn.error", "gunicorn.access"), through_root)
        | {"django.db.backends": {"level": "INFO"}},  # at DEBUG it would print every value of every query
    }
