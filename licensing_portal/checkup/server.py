"""The machine that answers: versions, clock, disk, settings."""

import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
from django.conf import settings
from django.db import connection
from django.utils import timezone

from licensing_portal.checkup.lines import Line, State, size
from licensing_portal.checkup.stores import one
from settings_api.resolve import Resolved, Source, resolve_all

SKEWED, FAR_SKEWED = timedelta(seconds=2), timedelta(minutes=1)
GIGABYTE = 1024**3
LITTLE, TOO_LITTLE = 2 * GIGABYTE, GIGABYTE // 4  # free bytes
VERSIONS = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}
SOURCES = {
    Source.ENVIRONMENT: "from the environment",
    Source.FILE: "from a file",
    Source.DATABASE: "set in the admin or by the settings API",
    Source.DEFAULT: "the default",
}


def versions() -> Iterator[Line]:
    yield Line("Portal", settings.PORTAL_VERSION, State.PLAIN)
    yield Line("Django", django.get_version(), State.PLAIN)
    yield Line("Python", platform.python_version(), State.PLAIN)
    yield Line(connection.display_name, str(one(VERSIONS[connection.vendor])), State.PLAIN)
    if settings.DEBUG:
        yield Line("Debug pages", "On", State.WARN, "Take the variable DEBUG away: they show settings and source.")


def clock() -> Iterator[Line]:
    now = timezone.now()
    zone = settings.TIME_ZONE
    yield Line("Time", f"{timezone.localtime(now):%Y-%m-%d %H:%M:%S} {zone}", State.PLAIN)
    if connection.vendor == "postgresql":
        yield _skew()


def _skew() -> Line:
    """How far the database's clock is off ours: half the way there and back is not its fault."""
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    ours = before + (datetime.now(UTC) - before) / 2
    return skew_line(theirs - ours)


def skew_line(skew: timedelta) -> Line:
    off = abs(skew)
    value = f"{off.total_seconds():.1f} s {'ahead of' if skew > timedelta() else 'behind'} this server"
    if off <= SKEWED:
        return Line("Clock of the database", value)
    advice = "Let NTP set the clocks of both: answers carry the time, and license keys expire by it."
    return Line("Clock of the database", value, State.BAD if off > FAR_SKEWED else State.WARN, advice)


def disk() -> Iterator[Line]:
    """Where the portal writes, each disk once."""
    seen = set()
    for title, folder in (("Disk of DATA_DIR", settings.DATA_DIR), ("Disk of release files", settings.MEDIA_ROOT)):
        place = next((path for path in (Path(folder), *Path(folder).parents) if path.exists()), Path("/"))
        if (device := place.stat().st_dev) not in seen:
            seen.add(device)
            usage = shutil.disk_usage(place)
            yield free_line(title, usage.free, usage.total)


def free_line(title: str, free: int, total: int) -> Line:
    value = f"{size(free)} free of {size(total)}"
    if free > LITTLE:
        return Line(title, value)
    advice = "Make room: uploads and, with SQLite, every change need it."
    return Line(title, value, State.BAD if free < TOO_LITTLE else State.WARN, advice)


def portal_settings() -> Iterator[Line]:
    for setting in resolve_all().values():
        value = f"{_shown(setting)}; {SOURCES[setting.source]}"
        if setting.locked_by:
            value += f", locked by {setting.locked_by}"
        state = State.WARN if setting.note else State.PLAIN
        yield Line(setting.parameter.label, value, state, setting.note)


def _shown(setting: Resolved) -> str:
    """Of a secret not even its end."""
    if setting.parameter.secret:
        return "Given" if setting.value != "" else "Empty"
    return str(setting.value)
