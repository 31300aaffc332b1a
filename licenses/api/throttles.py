"""How often anybody may ask: by address, by API key, by license key, and how often be wrong. Refuses 160.

A limit of N a minute lets N calls through at once. Calls are counted outside of any transaction and in the same order,
so that no two requests wait for each other. A wrong guess under an Idempotency-Key is counted with the answer that is
kept, in its transaction and as the last lock of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from licenses.api.guards import LICENSE_KEY_NAMES, sent_text
from licenses.codes import Code, Refused
from licenses.models import ApiKey
from licenses.services.throttles import network_of, take, wait_for

GUESSES_AT_ONCE = 19  # the twentieth wrong key is throttled, however slowly more are allowed (S20)
KEYS = {  # answers that say: this key is none; and the parameters that it came in
    Code.LICENSE_KEY_INVALID: LICENSE_KEY_NAMES,
    Code.HOLDER_CONTRACT_NOT_FOUND: ("contract_key", "contract_uuid"),
}


def refuse_too_many(api_key: ApiKey | None, sent: Mapping[str, Any], *, address: str) -> None:
    """Count the call, and refuse it when it is one too many, or names a key after too many that were wrong."""
    for name, per_minute in _limits(api_key, sent, address):
        if per_minute:
            _refuse_for(take(name, burst=per_minute, per_minute=per_minute))
    if any(sent_text(sent, *names).strip() for names in KEYS.values()):
        name, per_minute = _guesses(api_key, address)
        if per_minute:
            _refuse_for(wait_for(name, burst=max(GUESSES_AT_ONCE, per_minute), per_minute=per_minute))


def count_guess(code: Code, api_key: ApiKey | None, sent: Mapping[str, Any], *, address: str) -> None:
    """Count an answer that says that a key is none. Refuses when it is one too many: then it must not be given.

    Of calls that come at once, exactly as many learn something as may.
    """
    if code is Code.INVALID_API_KEY:
        name, per_minute = f"wrong-api-keys {network_of(address)}", settings.WRONG_KEYS_PER_MINUTE
    elif code in KEYS and sent_text(sent, *KEYS[code]).strip():
        name, per_minute = _guesses(api_key, address)
    else:
        return
    if per_minute:
        _refuse_for(take(name, burst=max(GUESSES_AT_ONCE, per_minute), per_minute=per_minute))


def _limits(api_key: ApiKey | None, sent: Mapping[str, Any], address: str) -> Iterator[tuple[str, int]]:
    """The name of each bucket and its calls a minute; 0 for as many as one likes."""
    yield f"address {network_of(address)}", settings.ADDRESS_REQUESTS_PER_MINUTE
    if api_key:
        own = api_key.requests_per_minute
        yield f"api-key {api_key.pk}", settings.API_KEY_REQUESTS_PER_MINUTE if own is None else own
    if license_key := sent_text(sent, *LICENSE_KEY_NAMES).strip():
        yield f"license-key {license_key}", settings.LICENSE_KEY_REQUESTS_PER_MINUTE


def _guesses(api_key: ApiKey | None, address: str) -> tuple[str, int]:
    """The bucket of wrong license keys and contract keys; an API key with a limit of its own has its own bucket."""
    if api_key and api_key.wrong_keys_per_minute is not None:
        return f"wrong-keys {network_of(address)} {api_key.pk}", api_key.wrong_keys_per_minute
    return f"wrong-keys {network_of(address)}", settings.WRONG_KEYS_PER_MINUTE


def _refuse_for(seconds: float) -> None:
    if seconds:
        raise Refused(Code.TOO_MANY_REQUESTS, retry_after=seconds)
