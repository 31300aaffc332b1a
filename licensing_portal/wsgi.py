"""The WSGI application: checks that it can sign before it serves, and reads bodies that Django alone cannot."""

import io
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


# What programs write their requests in. Django would hand any name to Python's codecs: there are some that crash on the
# first byte that is no text, and some that take minutes for a megabyte
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252", "")


class BrokenBody(io.RawIOBase):
    """A body that could not be read: Django hears so when it asks for it, and answers in the format of the door."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem

    def read(self, size: int = -1) -> bytes:
        raise OSError(self.problem)


class WholeBody(io.RawIOBase):
    """A body of known length. One that was cut off is not read as if it were whole: a form has no end of its own."""

    def __init__(self, stream: Any, length: int) -> None:
        super().__init__()
        self.stream, self.missing = stream, length

    def read(self, size: int = -1) -> bytes:
        wanted = self.missing if size < 0 else min(size, self.missing)
        data: bytes = self.stream.read(wanted)
        self.missing -= len(data)
        if len(data) < wanted:
            raise OSError("the body ended before its Content-Length")
        return data


def with_readable_bodies(application: Wsgi, *, limit: int) -> Wsgi:
    """Give every body to Django whole, with a length and in a charset that it can read, or as one that is broken.

    Of a chunked body at most `limit` + 1 bytes are read: one more than is allowed is enough to refuse it.
    """

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ.update(_body(environ, limit))
        return application(environ, start_response)

    return wrapped


def _body(environ: Environ, limit: int) -> Environ:
    """The variables that describe the body, as Django shall see them."""
    content_type, length = environ.get("CONTENT_TYPE", ""), environ.get("CONTENT_LENGTH", "")
    if not _is_readable(content_type):
        return {"CONTENT_TYPE": content_type.partition(";")[0]} | _broken("its Content-Type cannot be read")
    if length.isdigit():
        return {"wsgi.input": WholeBody(environ["wsgi.input"], int(length))}
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return _read_chunks(environ["wsgi.input"], limit)
    return {}


def _is_readable(content_type: str) -> bool:
    try:
        _, parameters = parse_header_parameters(content_type)
    except (ValueError, TypeError, LookupError):  # RFC 2231: parts that contradict each other, charsets nobody knows
        return False
    return parameters.get("charset", "").lower() in CHARSETS


def _read_chunks(stream: Any, limit: int) -> Environ:
    try:
        body = stream.read(limit + 1)
    except Exception as error:  # every server has an exception of its own for this
        logger.warning("A chunked body could not be read: %s", error)
        return _broken("the chunks of this body are malformed")
    return {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def _broken(problem: str) -> Environ:
    return {"wsgi.input": BrokenBody(problem), "CONTENT_LENGTH": "1"}


def build() -> Wsgi:
    django_application = get_wsgi_application()

    from django.conf import settings
    from django.core.management import call_command

    from licensing_portal.statements import limit_statements

    limit_statements()
    # Refuses to serve what it cannot sign, warns of variables it ignores; that there are no issues is no news
    call_command("check", deploy=True, databases=["default"], tags=["signing", "settings"], stdout=io.StringIO())
    return with_readable_bodies(django_application, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


application = build()
