"""Generators in the admin: how random they are, what they would make, and making it."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from licenses.models import AuditEvent, Generator, LicenseKey
from tests.factories import GeneratorFactory, ProductFactory

pytestmark = pytest.mark.django_db
GENERATORS = "/admin/licenses/generator/"


def form(**changes):
    return {
        "product": ProductFactory().pk if "product" not in changes else changes["product"],
        "method": "chunk-system",
        "prefix": "",
        "suffix": "",
        "charset": "0123456789ABCDEF",
        "number_of_chunks": "8",
        "chunk_length": "4",
        "separator": "-",
        "function_name": "",
        "activation_limit": "1",
        "validity_days": "365",
        "is_active": "on",
    } | changes


def page(generator):
    return f"{GENERATORS}{generator.pk}/change/"


def read(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def generate(client, generator, **fields):
    sent = {"action": "generate", "_selected_action": generator.pk, "from_object": "1", **fields}
    return client.post(GENERATORS, sent, follow=True)


def staff_with(client, *permissions):
    user = get_user_model().objects.create_user("viewer", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


@pytest.mark.parametrize("method", ["uuid", "chunk-system"])
def test_it_creates_a_generator(staff, method):
    assert staff.post(GENERATORS + "add/", form(method=method)).status_code == 302
    generator = Generator.objects.get()
    assert (generator.method, generator.validity_days, generator.is_active) == (method, 365, True)
    assert AuditEvent.objects.filter(kind="generator.created", object_id=generator.pk, door="admin").exists()


def test_it_edits_a_generator_but_not_its_method_and_product(staff):
    generator = GeneratorFactory(method="chunk-system")
    sent = form(prefix="PRO-", method="uuid", product=ProductFactory().pk)
    assert staff.post(page(generator), sent).status_code == 302
    changed = Generator.objects.get()
    assert (changed.prefix, changed.method, changed.product) == ("PRO-", "chunk-system", generator.product)
    event = AuditEvent.objects.get(kind="generator.updated")
    assert event.after == {"prefix": "PRO-", "validity_days": 365}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"charset": "ABCA"}, "Each character once; there more often: A"),
        ({"charset": "A"}, "At least 2 characters"),
        ({"number_of_chunks": "60"}, "A license key would be 299 characters long: 255 is the most."),
        ({"number_of_chunks": "0"}, "A license key has at least one chunk of at least one character."),
        ({"prefix": "two\tparts"}, "Only characters that can be seen."),
        ({"validity_days": "36526"}, "The validity is at most 36525 days."),
        ({"method": "custom"}, "Choose one of the functions that LICENSE_KEY_FUNCTIONS names."),
        ({"method": "custom", "function_name": "os.getcwd"}, "Select a valid choice."),
    ],
)
def test_it_names_what_cannot_be(staff, changes, problem):
    answer = staff.post(GENERATORS + "add/", form(**changes))
    assert answer.status_code == 200
    assert problem in answer.content.decode()
    assert not Generator.objects.exists()


@pytest.mark.statement("S19")
@pytest.mark.parametrize(
    ("fields", "bits", "weak"),
    [
        ({}, "122 random bits", False),
        ({"method": "chunk-system"}, "128 random bits", False),
        ({"method": "chunk-system", "number_of_chunks": 4}, "64 random bits", True),
        ({"method": "custom", "function_name": "tests.x"}, "Its function decides", False),
    ],
)
def test_it_says_how_random_the_license_keys_are(staff, fields, bits, weak):
    generator = GeneratorFactory(**fields)
    assert bits in read(staff, GENERATORS)
    text = read(staff, page(generator))
    assert bits in text
    assert ("Shorter than 120 bits: can be guessed sooner." in text) is weak


def test_it_shows_an_example_and_stores_nothing(staff):
    generator = GeneratorFactory(method="chunk-system", prefix="EXAMPLE-")
    assert '<code class="mono">EXAMPLE-' in read(staff, page(generator))
    assert not LicenseKey.objects.exists()


def test_it_says_how_much_of_a_small_space_is_taken(staff):
    small = GeneratorFactory(method="chunk-system", charset="01", number_of_chunks=1, chunk_length=3)
    generate(staff, small, confirmed="1", quantity="8")
    assert LicenseKey.objects.count() == 8
    assert "About 100%" in read(staff, page(small))
    assert "About" not in read(staff, page(GeneratorFactory()))


def test_it_offers_the_functions_that_are_allowed(staff, settings):
    settings.LICENSE_KEY_FUNCTIONS = ["tests.test_generators.good", "tests.test_generators.raises"]
    assert "tests.test_generators.good" in read(staff, GENERATORS + "add/")
    sent = form(method="custom", function_name="tests.test_generators.raises")
    assert staff.post(GENERATORS + "add/", sent).status_code == 302
    text = read(staff, page(Generator.objects.get()))
    assert "Its function failed with RuntimeError." in text
    assert "a secret of the function" not in text
    settings.LICENSE_KEY_FUNCTIONS = []
    text = read(staff, page(Generator.objects.get()))
    assert "tests.test_generators.raises (not allowed any more)" in text
    assert "Its function is not named in LICENSE_KEY_FUNCTIONS." in text


def test_it_generates_license_keys_into_stock(staff):
    generator = GeneratorFactory(activation_limit=3, validity_days=30)
    asked = generate(staff, generator)
    assert f"They go into the stock of {generator.product.name}." in asked.content.decode()
    assert not LicenseKey.objects.exists()
    done = generate(staff, generator, confirmed="1", quantity="25")
    url = f"/admin/licenses/licensekey/?product={generator.product.pk}&amp;status__exact=available"
    words = f'25 license keys are in stock: <a href="{url}">available license keys of {generator.product}</a>'
    assert f"1 generator was used. {words}" in done.content.decode()
    keys = LicenseKey.objects.available().filter(product=generator.product, activation_limit=3, validity_days=30)
    assert keys.count() == 25
    assert AuditEvent.objects.filter(kind="license_key.created", door="admin").count() == 25


@pytest.mark.parametrize("quantity", ["", "0", "1001", "many"])
def test_it_asks_again_for_a_quantity_that_cannot_be(staff, quantity):
    answer = generate(staff, GeneratorFactory(), confirmed="1", quantity=quantity)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not LicenseKey.objects.exists()


def test_it_says_why_none_were_made(staff):
    small = GeneratorFactory(method="chunk-system", charset="01", number_of_chunks=1, chunk_length=1)
    text = generate(staff, small, confirmed="1", quantity="3").content.decode()
    assert "Only 2 of 3 license keys could be made, so none was" in text
    assert ".." not in text.partition('class="messagelist"')[2].partition("</ul>")[0]
    assert not LicenseKey.objects.exists()


@pytest.mark.statement("S12")
def test_changing_generators_is_not_yet_the_right_to_make_license_keys(client):
    generator = GeneratorFactory()
    generate(staff_with(client, "view_generator", "change_generator"), generator, confirmed="1", quantity="5")
    assert not LicenseKey.objects.exists()


def test_it_deletes_a_generator(staff):
    generator = GeneratorFactory()
    asked = read(staff, f"{GENERATORS}{generator.pk}/delete/")
    assert f"Delete the generator “{generator}”? This cannot be taken back." in asked
    assert "Summary" not in asked
    assert staff.post(f"{GENERATORS}{generator.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Generator.objects.exists()
    assert AuditEvent.objects.filter(kind="generator.deleted", door="admin").exists()


def test_its_list_costs_the_same_with_many(staff, django_assert_max_num_queries):
    GeneratorFactory.create_batch(30)
    with django_assert_max_num_queries(8):
        read(staff, GENERATORS)
