"""Envato purchase codes: a license key that nobody knows may be one, used here for the first time (206).

The code is looked up at Envato; a sale of an item that is a product here becomes a license key of that product, with
the code as its text. What Envato does not know is remembered for a while, and what it cannot say just now is no
verdict: 198 tells the customer's software to ask again, where 210 would call a paid license invalid.
"""

import hashlib
import json
import logging
import uuid
from contextlib import suppress
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from licenses.codes import Code, Refused
from licenses.models import Actor, LicenseKey, Product
from licenses.services import outgoing
from licenses.services.generators import generator_of
from licenses.services.license_keys import assign_license_key, create_license_key
from licenses.services.retries import retried
from licenses.services.throttles import network_of, take

logger = logging.getLogger(__name__)

UNKNOWN_FOR = timedelta(minutes=10)
ASK_AGAIN_AFTER = timedelta(seconds=30)  # after a failure, so that a dead service does not slow every request down
LOOK_UPS_A_CALLER, LOOK_UPS_A_MINUTE = 10, 60  # a minute, of one address and of all: guessing is not passed on
AWAY = "envato-away"


class Sale(NamedTuple):
    """What Envato knows of a purchase code: which item was bought, and by whom."""

    item_id: str
    buyer: str


def add_purchase_code(*, license_key: str, owner_email: str = "", actor: Actor) -> LicenseKey | None:
    """The license key made now of a purchase code that Envato knows; None when the text is known or no such code.

    Refuses 198 when Envato cannot say. Call it outside of a transaction: it waits for Envato, 10 seconds at most.
    """
    if not _is_purchase_code(license_key) or not _envato_products().exists():
        return None
    if LicenseKey.objects.filter(license_key=license_key).exists():
        return None
    sale = _find_sale(license_key, caller=network_of(actor.address or actor.name))
    product = _envato_products().filter(external_reference=sale.item_id).order_by("pk").first() if sale else None
    if sale is None or product is None:
        _remember(_cache_name(license_key), UNKNOWN_FOR)
        return None
    try:
        owner = {"owner_name": sale.buyer, "owner_email": owner_email}
        return retried(partial(_add, product, license_key, **owner, actor=actor))
    except (IntegrityError, ValidationError):  # another call has added it just now
        return LicenseKey.objects.filter(license_key=license_key).first()


@transaction.atomic
def _add(product: Product, license_key: str, *, owner_name: str, owner_email: str, actor: Actor) -> LicenseKey:
    """On the terms of the product's oldest active generator: one device and for ever where there is none."""
    generator = generator_of(product)
    names = ("activation_limit", "validity_days") if generator else ()
    terms = {name: getattr(generator, name) for name in names}
    create_license_key(product=product, license_key=license_key, **terms, actor=actor)
    return assign_license_key(
        license_key=license_key, owner_name=owner_name, owner_email=owner_email, reference="Envato", actor=actor
    )


def _envato_products() -> QuerySet[Product]:
    return Product.objects.offered().filter(source=Product.Source.ENVATO).exclude(external_reference="")


def _is_purchase_code(text: str) -> bool:
    """Envato's codes are UUIDs in small letters; only in that form, so that no purchase becomes two license keys."""
    if not settings.ENVATO_TOKEN:
        return False
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _find_sale(code: str, *, caller: str) -> Sale | None:
    """The sale with this code, None when there is none; refuses 198 when Envato cannot say."""
    if _is_remembered(_cache_name(code)):
        return None
    if _is_remembered(AWAY) or not _may_ask(caller):
        raise Refused(Code.SERVICE_UNAVAILABLE)
    try:
        return _ask(code)
    except CannotSay as problem:
        logger.warning("Envato cannot say whether it knows a purchase code: %s", problem)
        _remember(AWAY, ASK_AGAIN_AFTER)
        raise Refused(Code.SERVICE_UNAVAILABLE) from problem


class CannotSay(Exception):
    """Envato gave no answer that counts."""


def _ask(code: str) -> Sale | None:
    url = f"{settings.ENVATO_API_URL}/v3/market/author/sale?{urlencode({'code': code})}"
    try:
        answer = outgoing.get(url, headers={"Authorization": f"Bearer {settings.ENVATO_TOKEN}"})
    except (outgoing.NotSent, outgoing.Uncertain) as problem:
        raise CannotSay(str(problem)) from None
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise CannotSay(f"it answers with status {answer.status}")
    try:
        sale = json.loads(answer.body)
        return Sale(_clean(str(sale["item"]["id"])), _clean(sale.get("buyer")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CannotSay("its answer cannot be read") from None


def _clean(name: object) -> str:
    """A buyer's name as an owner can have it."""
    text = name if isinstance(name, str) else ""
    return "".join(character for character in text if character.isprintable()).strip()[:255]


def _cache_name(code: str) -> str:
    return "envato-unknown-" + hashlib.sha256(code.encode()).hexdigest()


# A cache that is away takes only the memory away: what it guards still works


def _is_remembered(name: str) -> bool:
    with suppress(Exception):
        return bool(cache.get(name))
    return False


def _remember(name: str, duration: timedelta) -> None:
    with suppress(Exception):
        cache.set(name, True, duration.total_seconds())


def _may_ask(caller: str) -> bool:
    """Who guesses uses up a share of his own first, so that others' purchases are still looked up."""
    of_caller, of_all = LOOK_UPS_A_CALLER, LOOK_UPS_A_MINUTE
    if take(f"envato {caller}", burst=of_caller, per_minute=of_caller):
        return False
    return not take("envato", burst=of_all, per_minute=of_all)
