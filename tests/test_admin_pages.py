"""Every page of the admin, walked: it answers, leaks no secret, and costs the same with thirty rows as with three."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from licenses import models
from licenses.admin.api_keys import grouped_capabilities
from licenses.models import ApiKey, Capability, LicenseKey
from licenses.services.activations import activate_license
from licenses.services.api_keys import create_api_key
from licenses.services.license_keys import assign_license_key
from licenses.services.metadata import create_metadata
from licenses.services.signing_keys import create_signing_key
from tests.factories import (
    ACTOR,
    ActivationFactory,
    ContractFactory,
    DownloadableFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    ProductFactory,
    QueuedAssignmentFactory,
    TelemetryRecordFactory,
)

pytestmark = pytest.mark.django_db
# Answers kept for an Idempotency-Key are for the next request alone; they hold license keys that nobody need look at.
# The others are shown by pages of their own, or are counts
HIDDEN = {
    models.AssignmentFile,
    models.AuditChain,
    models.DailyCount,
    models.Figures,
    models.IdempotencyRecord,
    models.ImportFile,
    models.RefusedCall,
    models.ThrottleBucket,
    models.Worker,
}
MODELS = [model for model in apps.get_app_config("licenses").get_models() if model not in HIDDEN]
HOSTILE = ("\0", "' OR 1=1 --", "9" * 40, "-1", "%", "\u202e", "é" * 300, "a,b", "[]", "true")


def page(model, name, *args):
    return reverse(f"admin:licenses_{model._meta.model_name}_{name}", args=args)


def admin_of(model):
    return admin.site._registry[model]


def fill(count: int = 1) -> str:
    """`count` rows of everything, made by the services where they exist; returns the text of an API key."""
    create_signing_key(product=None, actor=ACTOR)
    for number in range(count):
        license_key = LicenseKeyFactory(license_key=f"KEY-{number}-{'X' * 20}", validity_days=30)
        assign_license_key(
            license_key=license_key.license_key,
            owner_name=f"Owner {number}",
            owner_email=f"buyer{number}@example.com",
            actor=ACTOR,
        )
        at = {"license_key": license_key.license_key, "identifier": f"host-{number}", "actor": ACTOR}
        activate_license(**at)
        create_metadata(**at, name="version", value=f"1.{number}")
        license_key.product.metadata.create(name="colour", value="blue")
        GeneratorFactory(product=license_key.product)
        create_signing_key(product=license_key.product, actor=ACTOR)
        assignment = models.Assignment.objects.create(digest=f"{number:064}", source="keys.csv", rows_total=1)
        assignment.rows.create(line=2, license_key=license_key, outcome="assigned")
        DownloadableFactory(release__product=license_key.product)
        TelemetryRecordFactory(license_key=license_key.license_key)
        QueuedAssignmentFactory(product=license_key.product)
        models.BlockListEntry.objects.create(kind="identifier", value=f"stolen-{number}", reason="Reported")
        contract = ContractFactory(product=license_key.product)
        _, text = create_api_key(name=f"Shop {number}", capabilities=Capability.values, contract=contract, actor=ACTOR)
    return text


def test_it_registers_every_model():
    assert [model.__name__ for model in MODELS if not admin.site.is_registered(model)] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_answers_every_page_of_a_model(staff, model):
    fill()
    row = model._default_manager.first()
    assert staff.get(page(model, "changelist")).status_code == 200
    assert staff.get(page(model, "change", row.pk)).status_code == 200
    assert staff.get(page(model, "history", row.pk)).status_code == 200
    request = staff.get(page(model, "changelist")).wsgi_request
    may_add, may_delete = (
        admin_of(model).has_add_permission(request),
        admin_of(model).has_delete_permission(request, row),
    )
    assert staff.get(page(model, "add")).status_code == (200 if may_add else 403)
    assert staff.get(page(model, "delete", row.pk)).status_code == (200 if may_delete else 403)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_answers_an_empty_list_with_what_to_do_next(staff, model):
    answer = staff.get(page(model, "changelist"))
    assert answer.status_code == 200
    assert admin_of(model).empty_text, f"{model.__name__} says nothing when its list is empty"
    if not model._default_manager.exists():
        assert admin_of(model).empty_text in answer.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_answers_every_filter_choice_and_search(staff, model):
    fill()
    answer = staff.get(page(model, "changelist"))
    changelist = answer.context["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            assert staff.get(page(model, "changelist") + choice["query_string"]).status_code == 200
    assert staff.get(page(model, "changelist"), {"q": "owner"}).status_code == 200


@pytest.mark.statement("S29")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_survives_hostile_parameters(staff, model):
    fill()
    found = staff.get(page(model, "changelist")).context["cl"]
    filters = [name for spec in found.filter_specs for name in spec.expected_parameters()]
    for name in ("q", "p", "o", "all", "e", "_facets", *filters, *admin_of(model).link_filters):
        for value in HOSTILE:
            assert staff.get(page(model, "changelist"), {name: value}).status_code in (200, 302, 400), (name, value)
    for name in ("status__exact", "kind", "private_key_locked__startswith", "digest__startswith"):  # of other lists
        for value in HOSTILE[:2]:
            assert staff.get(page(model, "changelist"), {name: value}).status_code in (200, 302, 400), (name, value)
    for value in HOSTILE:
        assert staff.get(page(model, "add"), {"product": value}).status_code in (200, 403)
    for value in ("abc", "9" * 30, "-1", "%00"):
        assert staff.get(page(model, "changelist") + f"{value}/change/").status_code in (302, 403, 404)


@pytest.mark.statement("S29")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "address",
    [
        "user/?username=%00",
        "user/?email__iregex=[",
        f"user/?date_joined__year={'9' * 30}",
        "group/?name__startswith=%00",
    ],
)
def test_the_lists_of_staff_survive_them_too(staff, address):
    assert staff.get(f"/admin/auth/{address}").status_code in (200, 302, 400)


@pytest.mark.statement("S29")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ["/admin/", "/admin/login/"])
def test_it_survives_a_session_cookie_with_a_nul(client, address):
    answer = client.get(address, headers={"cookie": r'sessionid="aaaaaaaaaaaa\000b"'})
    assert answer.status_code in (200, 302)


@pytest.mark.statement("S17", "S26")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_shows_no_secret_on_any_page(staff, model):
    text = fill()
    secrets = [text, *ApiKey.objects.values_list("digest", flat=True), "PRIVATE KEY"]
    secrets += [
        bytes(locked).decode() for locked in models.SigningKey.objects.values_list("private_key_locked", flat=True)
    ]
    pages = [page(model, "changelist"), reverse("admin:index")]
    for row in model._default_manager.all():
        pages += [page(model, "change", row.pk), page(model, "history", row.pk)]
    for url in pages:
        source = staff.get(url).content.decode()
        assert [secret for secret in secrets if secret in source] == [], url


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_asks_the_database_equally_often_for_three_rows_and_for_thirty(staff, model):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(page(model, "changelist")).status_code == 200
        return len(captured)

    fill(3)
    few = queries()
    models.SigningKey.objects.filter(status="active").update(status="retired")
    models.Activation.objects.all().delete()
    for number in range(3, 30):
        license_key = LicenseKeyFactory(assigned=True, license_key=f"KEY-{number}-{'X' * 20}")
        ActivationFactory.create_batch(2, license_key=license_key)
        license_key.metadata.create(name="version", value="2")
        license_key.product.metadata.create(name="colour", value="blue")
        assignment = models.Assignment.objects.create(digest=f"{number:064}", source="keys.csv")
        assignment.rows.create(line=2, license_key=license_key, outcome="assigned")
        create_api_key(name=f"Shop {number}", capabilities=["verify"], actor=ACTOR)
    assert queries() == few


def test_it_asks_the_database_equally_often_for_a_license_key_with_many_rows(staff):
    def queries(license_key: LicenseKey) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(page(LicenseKey, "change", license_key.pk)).status_code == 200
        return len(captured)

    few = LicenseKeyFactory(assigned=True)
    ActivationFactory.create_batch(2, license_key=few)
    many = LicenseKeyFactory(assigned=True)
    ActivationFactory.create_batch(30, license_key=many)
    queries(few)  # the first page of a process also reads the content types
    assert queries(many) == queries(few)


def test_it_shows_the_newest_twenty_activations_and_links_to_all(staff):
    license_key = LicenseKeyFactory(assigned=True)
    activations = ActivationFactory.create_batch(21, license_key=license_key)
    source = staff.get(page(LicenseKey, "change", license_key.pk)).content.decode()
    assert f">{activations[-1].identifier}<" in source
    assert f">{activations[0].identifier}<" not in source
    url = f"{page(models.Activation, 'changelist')}?license_key__id__exact={license_key.pk}"
    assert url in source
    assert staff.get(url).context["cl"].result_count == 21


def test_it_says_more_than_ten_thousand_instead_of_counting_on(staff):
    models.Owner.objects.bulk_create([models.Owner(name=f"Owner {number}") for number in range(10_001)])
    source = staff.get(page(models.Owner, "changelist")).content.decode()
    assert re.search(r"10,000\+\s+owners", source)
    assert staff.get(page(models.Owner, "changelist"), {"p": 200}).status_code == 200


def test_it_refuses_a_filter_that_no_list_offers(staff):
    """`?digest__startswith=` would tell a digest letter by letter."""
    assert staff.get(page(ApiKey, "changelist"), {"digest__startswith": "a"}).status_code == 400


@pytest.mark.statement("S33")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_needs_no_inline_script_or_style(staff, model):
    """So that a content security policy can forbid them."""
    fill()
    row = model._default_manager.first()
    for url in (page(model, "changelist"), page(model, "change", row.pk), page(model, "add"), reverse("admin:index")):
        source = staff.get(url).content.decode()
        inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|<[^>]+\s(?:style|on[a-z]+)=", source)
        assert [tag for tag in inline if "application/json" not in tag] == [], url
        assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", source) == [], url


def test_it_leads_a_new_portal_through_its_first_steps(staff):
    source = staff.get(reverse("admin:index")).content.decode()
    assert source.index("Create a product") < source.index("Import license keys") < source.index("Create an API key")
    fill()
    assert "First steps" not in staff.get(reverse("admin:index")).content.decode()


@pytest.mark.statement("S29")
@pytest.mark.parametrize(
    "value", ["2026-01-31 10:00", "2026-13-45 10:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "soon"]
)
def test_it_shows_metadata_that_looks_like_a_date_as_it_was_sent(staff, value):
    license_key = LicenseKeyFactory(assigned=True)
    sent = {"license_key": license_key.license_key, "identifier": "host", "name": "seen_at", "value": value}
    create_metadata(**sent, actor=ACTOR)
    page = reverse("admin:licenses_licensekey_change", args=[license_key.pk])
    event = reverse("admin:licenses_auditevent_change", args=[models.AuditEvent.objects.latest("pk").pk])
    for url in (reverse("admin:index"), page, event):
        assert f"<ins>{value}</ins>" in staff.get(url).content.decode()


def test_it_links_each_figure_of_the_overview_to_its_list(staff):
    fill()
    LicenseKeyFactory(expired=True)
    figures = staff.get(reverse("admin:index")).context["figures"]
    assert {figure["title"]: str(figure["count"]) for figure in figures} == {
        "Assigned license keys": "2",
        "Available license keys": "0",
        "Expiring in 30 days": "1",
        "Expired": "1",
        "Blocked": "0",
        "Active activations": "1",
        "Owners": "2",
        "Active products": "2",
    }
    for figure in figures:
        assert staff.get(figure["url"]).context["cl"].result_count == figure["count"].number


def test_it_lists_products_in_the_filter_up_to_twenty_and_the_chosen_one(staff):
    products = ProductFactory.create_batch(25)
    last = sorted(products, key=lambda product: product.name)[-1]
    key = LicenseKeyFactory(product=last)
    answer = staff.get(page(LicenseKey, "changelist"), {"product": last.pk})
    choices = [choice["display"] for choice in answer.context["cl"].filter_specs[-1].choices(answer.context["cl"])]
    assert len(choices) == 1 + 20 + 1 + 1
    assert choices[-2:] == [last.name, "More products…"]
    assert [row.pk for row in answer.context["cl"].result_list] == [key.pk]


def test_it_sorts_what_expires_first_to_the_top(staff):
    later = LicenseKeyFactory(assigned=True, expires_at=timezone.now() + timezone.timedelta(days=20))
    sooner = LicenseKeyFactory(assigned=True, expires_at=timezone.now() + timezone.timedelta(days=5))
    rows = staff.get(page(LicenseKey, "changelist"), {"expiry": "30"}).context["cl"].result_list
    assert list(rows) == [sooner, later]


def test_a_page_that_is_refused_or_missing_leads_back(staff, client):
    for path, status in (("licenses/auditevent/add/", 403), ("licenses/nothing/", 404)):
        answer = staff.get(f"/admin/{path}")
        assert answer.status_code == status
        assert '<a class="button" href="/admin/">' in answer.content.decode()
        assert "portal/portal.css" in answer.content.decode()


def test_a_missing_page_does_without_collected_static_files(client, settings):
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    assert client.get("/nothing/").status_code == 404


def test_an_activation_of_a_blocked_identifier_says_so(staff):
    activation = ActivationFactory()
    url = page(models.Activation, "change", activation.pk)
    source = staff.get(url).content.decode()
    assert "Block this identifier" in source
    assert "Identifier blocked" not in source
    entry = models.BlockListEntry.objects.create(kind="identifier", value=activation.identifier)
    source = staff.get(url).content.decode()
    assert "Block this identifier" not in source
    assert "Identifier blocked" in source
    assert page(models.BlockListEntry, "change", entry.pk) in source


def test_capabilities_stand_under_headings():
    grouped = [value for _, choices in grouped_capabilities() for value, _ in choices]
    assert grouped == Capability.values


def test_it_shortens_what_would_widen_a_list(staff):
    models.BlockListEntry.objects.create(kind="identifier", value="stolen", reason="x" * 255)
    TelemetryRecordFactory(data_group="y" * 255)
    assert "x" * 81 not in staff.get(page(models.BlockListEntry, "changelist")).content.decode()
    assert "y" * 41 not in staff.get(page(models.TelemetryRecord, "changelist")).content.decode()


def test_it_keeps_strangers_out(client):
    for model in MODELS:
        assert client.get(page(model, "changelist")).status_code == 302
    assert client.get(reverse("admin:licenses_signingkey_public_key", args=[1])).status_code == 302
