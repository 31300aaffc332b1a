"""`/.well-known/jwks.json`: the public half of every signing key, for software that fetches what it verifies with."""

import hashlib
import json
import uuid
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from licenses import signing
from licenses.api.replies import RETRY_AFTER_SECONDS
from licenses.models import Product, SigningKey

CONTENT_TYPE = "application/jwk-set+json"  # RFC 7517, section 8.5.2
MAX_AGE_SECONDS = 300  # an upcoming key should be published for longer than that before it is put in use
PUBLISHED = (
    "public_key",
    "fingerprint",
    "status",
    "activated_at",
    "retired_at",
    "compromised_at",
    "product__uuid",
)


@csrf_exempt  # or a POST would be told about a token instead of the method
@require_safe
def show_published_keys(request: HttpRequest) -> HttpResponse:
    """All keys, or with `?product=` (UUID or slug) that product's and the global ones; of a deleted product too."""
    try:
        keys = SigningKey.objects.all()
        if "product" in request.GET:
            product = _find_product(request.GET["product"])
            if product is None:
                return _problem("There is no product with this UUID or slug.", status=404)
            keys = keys.filter(Q(product=product) | Q(product=None))
        # Only these columns: what is not read cannot be shown
        rows = list(keys.order_by("product", "pk").values(*PUBLISHED))
    except DatabaseError:
        return _problem("The database does not answer.", status=503)
    return _answer(request, json.dumps({"keys": [_member(row) for row in rows]}).encode())


def _find_product(text: str) -> Product | None:
    if "\0" in text or not text:
        return None
    try:
        return Product.objects.filter(uuid=uuid.UUID(text)).first()
    except ValueError:
        return Product.objects.filter(slug=text).first()


def _member(row: dict[str, Any]) -> dict[str, Any]:
    """A JSON Web Key (RFC 7517). Its members from `pem` on are the portal's own; times are Unix seconds, or null."""
    return {
        **signing.jwk(row["public_key"]),
        "kid": row["fingerprint"],
        "use": "sig",
        "alg": "RS256",
        "pem": row["public_key"],
        "status": row["status"],
        "product": str(row["product__uuid"]) if row["product__uuid"] else None,
        "nbf": _seconds(row["activated_at"]),
        "exp": _seconds(row["retired_at"]),
        "revoked_at": _seconds(row["compromised_at"]),
    }


def _seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None


def _answer(request: HttpRequest, body: bytes) -> HttpResponse:
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}",
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
    }
    response = HttpResponse(body, content_type=CONTENT_TYPE, headers=headers)
    return get_conditional_response(request, etag=headers["ETag"], response=response) or response


def _problem(message: str, *, status: int) -> JsonResponse:
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}  # noqa: PLR2004
    return JsonResponse({"message": message}, status=status, headers={"Cache-Control": "no-store"} | retry)
