"""Generators: how the license keys of a product are made, and making them."""

import logging
import secrets
import uuid
from collections.abc import Callable, Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.module_loading import import_string

from licenses.codes import Code, Refused
from licenses.models import Actor, Contract, Generator, LicenseKey, Product
from licenses.services.records import save_record
from licenses.services.rows import LENGTHS
from licenses.services.stock import NotGenerated, make_license_keys, require_terms

logger = logging.getLogger(__name__)

FIXED = ("product", "method")  # what programs and people know a generator by
SAMPLE = 200  # texts drawn to see how much of a generator's space is taken
MAX_DIGITS = 18  # of an id; longer ones overflow the database's integers
Draw = Callable[[], str]


def generator_of(product: Product) -> Generator | None:
    """The generator that makes the product's license keys when none is named: its oldest active one (D12)."""
    return product.generators.filter(is_active=True).order_by("pk").first()


def find_generator(text: str, *, product: Product | None = None) -> Generator:
    """The active generator with this id, of this product if one is given; refuses 806.

    A generator of a deleted product is not found either.
    """
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else 0
    generators = Generator.objects.filter(is_active=True, product__in=Product.objects.offered())
    found = generators.select_related("product").filter(pk=number).first()
    if found is None or (product and found.product_id != product.pk):
        raise Refused(Code.GENERATOR_NOT_FOUND, product_id=product.pk if product else None)
    return found


def generator_for(product: Product, named: str = "") -> Generator | None:
    """The product's generator with this id (refuses 806 when there is none); without an id its own, if any."""
    return find_generator(named, product=product) if named else generator_of(product)


def require_generator(product: Product, named: str = "") -> Generator:
    """As `generator_for`; refuses 806 also when the product has none."""
    found = generator_for(product, named)
    if found is None:
        raise Refused(Code.GENERATOR_NOT_FOUND, product_id=product.pk)
    return found


@transaction.atomic
def save_generator(generator: Generator, *, changed_fields: Sequence[str] = (), actor: Actor) -> None:
    """Write a generator. ValidationError names a field that cannot be so, or that is fixed once it exists."""
    fixed = [name for name in FIXED if name in changed_fields] if not generator._state.adding else []
    if fixed:
        raise ValidationError(dict.fromkeys(fixed, "This stays as it was made: make another generator instead."))
    save_record(generator, changed_fields=changed_fields, actor=actor)


@transaction.atomic
def generate_with(
    *,
    generator: Generator,
    quantity: int,
    contract: Contract | None = None,
    activation_limit: int | None = None,
    validity_days: int | None = None,
    actor: Actor,
) -> list[LicenseKey]:
    """New available license keys, on the generator's own terms where none are given: all of them or none.

    Refuses (`NotGenerated`, with the reason) 802 when hardly any text is left and 806 when its function does not work;
    ValidationError names a number that is out of its range.
    """
    limit = generator.activation_limit if activation_limit is None else activation_limit
    days = generator.validity_days if validity_days is None else validity_days
    require_terms(quantity, limit, days)

    def build(text: str) -> LicenseKey:
        product = generator.product
        return LicenseKey(
            product=product, license_key=text, contract=contract, activation_limit=limit, validity_days=days
        )

    return make_license_keys(quantity=quantity, draw=drawer(generator), build=build, actor=actor)


def drawer(generator: Generator) -> Draw:
    """The function that makes a new text each time; it and this refuse 806 (`NotGenerated`) what cannot work."""
    draw_middle = METHODS[Generator.Method(generator.method)](generator)

    def draw() -> str:
        text = f"{generator.prefix}{draw_middle()}{generator.suffix}"
        if text != text.strip() or not text.isprintable() or not 1 <= len(text) <= LENGTHS["license_key"]:
            raise _broken(generator, "It makes texts that no license key can have: 1 to 255 printable characters.")
        return text

    return draw


def _uuid_drawer(generator: Generator) -> Draw:
    return lambda: str(uuid.uuid4())


def _chunk_drawer(generator: Generator) -> Draw:
    """Chunks of characters that each are as likely as any other, from one random number: one system call for all."""
    charset, length, chunks = generator.charset, generator.chunk_length, range(generator.number_of_chunks)
    possibilities = len(charset) ** length

    def draw_chunk() -> str:
        number, characters = secrets.randbelow(possibilities), []
        for _ in range(length):
            number, place = divmod(number, len(charset))
            characters.append(charset[place])
        return "".join(characters)

    return lambda: generator.separator.join(draw_chunk() for _ in chunks)


def _custom_drawer(generator: Generator) -> Draw:
    """The generator's function, if it is one that the settings allow; whatever it raises is a refusal."""
    if generator.function_name not in settings.LICENSE_KEY_FUNCTIONS:
        raise _broken(generator, "Its function is not named in LICENSE_KEY_FUNCTIONS.")
    try:
        function = import_string(generator.function_name)
    except Exception as error:
        raise _broken(generator, "Its function cannot be imported.") from error

    def draw() -> str:
        try:
            found = function()
        except Exception as error:
            raise _broken(generator, f"Its function failed with {type(error).__name__}.") from error
        if not isinstance(found, str):
            raise _broken(generator, "Its function gives something that is no text.")
        return found

    return draw


METHODS: dict[Generator.Method, Callable[[Generator], Draw]] = {
    Generator.Method.UUID: _uuid_drawer,
    Generator.Method.CHUNK_SYSTEM: _chunk_drawer,
    Generator.Method.CUSTOM: _custom_drawer,
}


def _broken(generator: Generator, reason: str) -> NotGenerated:
    """A generator that cannot work is no fault of the caller: staff find the reason in the log and at the generator."""
    logger.error("Generator %s (%s) made nothing. %s", generator.pk, generator.function_name, reason)
    return NotGenerated(Code.GENERATOR_NOT_FOUND, reason, product_id=generator.product_id)


def share_taken(generator: Generator) -> float:
    """About how much of the generator's space is taken, from 0 to 1: of texts drawn now, how many are license keys."""
    draw = drawer(generator)
    drawn = {draw() for _ in range(SAMPLE)}
    return LicenseKey.objects.filter(license_key__in=drawn).count() / len(drawn)
