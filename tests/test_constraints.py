"""Every "never" of the models is a named constraint of the database, whoever writes."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from licenses import models
from tests.factories import (
    ActivationFactory,
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
    ReleaseFactory,
    api_key_text,
)

pytestmark = pytest.mark.django_db


def signing_key(number: int, **fields):
    return models.SigningKey.objects.create(
        bits=fields.pop("bits", 2048),
        public_key="-",
        private_key_locked=b"-",
        fingerprint=str(number),
        **fields,
    )


def two_metadata(**fields):
    for _ in range(2):
        models.LicenseKeyMetadata.objects.create(name="same", value="x", **fields)


def two_product_metadata():
    product = ProductFactory()
    for _ in range(2):
        models.ProductMetadata.objects.create(product=product, name="same", value="x")


def two_activations():
    key = LicenseKeyFactory(assigned=True)
    for _ in range(2):
        ActivationFactory(license_key=key, identifier="same")


def two_global_keys():
    signing_key(1)
    signing_key(2)


def two_keys_of_one_product():
    product = ProductFactory()
    signing_key(1, product=product)
    signing_key(2, product=product)


def two_upcoming_keys(**fields):
    signing_key(1, status="upcoming", **fields)
    signing_key(2, status="upcoming", **fields)


def one_repetition_twice():
    for _ in range(2):
        models.Assignment.objects.create(digest="same", source="x.csv")


def assignment(**fields):
    models.Assignment.objects.create(digest="x", source="x.csv", **fields)


def two_assignment_rows():
    assignment = models.Assignment.objects.create(digest="x", source="x.csv")
    for line in (2, 3):
        models.AssignmentRow.objects.create(assignment=assignment, digest="same", line=line, outcome="refused")


def refused_row_with_a_license_key():
    assignment = models.Assignment.objects.create(digest="x", source="x.csv")
    models.AssignmentRow.objects.create(
        assignment=assignment, digest="x", line=2, outcome="refused", license_key=LicenseKeyFactory()
    )


def two_idempotency_records():
    api_key_text()
    for _ in range(2):
        models.IdempotencyRecord.objects.create(
            api_key=models.ApiKey.objects.get(), idempotency_key="same", request_digest="x"
        )


def two_downloadables():
    release = ReleaseFactory()
    for _ in range(2):
        models.Downloadable.objects.create(release=release, file="x", file_name="same.zip")


def two_releases():
    product = ProductFactory()
    for _ in range(2):
        ReleaseFactory(product=product, version="1.0")


def block(kind, value, times=1):
    for _ in range(times):
        models.BlockListEntry.objects.create(kind=kind, value=value)


def two_refused_calls():
    now, found = timezone.now(), LicenseKeyFactory()
    for _ in range(2):
        found.refused_calls.create(day=now.date(), endpoint="verify", code=202, first_at=now, last_at=now)


def two_daily_counts():
    for _ in range(2):
        models.DailyCount.objects.create(day="2026-02-28", name="license_key.assigned")


NEVER = {
    "daily_count_one_per_day_and_name": two_daily_counts,
    "refused_call_one_per_day": two_refused_calls,
    "figures_one_row": lambda: models.Figures.objects.create(pk=2),
    "activation_one_per_key_and_identifier": two_activations,
    "activation_identifier_not_empty": lambda: ActivationFactory(identifier=""),
    "license_key_metadata_one_per_name": lambda: two_metadata(license_key=LicenseKeyFactory()),
    "product_metadata_one_per_name": two_product_metadata,
    "signing_key_one_active_global": two_global_keys,
    "signing_key_one_active_per_product": two_keys_of_one_product,
    "signing_key_one_upcoming_global": two_upcoming_keys,
    "signing_key_one_upcoming_per_product": lambda: two_upcoming_keys(product=ProductFactory()),
    "signing_key_status_valid": lambda: signing_key(1, status="lost"),
    "signing_key_bits_valid": lambda: signing_key(1, bits=1024),
    "signing_key_compromised_since": lambda: signing_key(1, status="compromised"),
    "product_status_valid": lambda: ProductFactory(status="maybe"),
    "product_source_valid": lambda: ProductFactory(source="elsewhere"),
    "license_key_status_valid": lambda: LicenseKeyFactory(assigned=True, status="expired"),
    "license_key_not_empty": lambda: LicenseKeyFactory(license_key=""),
    "license_key_validity_at_most_a_century": lambda: LicenseKeyFactory(validity_days=36_526),
    "license_key_expires_only_when_assigned": lambda: LicenseKeyFactory(expires_at=timezone.now()),
    "owner_one_per_email": lambda: [OwnerFactory(email="A@b.c"), OwnerFactory(email="a@B.C")],
    "assignment_one_per_file_and_repetition": one_repetition_twice,
    "assignment_state_valid": lambda: assignment(state="lost"),
    "assignment_finished_when_over": lambda: assignment(state="done", uploaded=True),
    "assignment_due_when_at_work": lambda: assignment(state="paused", uploaded=True, due_at=timezone.now()),
    "assignment_row_one_per_digest": two_assignment_rows,
    "assignment_row_license_key_only_when_assigned": refused_row_with_a_license_key,
    "product_one_per_slug": lambda: [ProductFactory(slug="same"), ProductFactory(slug="same")],
    "api_key_profile_valid": lambda: models.ApiKey.objects.create(profile="other"),
    "contract_status_valid": lambda: ContractFactory(status="maybe"),
    "contract_quantity_at_least_one": lambda: ContractFactory(license_keys_quantity=0),
    "contract_key_not_empty": lambda: ContractFactory(contract_key=""),
    "generator_method_valid": lambda: GeneratorFactory(method="dice"),
    "generator_validity_at_most_a_century": lambda: GeneratorFactory(validity_days=36_526),
    "generator_chunks_not_empty": lambda: GeneratorFactory(method="chunk-system", number_of_chunks=0),
    "generator_custom_has_a_function": lambda: GeneratorFactory(method="custom"),
    "release_one_per_version": two_releases,
    "release_version_not_empty": lambda: ReleaseFactory(version=""),
    "downloadable_one_per_name": two_downloadables,
    "idempotency_record_one_per_key": two_idempotency_records,
    "block_list_entry_one_per_value": lambda: block("identifier", "same", times=2),
    "block_list_entry_valid": lambda: block("identifier", ""),
    "audit_event_one_per_position": lambda: [models.AuditEvent.objects.create(position=1) for _ in range(2)],
    "audit_chain_one_row": lambda: models.AuditChain.objects.create(pk=2, locked_key=b"-"),
    "queued_assignment_state_valid": lambda: QueuedAssignmentFactory(state="lost", envelope={}),
    "queued_assignment_envelope_when_done": lambda: QueuedAssignmentFactory(state="delivering"),
}


@pytest.mark.parametrize("name", NEVER)
def test_the_database_refuses_it_by_name(name):
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        NEVER[name]()
    if "UNIQUE" not in str(error.value):  # SQLite names the columns of a unique constraint instead
        # an unknown status breaks two constraints, and PostgreSQL names the first of them
        assert name in str(error.value) or (name == "license_key_status_valid" and OWNER_AND_DATE in str(error.value))


OWNER_AND_DATE = "license_key_owner_and_date_when_assigned"


@pytest.mark.parametrize("status", ["available", "assigned", "reserved", "blocked"])
@pytest.mark.parametrize("owner", [True, False])
@pytest.mark.parametrize("date", [True, False])
def test_an_owner_and_a_date_exactly_when_the_status_needs_them(status, owner, date):
    fields = {"owner": OwnerFactory() if owner else None, "assigned_at": timezone.now() if date else None}
    allowed = {"available": [(0, 0)], "reserved": [(0, 0)], "assigned": [(1, 1)], "blocked": [(0, 0), (1, 1)]}
    if (owner, date) in allowed[status]:
        LicenseKeyFactory(status=status, **fields)
        return
    with pytest.raises(IntegrityError, match=OWNER_AND_DATE), transaction.atomic():
        LicenseKeyFactory(status=status, **fields)


def test_a_license_key_exists_once_over_all_products():
    key = LicenseKeyFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        LicenseKeyFactory(license_key=key.license_key)


def test_a_retired_signing_key_makes_room_for_another():
    signing_key(1, status="retired")
    signing_key(2)


def test_owners_without_an_address_are_many():
    OwnerFactory(email="")
    OwnerFactory(email="")


def test_every_named_constraint_has_its_test():
    named = {
        constraint.name
        for model in models.__dict__.values()
        if isinstance(model, type) and hasattr(model, "_meta")
        for constraint in model._meta.constraints
    }
    assert named == {*NEVER, OWNER_AND_DATE}
