"""What endpoints answer, for their documentation: the function says its own codes, here are those that many share."""

from collections.abc import Callable
from typing import Any, TypeVar

from licenses.codes import Code

Handle = TypeVar("Handle", bound=Callable[..., Any])

ANY_CALLER = (
    Code.ACCESS_DENIED,
    Code.TOO_MANY_REQUESTS,
    Code.MALFORMED_REQUEST,
    Code.SERVICE_UNAVAILABLE,
    Code.INTERNAL_ERROR,
)
WITH_API_KEY = (
    Code.INVALID_API_KEY,
    Code.INACTIVE_API_KEY,
    Code.INSUFFICIENT_PERMISSIONS,
    Code.IP_NOT_ALLOWED,
)
WITH_BODY = (Code.UNSUPPORTED_MEDIA_TYPE, Code.REQUEST_TOO_LARGE)
WITH_IDEMPOTENCY_KEY = (Code.IDEMPOTENCY_KEY_REUSED,)

USABLE = (
    Code.LICENSE_KEY_INVALID,
    Code.LICENSE_KEY_NOT_ASSIGNED,
    Code.PRODUCT_INACTIVE,
    Code.LICENSE_KEY_BLOCKED,
    Code.LICENSE_KEY_EXPIRED,
)
GATE = (*USABLE, Code.IDENTIFIER_REQUIRED)

_of: dict[Callable[..., Any], tuple[Code, ...]] = {}


def answers(*codes: Code) -> Callable[[Handle], Handle]:
    """Says above an endpoint's function what it answers, what goes well first; tests hold it to that."""

    def note(handle: Handle) -> Handle:
        _of[handle] = codes
        return handle

    return note


def answers_of(handle: Callable[..., Any]) -> tuple[Code, ...]:
    """Empty while the function says nothing."""
    return _of.get(handle, ())
