"""generate_license_keys: how many, of what form, how random, and where they go."""

import re
import stat
from itertools import chain, repeat
from math import log2

import pytest

from licenses.models import AuditEvent, LicenseKey
from licenses.services.stock import ALPHABET, generate_license_keys
from tests.commands import end, run, start
from tests.factories import ACTOR, GeneratorFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def product():
    return ProductFactory(name="Photo Editor")


def test_it_puts_new_license_keys_into_the_stock_and_prints_them(product):
    ran = run("generate_license_keys", "--product", "Photo Editor", "--quantity", 3)
    assert ran.code == 0
    keys = LicenseKey.objects.filter(product=product, status="available", activation_limit=1, validity_days=0)
    assert sorted(ran.out.splitlines()) == sorted(keys.values_list("license_key", flat=True))
    assert keys.count() == 3
    assert "3 license keys generated for Photo Editor." in ran.err
    assert AuditEvent.objects.filter(kind="license_key.created", door="command").count() == 3


def test_it_sets_limit_and_validity(product):
    run(
        "generate_license_keys",
        "--product",
        product.pk,
        "--quantity",
        1,
        "--activation-limit",
        5,
        "--validity-days",
        30,
    )
    found = LicenseKey.objects.get()
    assert (found.activation_limit, found.validity_days) == (5, 30)


@pytest.mark.statement("S19")
def test_license_keys_carry_120_random_bits_and_can_be_read_out(product):
    run("generate_license_keys", "--product", product.pk, "--quantity", 2_500)
    texts = set(LicenseKey.objects.values_list("license_key", flat=True))
    assert len(texts) == 2_500
    assert all(re.fullmatch(rf"([{ALPHABET}]{{5}}-){{4}}[{ALPHABET}]{{5}}", text) for text in texts)
    assert len(set(ALPHABET)) == 32 and not set("IO") & set(ALPHABET)
    assert 25 * log2(len(set(ALPHABET))) >= 120
    for place in (0, 12, 28):  # every letter comes at every place about as often as any other: 78 times each
        counts = [sum(text[place] == letter for text in texts) for letter in ALPHABET]
        assert min(counts) > 30 and max(counts) < 140


def test_it_draws_again_when_a_license_key_exists_already(product):
    taken = LicenseKeyFactory(product=product, license_key="TAKEN").license_key
    draws = chain([taken, "A", "A", taken, "B", "C"], repeat(taken))
    made = generate_license_keys(product=product, quantity=3, draw=lambda: next(draws), actor=ACTOR)
    assert sorted(found.license_key for found in made) == ["A", "B", "C"]


def test_it_writes_a_new_file_that_only_its_owner_reads(product, tmp_path):
    path = tmp_path / "keys.txt"
    command = ("generate_license_keys", "--product", product.pk, "--quantity", 2, "--output", path)
    assert run(*command).code == 0
    assert path.read_text().split() == list(LicenseKey.objects.order_by("pk").values_list("license_key", flat=True))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ran = run(*command)
    assert (ran.code, LicenseKey.objects.count()) == (2, 2)
    assert "keys.txt: File exists. Nothing was done." in ran.err


def test_it_makes_them_as_a_generator_says():
    generator = GeneratorFactory(prefix="PRO-", activation_limit=3, validity_days=30)
    ran = run("generate_license_keys", "--generator", generator.pk, "--quantity", 2, "--validity-days", 0)
    assert ran.code == 0
    assert f"2 license keys generated for {generator.product}." in ran.err
    keys = LicenseKey.objects.filter(product=generator.product, activation_limit=3, validity_days=0)
    assert sorted(ran.out.splitlines()) == sorted(keys.values_list("license_key", flat=True))
    assert all(found.license_key.startswith("PRO-") for found in keys)


def test_it_stops_when_a_generator_has_hardly_any_text_left():
    generator = GeneratorFactory(method="chunk-system", charset="01", number_of_chunks=1, chunk_length=2)
    ran = run("generate_license_keys", "--generator", generator.pk, "--quantity", 5)
    assert ran.code == 2
    assert "Only 4 of 5 license keys could be made, so none was" in ran.err
    assert not LicenseKey.objects.exists()


@pytest.mark.parametrize("generator", ["0", "nothing", "-1", "9" * 30])
def test_it_explains_a_generator_that_is_not_there(generator):
    inactive = GeneratorFactory(is_active=False)
    for number in (generator, inactive.pk):
        ran = run("generate_license_keys", f"--generator={number}", "--quantity", 5)
        assert ran.code == 2
        assert "There is no active generator with the id" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quantity", "0"],
        ["--quantity", "1000001"],
        ["--quantity", "-5"],
        ["--quantity", "five"],
        ["--quantity", "1", "--validity-days", "36526"],
        ["--quantity", "1", "--activation-limit", "2147483648"],
        ["--quantity", "1", "--product", "Nothing"],
        ["--quantity", "1", "--output", "nowhere/keys.txt"],
        ["--quantity", "1", "--generator", "1"],
    ],
)
def test_it_explains_what_it_cannot_use(product, arguments):
    ran = run("generate_license_keys", "--product", product.pk, *arguments)
    assert ran.code != 0
    assert ran.err
    assert not LicenseKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_standard_output_holds_the_license_keys_alone(product):
    ran = end(start("generate_license_keys", "--product", product.pk, "--quantity", 1_500))
    assert ran.code == 0
    assert set(ran.out.splitlines()) == set(LicenseKey.objects.values_list("license_key", flat=True))
