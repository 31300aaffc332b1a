"""The figures on the first page."""

from datetime import datetime, timedelta

from licenses.models import Activation, ApiKey, LicenseKey, Owner, Product
from licenses.reports.counting import Count, count_up_to

EXPIRING_DAYS = 30


def overview(at: datetime) -> dict[str, Count]:
    """The figures of the overview by name, each counted to `COUNT_CAP`."""
    license_keys = LicenseKey.objects
    return {
        "assigned": count_up_to(license_keys.filter(status=LicenseKey.Status.ASSIGNED)),
        "available": count_up_to(license_keys.available()),
        "expiring": count_up_to(license_keys.expiring(after=at, before=at + timedelta(days=EXPIRING_DAYS))),
        "expired": count_up_to(license_keys.expired(at)),
        "blocked": count_up_to(license_keys.filter(status=LicenseKey.Status.BLOCKED)),
        "activations": count_up_to(Activation.objects.live()),
        "owners": count_up_to(Owner.objects.all()),
        "products": count_up_to(Product.objects.filter(status=Product.Status.ACTIVE)),
    }


def first_steps() -> dict[str, bool]:
    """What a new portal needs before a shop can use it, and whether it is there."""
    return {
        "product": Product.objects.exists(),
        "license_key": LicenseKey.objects.exists(),
        "api_key": ApiKey.objects.exists(),
    }
