"""Logs without secrets: whatever a line says, keys, passwords and tokens in it are replaced."""

import logging
import re

_NAMES = r"api_key|license_key|entitlement_key|password|passwd|token|secret|x-api-key|licenseKey"
_SECRETS = (
    (re.compile(rf"(?i)\b({_NAMES})([\"']?\)?\s*[=:]\s*[\"'(]?)([^\s&\"',;)]+)"), r"\1\2***"),
    (re.compile(r"(?i)\b(bearer)\s+\S+"), r"\1 ***"),
    (re.compile(r"\blp_[A-Za-z0-9_-]{20,}"), "lp_***"),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
        "***",
    ),
)


def scrub(text: str) -> str:
    """The text with every secret in it replaced by `***`."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class ScrubbingFormatter(logging.Formatter):
    """Scrubs the finished line, traceback included: a database error quotes the value it stumbled over."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))
