"""Columns that several nouns have."""

from licenses.admin.porting.cells import ReferenceCell
from licenses.models import Product


def find_product(text: str) -> Product:
    """By slug, UUID or exact name, never by number: a number in a file from elsewhere is another product here."""
    found = None if text.isdecimal() else Product.objects.named(text)
    if found is None:
        same = list(Product.objects.offered().filter(name=text)[:2])
        found = same[0] if len(same) == 1 else None
    if found is None:
        raise ValueError("There is no such product. Write its slug, its UUID or a name that no other product has.")
    return found


def product_cell() -> ReferenceCell:
    return ReferenceCell(find_product, lambda product: product.slug or str(product.uuid))


PRODUCT = "The product's slug, its UUID, or its name where no other has it."
LIMIT = "How many identifiers may be active at the same time. 0: no limit. Default 1."
VALIDITY = "Days from assignment to expiry. 0: it never expires. Default 0."
FEATURES = 'A JSON object: {"export": true, "seats": 5}.'
