"""What an authenticator app does: codes from a secret (RFC 6238). Once more, so that both cannot be wrong."""

import base64
import hashlib
import hmac
import time


def code_of(secret: str, *, steps: int = 0) -> str:
    """The six digits of now, or of `steps` times 30 seconds from now."""
    counter = int(time.time()) // 30 + steps
    digest = hmac.digest(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 1_000_000:06}"
