"""Generators: what texts they make, how random, and what becomes of one that cannot go on."""

import math
import re
from collections import Counter
from itertools import cycle

import pytest
from django.core.exceptions import ValidationError

from licenses.codes import Code
from licenses.models import AuditEvent, Generator, LicenseKey
from licenses.services import stock
from licenses.services.generators import (
    drawer,
    find_generator,
    generate_with,
    generator_of,
    save_generator,
    share_taken,
)
from licenses.services.stock import NotGenerated
from tests.factories import ACTOR, ContractFactory, GeneratorFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db

HERE = "tests.test_generators."
drawn = cycle(f"CUSTOM {number}" for number in range(50))


def good() -> str:
    return next(drawn)


def always_the_same() -> str:
    return "THE SAME"


def raises() -> str:
    raise RuntimeError("a secret of the function")


def gives_bytes() -> bytes:
    return b"text"


def gives_nothing() -> str:
    return ""


def gives_too_much() -> str:
    return "x" * 256


def gives_control_characters() -> str:
    return "two\nlines"


def gives_a_nul() -> str:
    return "nul\0"


def gives_half_a_character() -> str:
    return "\ud800"


def gives_spaces_around() -> str:
    return " text "


NAMES = [
    "raises",
    "gives_bytes",
    "gives_nothing",
    "gives_too_much",
    "gives_control_characters",
    "gives_a_nul",
    "gives_half_a_character",
    "gives_spaces_around",
    "is_not_there",
]


@pytest.fixture
def custom(settings):
    """A generator with a function of this module, which the settings allow."""

    def make(name: str) -> Generator:
        settings.LICENSE_KEY_FUNCTIONS = [HERE + name]
        return GeneratorFactory(method="custom", function_name=HERE + name)

    return make


def chunks(**fields) -> Generator:
    return GeneratorFactory(method="chunk-system", **fields)


def generate(generator: Generator, quantity: int = 1, **options) -> list[str]:
    made = generate_with(generator=generator, quantity=quantity, actor=ACTOR, **options)
    return [found.license_key for found in made]


def test_it_stores_available_license_keys_of_its_product():
    generator = GeneratorFactory(activation_limit=0, validity_days=30)
    texts = generate(generator, 3)
    keys = LicenseKey.objects.filter(product=generator.product, status="available", contract=None)
    assert set(keys.values_list("license_key", "activation_limit", "validity_days")) == {(x, 0, 30) for x in texts}
    assert AuditEvent.objects.filter(kind="license_key.created").count() == 3


def test_it_takes_other_terms_and_a_contract():
    generator = GeneratorFactory(activation_limit=2, validity_days=30)
    contract = ContractFactory(product=generator.product)
    generate(generator, contract=contract, activation_limit=0, validity_days=0)
    found = LicenseKey.objects.get()
    assert (found.contract, found.activation_limit, found.validity_days) == (contract, 0, 0)


@pytest.mark.parametrize("options", [{"quantity": 0}, {"quantity": 10_001}, {"validity_days": 36_526}])
def test_it_names_a_number_out_of_its_range(options):
    with pytest.raises(ValidationError):
        generate(GeneratorFactory(), **options)


@pytest.mark.statement("S19")
def test_each_character_is_as_likely_as_any_other_at_each_place():
    generator = chunks(charset="0123456789ABC", number_of_chunks=3, chunk_length=5)
    draw = drawer(generator)
    texts = [draw() for _ in range(2_600)]
    assert len(set(texts)) == 2_600
    for place in (0, 4, 6, 16):
        counts = Counter(text[place] for text in texts)
        assert set(counts) == set("0123456789ABC")
        assert min(counts.values()) > 120 and max(counts.values()) < 290  # 200 each, within 6 standard deviations


def test_chunks_take_the_form_that_is_described():
    fields = {"charset": "aB", "number_of_chunks": 2, "chunk_length": 3, "separator": "", "prefix": "P ", "suffix": "€"}
    assert re.fullmatch("P [aB]{6}€", drawer(chunks(**fields))())


@pytest.mark.parametrize(
    ("fields", "bits"),
    [
        ({"method": "uuid"}, 122),
        ({"method": "custom", "function_name": "x"}, None),
        ({"method": "chunk-system"}, 128),
        ({"method": "chunk-system", "number_of_chunks": 4}, 64),
        ({"method": "chunk-system", "charset": "0123456789", "number_of_chunks": 1, "chunk_length": 10}, 33),
    ],
)
def test_it_knows_its_random_bits(fields, bits):
    assert GeneratorFactory(**fields).random_bits == bits


def test_a_full_space_is_handed_out_to_the_last_text():
    generator = chunks(charset="0123456789", number_of_chunks=1, chunk_length=2)
    assert len(generate(generator, 60)) == 60
    assert len(generate(generator, 30)) == 30
    assert len(generate(generator, 8)) + len(generate(generator)) == 9
    with pytest.raises(NotGenerated) as refused:
        generate(generator, 2)
    assert refused.value.code is Code.NOT_ENOUGH_LICENSE_KEYS
    assert refused.value.fields["available_quantity"] <= 1
    assert "Hardly any is left" in refused.value.reason
    assert LicenseKey.objects.count() == 99


def test_collisions_are_looked_up_in_bulk(django_assert_max_num_queries):
    generator = chunks(charset="0123456789", number_of_chunks=1, chunk_length=3)
    LicenseKey.objects.bulk_create(
        LicenseKey(product=generator.product, license_key=f"{number:03}") for number in range(900)
    )
    with django_assert_max_num_queries(12):
        assert all(text[0] == "9" for text in generate(generator, 20))


def test_a_text_stored_by_another_transaction_meanwhile_is_drawn_again(monkeypatch):
    """The lookup does not see it, the constraint does."""
    taken = LicenseKeyFactory(license_key="0").license_key
    generator = chunks(charset="01", number_of_chunks=1, chunk_length=1)
    answers = iter([["0"], [taken], ["1"]])
    monkeypatch.setattr(stock, "unused_texts", lambda quantity, draw: next(answers))
    assert generate(generator) == ["1"]


def test_it_gives_up_when_others_are_always_faster(monkeypatch):
    LicenseKeyFactory(license_key="0")
    monkeypatch.setattr(stock, "unused_texts", lambda quantity, draw: ["0"])
    with pytest.raises(NotGenerated) as refused:
        generate(GeneratorFactory())
    assert refused.value.code is Code.NOT_ENOUGH_LICENSE_KEYS


def test_it_says_how_much_of_a_small_space_is_taken():
    generator = chunks(charset="0123456789", number_of_chunks=1, chunk_length=2)
    assert share_taken(generator) == 0
    generate(generator, 80)
    assert 0.6 < share_taken(generator) < 0.95


def test_a_custom_function_makes_the_middle_of_the_text(custom):
    generator = custom("good")
    generator.prefix, generator.suffix = "<", ">"
    assert all(re.fullmatch(r"<CUSTOM \d+>", text) for text in generate(generator, 10))


@pytest.mark.parametrize("name", NAMES)
def test_a_custom_function_that_does_not_work_is_a_refusal(custom, caplog, name):
    with pytest.raises(NotGenerated) as refused:
        generate(custom(name), 5)
    assert refused.value.code is Code.GENERATOR_NOT_FOUND
    assert refused.value.reason.startswith("Its function") or refused.value.reason.startswith("It makes texts")
    assert "made nothing" in caplog.text and HERE + name in caplog.text
    assert not LicenseKey.objects.exists()


@pytest.mark.parametrize("name", [*NAMES, "always_the_same"])
def test_callers_read_that_it_does_not_work(portal, custom, name):
    generator = custom(name)
    answer = portal("generate", generator_id=generator.pk, quantity=2)
    assert answer["code"] == (802 if name == "always_the_same" else 806)
    sent = {"product_id": generator.product_id, "generate": 1, "quantity": 2}
    assert portal("random-assign-license-keys", **sent)["code"] == answer["code"]


def test_a_function_that_repeats_itself_ends(custom):
    generator = custom("always_the_same")
    assert generate(generator) == ["THE SAME"]
    with pytest.raises(NotGenerated) as refused:
        generate(generator)
    assert refused.value.fields == {"available_quantity": 0}


def test_a_function_that_is_not_allowed_is_never_called(custom, settings):
    generator = custom("good")
    settings.LICENSE_KEY_FUNCTIONS = ["os.getcwd"]
    with pytest.raises(NotGenerated) as refused:
        generate(generator)
    assert "LICENSE_KEY_FUNCTIONS" in refused.value.reason


def test_the_oldest_active_generator_is_the_products():
    product = ProductFactory()
    assert generator_of(product) is None
    GeneratorFactory(product=product, is_active=False)
    oldest, _ = GeneratorFactory.create_batch(2, product=product)
    GeneratorFactory()
    assert generator_of(product) == oldest
    assert find_generator(str(oldest.pk), product=product) == oldest


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"charset": "ABCA"}, "charset"),
        ({"charset": "A"}, "charset"),
        ({"charset": "AB C"}, "charset"),
        ({"charset": "ABÇ"}, "charset"),
        ({"charset": "AB\n"}, "charset"),
        ({"charset": ""}, "charset"),
        ({"number_of_chunks": 52, "chunk_length": 4}, "number_of_chunks"),
        ({"number_of_chunks": 0}, "__all__"),
        ({"chunk_length": 0}, "__all__"),
        ({"separator": "\t"}, "separator"),
        ({"prefix": " P"}, "prefix"),
        ({"suffix": "S "}, "suffix"),
        ({"suffix": "\u202e"}, "suffix"),
        ({"validity_days": 36_526}, "__all__"),
        ({"method": "custom"}, "function_name"),
        ({"method": "custom", "function_name": "os.getcwd"}, "function_name"),
        ({"method": "other"}, "method"),
    ],
)
def test_it_refuses_a_description_that_makes_no_license_keys(fields, name):
    generator = GeneratorFactory.build(**({"method": "chunk-system", "product": ProductFactory()} | fields))
    with pytest.raises(ValidationError) as refused:
        save_generator(generator, actor=ACTOR)
    assert name in refused.value.message_dict
    assert not Generator.objects.exists()


def test_the_longest_license_key_has_255_characters():
    fields = {"method": "chunk-system", "product": ProductFactory(), "number_of_chunks": 51, "prefix": "P"}
    generator = GeneratorFactory.build(**fields)
    save_generator(generator, actor=ACTOR)
    assert len(generate(generator)[0]) == 255
    assert math.isclose(generator.random_bits, 51 * 4 * 4)


def test_a_custom_generator_whose_function_is_gone_can_be_made_inactive(custom, settings):
    generator = custom("good")
    settings.LICENSE_KEY_FUNCTIONS = []
    with pytest.raises(ValidationError):
        save_generator(generator, changed_fields=["prefix"], actor=ACTOR)
    generator.is_active = False
    save_generator(generator, changed_fields=["is_active"], actor=ACTOR)
    assert AuditEvent.objects.get(kind="generator.updated").after == {"is_active": False}


@pytest.mark.parametrize("name", ["method", "product"])
def test_method_and_product_stay(name):
    generator = GeneratorFactory()
    setattr(generator, name, "chunk-system" if name == "method" else ProductFactory())
    with pytest.raises(ValidationError) as refused:
        save_generator(generator, changed_fields=[name], actor=ACTOR)
    assert list(refused.value.message_dict) == [name]
