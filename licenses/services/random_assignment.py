"""Random assignment: any available license keys of a product, or new ones, go to one owner."""

import contextlib
from functools import partial

from django.db import connection, transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.models import Actor, Generator, LicenseKey, Product
from licenses.services.generators import generate_with, require_generator
from licenses.services.license_keys import hand_over, store_handed_over
from licenses.services.owners import find_or_create_owner


@transaction.atomic
def assign_from_stock_or_generate(
    *,
    product: Product,
    quantity: int,
    generate: bool,
    owner_name: str = "",
    owner_email: str = "",
    generator: Generator | None = None,
    actor: Actor,
) -> list[LicenseKey]:
    """Give so many license keys to one owner, all of them or none; in the order of their numbers.

    With `generate` all are new, made by `generator` or the product's own (806 when there is none), else they are the
    oldest in stock. Refuses 802 with `available_quantity` when there are too few.
    """
    find_owner = partial(find_or_create_owner, name=owner_name, email=owner_email, actor=actor)
    if generate:  # the owner first, as wherever new license keys are stored
        generator = generator or require_generator(product)
        owner = find_owner()
        keys = generate_with(generator=generator, quantity=quantity, actor=actor)
    else:
        keys = _take_from_stock(product, quantity)
        owner = find_owner()
    now = timezone.now()
    for found in keys:
        hand_over(found, to=owner, at=now)
    store_handed_over(keys, actor=actor)
    return sorted(keys, key=lambda found: found.pk)


def _take_from_stock(product: Product, quantity: int) -> list[LicenseKey]:
    """The oldest available license keys, locked.

    Those that another transaction holds are passed over. Only when there are too few without them is it worth waiting
    for what becomes of them; the locks taken so far are given back before, so that no two wait for each other.
    """
    if connection.features.has_select_for_update_skip_locked:
        with contextlib.suppress(_TooFew), transaction.atomic():
            return _lock(product, quantity, skip_locked=True)
    try:
        return _lock(product, quantity)
    except _TooFew as few:
        raise Refused(Code.NOT_ENOUGH_LICENSE_KEYS, product_id=product.pk, available_quantity=few.available) from few


class _TooFew(Exception):
    def __init__(self, available: int) -> None:
        super().__init__(available)
        self.available = available


def _lock(product: Product, quantity: int, *, skip_locked: bool = False) -> list[LicenseKey]:
    stock = LicenseKey.objects.available().filter(product=product).order_by("pk")
    keys = list(stock.select_for_update(skip_locked=skip_locked)[:quantity])
    if len(keys) < quantity:
        raise _TooFew(len(keys))
    return keys
