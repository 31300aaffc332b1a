"""What is no HTTP request is answered in the portal's form too: it may have been meant for /api/v1/."""

from http import HTTPStatus
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]

from licenses.api.replies import Reply, seal_failure
from licenses.codes import Code

CODES = {
    HTTPStatus.REQUEST_URI_TOO_LONG: Code.REQUEST_TOO_LARGE,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Code.REQUEST_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR: Code.INTERNAL_ERROR,
}


def write_error(sock: Any, status_int: int, reason: str, mesg: str) -> None:
    """In place of gunicorn's function of this name, which sends HTML that quotes the request."""
    answer = seal_failure(Reply(CODES.get(HTTPStatus(status_int), Code.MALFORMED_REQUEST)))
    headers = {**answer.headers, "Connection": "close", "Content-Length": str(len(answer.content))}
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    util.write_nonblock(sock, "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.content)
