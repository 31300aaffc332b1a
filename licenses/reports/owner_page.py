"""What the page of an owner shows: bounded, and as quick for five thousand license keys as for one."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count as Counted
from django.db.models import Q, QuerySet, Sum

from licenses.models import Activation, LicenseKey, Owner, RefusedCall
from licenses.reports.counting import COUNT_CAP, Count, count_up_to
from licenses.reports.lists import NEWEST_OF_FEW, with_live_activations

SHOWN = 10
LATELY = timedelta(days=7)


def figures_of(owner: Owner, at: datetime) -> dict[str, Count]:
    """How many license keys there are, in which state, and in how many places they run. Two queries."""
    assigned = Q(status=LicenseKey.Status.ASSIGNED)
    counted = owner.license_keys.order_by()[: COUNT_CAP + 1].aggregate(
        license_keys=Counted("pk"),
        expired=Counted("pk", filter=assigned & Q(expires_at__lte=at)),
        blocked=Counted("pk", filter=Q(status=LicenseKey.Status.BLOCKED)),
    )
    more = counted["license_keys"] > COUNT_CAP
    figures = {name: Count(min(number, COUNT_CAP), more) for name, number in counted.items()}
    return figures | {"places": count_up_to(_live_of(owner))}


def license_keys_of(owner: Owner) -> list[Any]:
    """The newest ones, with their products and `live_count`; one more than `SHOWN` says that there are more."""
    newest = list(owner.license_keys.order_by(NEWEST_OF_FEW).values_list("pk", flat=True)[: SHOWN + 1])
    rows = LicenseKey.objects.filter(pk__in=newest).select_related("product").order_by("-pk")
    return list(with_live_activations(rows))


def live_activations_of_owner(owner: Owner) -> list[Activation]:
    """The newest ones over all license keys; one more than `SHOWN` says that there are more."""
    newest = list(_live_of(owner).order_by(NEWEST_OF_FEW).values_list("pk", flat=True)[: SHOWN + 1])
    return list(Activation.objects.filter(pk__in=newest).select_related("license_key").order_by("-pk"))


def refused_lately(license_keys: Iterable[LicenseKey], at: datetime) -> dict[int, int]:
    """How many calls were refused in the last days, by the number of the license key."""
    since = (at - LATELY).astimezone(UTC).date()
    rows = RefusedCall.objects.filter(license_key__in=[row.pk for row in license_keys], day__gte=since).order_by()
    return dict(rows.values_list("license_key").annotate(total=Sum("count")))


def _live_of(owner: Owner) -> QuerySet[Activation]:
    return Activation.objects.live().filter(license_key__owner=owner)
