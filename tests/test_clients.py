"""Programs in the styles that existing clients have, each through a whole life against the running server."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from licenses.models import Downloadable, Generator, Product, Release
from licenses.services.generators import save_generator
from licenses.services.records import save_record
from licenses.services.releases import publish_release, save_downloadable
from tests.factories import ACTOR, api_key_text
from tests.machine import missing
from tests.server import running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

FOLDER = Path(__file__).resolve().parent / "clients"
PROGRAM = b"MZ a program"
LIFE = [
    "get-all-generators 820",
    "generate 815",
    "assign-license-key 800",
    "get-product-public-key 632",
    "activate 300",
    "verify 200",
    "create-license-key-meta 453",
    "send-telemetry-data 830",
    "access-downloadables 600",
    f"download {hashlib.sha256(PROGRAM).hexdigest()}",
    "get-license-file 502",
    "offline true",
    'deactivate "400"',
    "delete-license-key 850",
    "delete-product 550",
]
BASES = ["/api/v1/", "/v1/", "//v1/", "/api//v1//", "/api/api/v1/"]


def run(command: list[str], *arguments: object) -> list[str]:
    if not shutil.which(command[0]):
        missing(command[0], f"{command[0]} is not installed.")
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout.splitlines()


def play(command: list[str], base: str, api_key: str) -> list[str]:
    """The program makes a product; staff give it a generator and a release; the program does the rest."""
    created, product_id = run(command, base, api_key)
    assert created == "create-product 750"
    product = Product.objects.get(pk=product_id)
    save_generator(Generator(product=product), actor=ACTOR)
    release = Release(product=product, version="1.0", released_at=timezone.now())
    save_record(release, actor=ACTOR)
    file = ContentFile(PROGRAM, name="setup.exe")
    save_downloadable(downloadable=Downloadable(release=release, file=file), actor=ACTOR)
    publish_release(release=release, actor=ACTOR)
    return run(command, base, api_key, product_id)


@pytest.fixture
def server(global_key):
    with running_portal() as running:
        yield running


def test_a_shop_in_php(server):
    assert play(["php", str(FOLDER / "client.php")], server.url, api_key_text()) == LIFE


def test_a_program_in_node(server):
    life = [step.replace("send-telemetry-data", "send-telemetry") for step in LIFE]
    life.insert(life.index("activate 300"), "activate 300")  # once more with the same Idempotency-Key
    assert play(["node", str(FOLDER / "client.mjs")], f"{server.url}/api", api_key_text()) == life


def test_a_program_that_reads_with_get_from_any_base(server):
    for base in BASES:
        assert play([sys.executable, str(FOLDER / "client.py")], f"{server.url}{base}", api_key_text()) == LIFE, base
