"""The license that this installation itself runs under: the portal as the first customer of its own protocol.

The key is looked up here, or on the portal that LICENSE_SERVER_URL and LICENSE_SERVER_PUBLIC_KEY name.
"""

import hashlib
import json
import logging
import re
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache

from licenses import signing
from licenses.codes import Code, Refused
from licenses.models import LicenseKey
from licenses.services import outgoing
from licenses.services.activations import verify_license
from settings_api.resolve import resolve

logger = logging.getLogger(__name__)

Status = dict[str, Any]

REMEMBERED = timedelta(hours=1)  # how long the other portal's answer serves without asking again
GRACE = timedelta(days=7)  # how long it serves when that portal cannot be asked
ASK_AGAIN_AFTER = timedelta(minutes=1)  # after a failure, so that a dead server does not slow every request down
CLOCK_SKEW = timedelta(minutes=5)  # an answer older or newer than this is a replay

STATES = {Code.VALID_LICENSE_KEY: "VALID", Code.LICENSE_KEY_EXPIRED: "EXPIRED"}
CANNOT_SAY = (Code.SERVICE_UNAVAILABLE, Code.INTERNAL_ERROR)  # no verdict on the license key
NOTHING_KNOWN: Status = {
    "licenseType": "Commercial",
    "licenseModel": "Subscription",
    "licenseState": "INVALID",
    "expireDate": None,
}


class NoAnswer(Exception):
    """The other portal does not answer, or not with something that it signed now."""


def license_status() -> Status:
    """`licenseType`, `licenseModel`, `licenseState` (VALID, EXPIRED, INVALID) and `expireDate` (Unix ms or None)."""
    license_key, identifier = str(resolve("licenseKey").value), socket.gethostname()
    if not license_key:
        return NOTHING_KNOWN
    if settings.LICENSE_SERVER_URL and settings.LICENSE_SERVER_PUBLIC_KEY:
        return _remembered_status(license_key, identifier)
    return _status_here(license_key, identifier)


def _status_here(license_key: str, identifier: str) -> Status:
    try:
        verify_license(license_key=license_key, identifier=identifier)
        code = Code.VALID_LICENSE_KEY
    except Refused as refused:
        code = refused.code
    found = LicenseKey.objects.filter(license_key=license_key).first()
    if found is None:
        return NOTHING_KNOWN
    metadata = dict(found.metadata.filter(name__in=NOTHING_KNOWN).values_list("name", "value"))
    return _status(STATES.get(code, "INVALID"), metadata, found.expires_at)


def _status(state: str, metadata: Mapping[str, str], expires_at: datetime | None) -> Status:
    return {
        "licenseType": metadata.get("licenseType", NOTHING_KNOWN["licenseType"]),
        "licenseModel": metadata.get("licenseModel", NOTHING_KNOWN["licenseModel"]),
        "licenseState": state,
        "expireDate": int(expires_at.timestamp() * 1000) if expires_at else None,
    }


def _remembered_status(license_key: str, identifier: str) -> Status:
    """The other portal's answer, at most an hour old while it answers, and its last one for the grace period."""
    name = _cache_name(license_key, identifier)
    asked_at, last = cache.get(name) or (0.0, NOTHING_KNOWN)
    fresh: bool = time.time() - asked_at < REMEMBERED.total_seconds()
    if fresh or cache.get(f"{name}-failed"):
        return dict(last)
    try:
        status = _status_there(license_key, identifier, last=last)
    except NoAnswer as problem:
        logger.warning("The license server gave no answer that counts: %s", problem)
        cache.set(f"{name}-failed", True, ASK_AGAIN_AFTER.total_seconds())
        return dict(last)
    cache.set(name, (time.time(), status), GRACE.total_seconds())
    return status


def _cache_name(license_key: str, identifier: str) -> str:
    """A digest: the cache is no place for secrets, and an answer is no use after any of these has changed."""
    server = (settings.LICENSE_SERVER_URL, settings.LICENSE_SERVER_PUBLIC_KEY, settings.LICENSE_SERVER_API_KEY)
    return "license-status-" + hashlib.sha256("\n".join((*server, license_key, identifier)).encode()).hexdigest()


def _status_there(license_key: str, identifier: str, *, last: Status) -> Status:
    """Ask `verify`, and for a valid key its details, which name the key: an answer about another one does not pass."""
    code = _ask("verify", license_key, identifier)["code"]
    if code in [answer.value.number for answer in CANNOT_SAY]:
        raise NoAnswer(f"it answers {code}")
    if code == Code.LICENSE_KEY_EXPIRED.value.number:
        return last | {"licenseState": "EXPIRED"}
    if code != Code.VALID_LICENSE_KEY.value.number:
        return NOTHING_KNOWN
    details = _ask("get-license-key-details", license_key, identifier)
    try:
        return _read_details(details["licenseKey"], license_key)
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer("its license key details cannot be read") from error


def _read_details(details: Mapping[str, Any], license_key: str) -> Status:
    if details["license_key"] != license_key:
        raise ValueError("the details of another license key")
    metadata = {str(pair["key"]): str(pair["value"]) for pair in details["meta_data"]}
    expires_at = details["expires_at"]
    moment = datetime.strptime(expires_at, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if expires_at else None
    return _status("VALID", metadata, moment)


def _ask(endpoint: str, license_key: str, identifier: str) -> dict[str, Any]:
    """The `response` of a v1 endpoint there, after its signature and its time were checked."""
    url = f"{settings.LICENSE_SERVER_URL.rstrip('/')}/api/v1/{endpoint}"
    body = _post(url, {"license_key": license_key, "identifier": identifier})
    try:
        envelope = json.loads(body)
        signed = any(signing.verify(envelope, public_key) for public_key in _public_keys())
    except (ValueError, RecursionError):
        raise NoAnswer("its answer is no JSON, too long or too slow") from None
    if not signed:
        raise NoAnswer("its signature does not verify with LICENSE_SERVER_PUBLIC_KEY")
    response: dict[str, Any] = envelope["response"]
    if not _is_answer_of_now(response):
        raise NoAnswer("what it signed is no answer of now")
    return response


def _is_answer_of_now(response: Any) -> bool:
    if not isinstance(response, dict) or not {"code", "timestamp"} <= set(response):
        return False
    timestamp = response["timestamp"]
    return isinstance(timestamp, int) and abs(time.time() - timestamp) <= CLOCK_SKEW.total_seconds()


def _public_keys() -> list[str]:
    """The PEM keys in LICENSE_SERVER_PUBLIC_KEY: one or several (the product's, the global one), also on one line."""
    text = settings.LICENSE_SERVER_PUBLIC_KEY.replace("\\n", "\n")
    return re.findall(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", text, re.DOTALL)


def _post(url: str, parameters: Mapping[str, str]) -> bytes:
    headers = {"Authorization": f"Bearer {settings.LICENSE_SERVER_API_KEY}", "Content-Type": "application/json"}
    try:
        return outgoing.post(url, body=json.dumps(parameters).encode(), headers=headers, named_by_operator=True).body
    except (outgoing.NotSent, outgoing.Uncertain) as problem:
        raise NoAnswer(str(problem)) from None
