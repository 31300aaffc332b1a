"""The WSGI application: checks that it can sign before it serves, and reads bodies sent without a length."""

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def with_chunked_bodies(application: Wsgi, *, limit: int) -> Wsgi:
    """Give a chunked body its Content-Length, without which Django reads nothing of it.

    At most `limit` + 1 bytes are read: one more than is allowed is enough to refuse it.
    """

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if chunked and not environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(limit + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return application(environ, start_response)

    return wrapped


def build() -> Wsgi:
    django_application = get_wsgi_application()

    from django.conf import settings
    from django.core.management import call_command

    call_command("check", deploy=True, databases=["default"], tags=["signing"])  # refuses to serve what it cannot sign
    return with_chunked_bodies(django_application, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


application = build()
