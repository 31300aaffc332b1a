"""What the first page reads at once. What takes a walk over a large table, services/figures.py counts beforehand."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db.models import Q, Sum

from licenses.models import ApiKey, DailyCount, LicenseKey, Product

DAYS = 30  # of the charts
REFUSED = "refused."
SPIKE_LEAST, SPIKE_TIMES = 20, 3  # a spike has so many a day, and so many times as many as is usual


@dataclass(frozen=True)
class Spike:
    """An answer that refused more often, today or yesterday, than is usual: the mean of the days before."""

    number: int
    count: int
    usual: float
    is_today: bool


@dataclass(frozen=True)
class Days:
    """How often what happened on each of the last days, the oldest first; `counts` by name and day."""

    days: list[date]
    counts: dict[str, Counter[date]] = field(default_factory=dict)

    def of(self, name: str) -> list[int]:
        """The numbers of all days."""
        return [self.counts.get(name, Counter())[day] for day in self.days]

    def refusals(self) -> list[tuple[int, int]]:
        """The numbers of answers that refused, each with how often, the most frequent first."""
        totals = {int(name.removeprefix(REFUSED)): sum(self.of(name)) for name in self._refused()}
        return sorted(((number, total) for number, total in totals.items() if total), key=lambda row: (-row[1], row[0]))

    def spikes(self) -> list[Spike]:
        """The worst first."""
        found = [spike for name in self._refused() if (spike := self._spike(name))]
        return sorted(found, key=lambda spike: spike.usual - spike.count)

    def _refused(self) -> list[str]:
        return [name for name in self.counts if name.startswith(REFUSED) and name.removeprefix(REFUSED).isdecimal()]

    def _spike(self, name: str) -> Spike | None:
        *before, yesterday, today = self.of(name)
        usual, count = sum(before) / len(before), max(today, yesterday)
        is_spike = count >= SPIKE_LEAST and count >= SPIKE_TIMES * usual
        return Spike(int(name.removeprefix(REFUSED)), count, usual, today >= yesterday) if is_spike else None


def last_days(at: datetime, names: Collection[str]) -> Days:
    """What `DailyCount` says of these names and of all refusals in the last 30 days; the days are those of UTC."""
    today = at.astimezone(UTC).date()
    found = Days([today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)])
    rows = DailyCount.objects.filter(Q(name__in=names) | Q(name__startswith=REFUSED), day__gte=found.days[0])
    for day, name, count in rows.order_by().values_list("day", "name").annotate(Sum("count")):
        found.counts.setdefault(name, Counter())[day] = count
    return found


def first_steps() -> dict[str, bool]:
    """What a new portal needs before a shop can use it, and whether it is there."""
    return {
        "product": Product.objects.exists(),
        "license_key": LicenseKey.objects.exists(),
        "api_key": ApiKey.objects.exists(),
    }
