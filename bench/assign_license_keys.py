"""How fast `manage.py assign_license_keys` is, and how much memory it takes.

    DATABASE_URL=postgres://postgres@127.0.0.1/scratch python bench/assign_license_keys.py 10000 100000

Give it a scratch database (by default a new SQLite file): it adds a product and license keys to it. Per number of
rows it prints one line for rows that name their license key, one for rows served from the stock, and one for a dry
run; every row has an owner of its own, which is the dearest case.
"""

import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(tempfile.mkdtemp(prefix="bench-"))
os.environ.setdefault("DATA_DIR", str(FOLDER))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from licenses.models import Actor, Door, LicenseKey, Product  # noqa: E402
from licenses.services.products import create_product  # noqa: E402
from licenses.services.stock import MAX_QUANTITY, generate_license_keys  # noqa: E402

BENCH = Actor(Door.COMMAND, "bench")


def make_stock(rows: int) -> Product:
    """A product with twice as many license keys as rows: one half is named, the other is taken from stock."""
    product = create_product(name=f"Bench {rows} {time.time()}", own_signing_key=False, actor=BENCH)
    left = 2 * rows
    while left:
        left -= len(generate_license_keys(product=product, quantity=min(left, MAX_QUANTITY), actor=BENCH))
    return product


def write_file(name: str, rows: int, license_keys: list[str]) -> Path:
    path = FOLDER / f"{name}-{rows}-{time.time()}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("license_key", "owner_email", "owner_name", "reference"))
        for number in range(rows):
            license_key = license_keys[number] if license_keys else ""
            owner = f"{name}{number}-{time.time_ns()}@example.com"
            writer.writerow((license_key, owner, f"Owner {number}", f"order {number}"))
    return path


def measure(label: str, path: Path, rows: int, product: Product, *options: str) -> None:
    command = [sys.executable, ROOT / "manage.py", "assign_license_keys", path, "--product", str(product.pk), *options]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    assert os.waitstatus_to_exitcode(status) == 0, f"{label}: exit code {os.waitstatus_to_exitcode(status)}"
    processor = usage.ru_utime + usage.ru_stime
    print(
        f"{connection.vendor:<10} {label:<12} {rows:>8,} rows {seconds:7.1f} s {rows / seconds:7,.0f} rows/s "
        f"{processor:6.1f} s processor {usage.ru_maxrss / 1024:5.0f} MB peak"
    )


def main() -> None:
    call_command("migrate", verbosity=0)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(a process with Django loaded takes {own:.0f} MB)")
    for rows in map(int, sys.argv[1:] or ["10000"]):
        product = make_stock(rows)
        keys = LicenseKey.objects.filter(product=product).order_by("?").values_list("license_key", flat=True)[:rows]
        named, stock = write_file("named", rows, list(keys)), write_file("stock", rows, [])
        measure("dry run", stock, rows, product, "--dry-run")
        measure("named", named, rows, product)
        measure("from stock", stock, rows, product)


if __name__ == "__main__":
    main()
