"""How long the admin's pages take on a portal that has grown: a million license keys, two million audit events.

    createdb scratch
    DATABASE_URL=postgres://postgres@127.0.0.1/scratch python bench/admin_pages.py --write bench/admin_pages.md

It fills an empty PostgreSQL database, which takes some minutes, and then asks for each page in turn with a trivial one
(changing one's password), through the portal's whole WSGI stack, signed in as superuser. `--keep` measures what a run
before has left, brought to this version; `--scale 0.1` fills a tenth. The audit events are no chain: the database is
good for this alone.
"""

import argparse
import base64
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="bench-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(60))
os.environ.setdefault("VAULT_KEYS", base64.urlsafe_b64encode(os.urandom(32)).decode())
os.environ["LOG_LEVEL"] = "ERROR"
os.environ["SECOND_FACTOR_REQUIRED"] = "nobody"
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import NoReverseMatch, reverse  # noqa: E402

from licensing_portal.statements import limit_statements  # noqa: E402

PRODUCTS, OWNERS, KEYS, ACTIVATIONS, EVENTS = 50, 400_000, 1_000_000, 500_000, 2_000_000
LARGE = 15_000  # the license keys up to this one that are owned are of one owner: 12,000
TURNS, WARM_UP = 7, 2
TARGET, DASHBOARD_TARGET = 300, 150  # milliseconds

# What a column holds that is told nothing else and may not be empty
FILLINGS = {"boolean": "false", "jsonb": "'{}'", "timestamp with time zone": "now()", "date": "current_date"}
NUMBERS = ("bigint", "integer", "smallint", "double precision")
OWNED = "(g - 1) % 10 < 7 OR (g - 1) % 10 = 9"  # 7 in 10 are assigned, 2 available, 1 is blocked
TEXT = "upper(substr(md5(g::text), 1, 5) || '-' || substr(md5(g::text), 6, 5) || '-' || substr(md5(g::text), 11, 10))"
KINDS = "ARRAY['activation.activated', 'license_key.assigned', 'license_key.created', 'metadata.updated']"


def fill(scale: float) -> None:
    owners, keys, activations, events = (int(number * scale) for number in (OWNERS, KEYS, ACTIVATIONS, EVENTS))
    insert(
        "licenses_product",
        PRODUCTS,
        name="'Product ' || g",
        status="'active'",
        source="'internal'",
        uuid="gen_random_uuid()",
    )
    insert(
        "licenses_owner",
        owners,
        email="'owner' || g || '@' || (ARRAY['example.com', 'example.org', 'shop.example.net'])[1 + g % 3]",
        name="(ARRAY['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara'])[1 + g % 5] || ' Number ' || g",
    )
    insert(
        "licenses_licensekey",
        keys,
        product_id=f"1 + g % {PRODUCTS}",
        license_key=TEXT,
        status="(ARRAY['assigned','assigned','assigned','assigned','assigned','assigned','assigned',"
        "'available','available','blocked'])[1 + (g - 1) % 10]",
        owner_id=f"CASE WHEN NOT ({OWNED}) THEN NULL WHEN g <= {LARGE} THEN 1 ELSE 1 + g % {owners} END",
        assigned_at=f"CASE WHEN {OWNED} THEN now() - (g % 700) * interval '1 day' END",
        expires_at=f"CASE WHEN ({OWNED}) AND g % 2 = 0 THEN now() + (g % 730 - 365) * interval '1 day' END",
        activation_limit="3",
        reference="CASE WHEN g % 4 = 0 THEN 'order ' || g ELSE '' END",
    )
    insert(
        "licenses_activation",
        activations,
        license_key_id="((g - 1) / 7) * 10 + (g - 1) % 7 + 1",
        identifier="'host' || g || '.example.com'",
        activated_at="now() - (g % 700) * interval '1 day'",
        deactivated_at="CASE WHEN g % 5 = 0 THEN now() END",
    )
    insert(
        "licenses_auditevent",
        events,
        occurred_at=f"now() - ({events} - g) * interval '20 seconds'",
        kind=f"({KINDS})[1 + g % 4]",
        door="(ARRAY['api', 'api', 'api', 'admin'])[1 + g % 4]",
        actor="'Shop (lp_' || g % 9 || ')'",
        object_type="'license_key'",
        object_id=f"1 + g % {keys}",
        object_label="'ABCDE-…'",
        before="""'{"status": "available"}'""",
        after="""'{"status": "assigned"}'""",
        position="g",
        digest="md5(g::text)",
    )


def insert(table: str, rows: int, **told: str) -> None:
    """Rows 1 to `rows`, whose columns are expressions of `g`; what is not told is filled by its type."""
    started = time.monotonic()
    columns = needed(table) | {"id": "g"} | told
    statement = f"INSERT INTO {table} ({', '.join(map(quoted, columns))}) SELECT {', '.join(columns.values())}"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} FROM generate_series(1, {rows}) AS g")
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {rows})")
        cursor.execute(f"VACUUM (ANALYZE) {table}")
    print(f"{table}: {rows:,} rows in {time.monotonic() - started:.0f} s", flush=True)


def needed(table: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND table_name = %s AND is_nullable = 'NO' AND column_default IS NULL",
            [table],
        )
        return {name: "0" if kind in NUMBERS else FILLINGS.get(kind, "''") for name, kind in cursor.fetchall()}


def quoted(column: str) -> str:
    return f'"{column}"'


def pages() -> dict[str, str]:
    """Title and address; pages that this version does not have are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, license_key FROM licenses_licensekey WHERE status = 'assigned' "
            "AND id >= (SELECT max(id) / 2 FROM licenses_licensekey) ORDER BY id LIMIT 1"
        )
        number, text = cursor.fetchone()
    keys = "admin/licenses/licensekey/"
    named = {
        "Overview": "admin/",
        "License keys": keys,
        "License keys, second page": f"{keys}?p=2",
        "License keys, blocked": f"{keys}?status__exact=blocked",
        "License keys, blocked, of one product": f"{keys}?status__exact=blocked&product=11",
        "License keys, expiring in 30 days": f"{keys}?expiry=30",
        "License keys, search for the beginning of one": f"{keys}?q={text[:9]}",
        "License keys, search for a part of one": f"{keys}?q={text[3:13]}",
        "License keys, search that finds many": f"{keys}?q=owner1",
        "License keys, search that matches nearly all": f"{keys}?q=.com",
        "License keys, search that finds nothing": f"{keys}?q=zzzzzzzz",
        "A license key": f"{keys}{number}/change/",
        "An owner": "admin/licenses/owner/2/change/",
        "An owner of 12,000 license keys": "admin/licenses/owner/1/change/",
        "Owners": "admin/licenses/owner/",
        "Owners, search for a part of an address": "admin/licenses/owner/?q=123456",
        "Owners, search that matches everybody": "admin/licenses/owner/?q=.com",
        "Activations": "admin/licenses/activation/",
        "Audit trail": "admin/licenses/auditevent/",
        "Audit trail, of one kind": "admin/licenses/auditevent/?kind=license_key.assigned",
    }
    if has("health_page"):
        named["Health"] = "admin/health/"
    if has("admin:find"):
        named |= {
            "Find, a part of a license key": f"admin/find/?q={text[3:13]}",
            "Find, an address": "admin/find/?q=owner123456@",
            "Find, many": "admin/find/?q=example",
            "Find, every identifier and most addresses": "admin/find/?q=.com",
            "Find, a piece of three characters": "admin/find/?q=1-a",
            "Find, nothing": "admin/find/?q=zzzzzzzz",
        }
    return named


def has(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True


def measure() -> list[str]:
    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.get(username="bench"))
    lines = [
        f"| page | median ms | from, to | times a trivial page | queries | below {TARGET} ms |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for title, path in pages().items():
        taken, trivial = [], []
        for turn in range(WARM_UP + TURNS):
            for times, url in ((trivial, "/admin/password_change/"), (taken, f"/{path}")):
                milliseconds = ask(client, url)
                if turn >= WARM_UP:
                    times.append(milliseconds)
        with CaptureQueriesContext(connection) as queries:
            ask(client, f"/{path}")
        median, target = statistics.median(taken), DASHBOARD_TARGET if title == "Overview" else TARGET
        verdict = "yes" if median < target else "**no**"
        verdict += f" ({target})" if target != TARGET else ""
        lines.append(
            f"| {title} | {median:,.0f} | {min(taken):,.0f} to {max(taken):,.0f} "
            f"| {median / statistics.median(trivial):.1f} | {len(queries)} | {verdict} |"
        )
        print(lines[-1], flush=True)
    return lines


def ask(client: Client, url: str) -> float:
    """Milliseconds. A statement that is cut after five seconds is an answer too: 503."""
    started = time.perf_counter()
    status = client.get(url).status_code
    milliseconds = (time.perf_counter() - started) * 1000
    if status not in (200, 503):
        raise SystemExit(f"{url} answered {status}")
    return milliseconds


def is_empty() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()")
        return cursor.fetchone()[0] == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="measure what a run before has left in the database")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of a million license keys to make")
    parser.add_argument("--write", metavar="FILE", help="write the table there, as markdown")
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        raise SystemExit("Give it a PostgreSQL: DATABASE_URL=postgres://…")
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    if not options.keep:
        if not is_empty():
            raise SystemExit("The database is not empty. Give it an empty one, or --keep to measure what is there.")
        call_command("migrate", verbosity=0)
        get_user_model().objects.create_superuser("bench", password=secrets.token_urlsafe(20))
        fill(options.scale)
    call_command("migrate", verbosity=0)  # what is kept may be of an older version
    connection.close()
    limit_statements()  # as the server does
    lines = measure()
    if options.write:
        Path(options.write).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
