"""Rows for tests. Objects that a service makes in production are made by the service here too."""

from datetime import timedelta

import factory
from django.utils import timezone

from licenses import models
from licenses.models import Actor, Door
from licenses.services.api_keys import create_api_key

ACTOR = Actor(Door.COMMAND, "tests")


class ProductFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.Product

    name = factory.Sequence(lambda n: f"Product {n}")
    description = "A product for tests"


class OwnerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.Owner

    name = factory.Faker("name")
    email = factory.Sequence(lambda n: f"owner{n}@example.com")


class LicenseKeyFactory(factory.django.DjangoModelFactory):
    """An available license key; `assigned=True` gives it an owner and a date."""

    class Meta:
        model = models.LicenseKey

    class Params:
        assigned = factory.Trait(
            status="assigned",
            owner=factory.SubFactory(OwnerFactory),
            assigned_at=factory.LazyFunction(timezone.now),
        )
        expired = factory.Trait(
            assigned=True,
            validity_days=30,
            assigned_at=factory.LazyFunction(lambda: timezone.now() - timedelta(days=31)),
            expires_at=factory.LazyFunction(lambda: timezone.now() - timedelta(days=1)),
        )

    product = factory.SubFactory(ProductFactory)
    license_key = factory.Faker("uuid4")


class ActivationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.Activation

    license_key = factory.SubFactory(LicenseKeyFactory, assigned=True)
    identifier = factory.Sequence(lambda n: f"host{n}.example.com")
    activated_at = factory.LazyFunction(timezone.now)


class GeneratorFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.Generator

    product = factory.SubFactory(ProductFactory)


class ContractFactory(factory.django.DjangoModelFactory):
    """An active contract with every right."""

    class Meta:
        model = models.Contract

    contract_key = factory.Faker("uuid4")
    name = factory.Sequence(lambda n: f"Contract {n}")
    information = "A contract for tests"
    product = factory.SubFactory(ProductFactory)
    license_keys_quantity = 10
    can_destroy = can_destroy_all = True


class ReleaseFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.Release

    product = factory.SubFactory(ProductFactory)
    version = factory.Sequence(lambda n: f"1.0.{n}")
    is_published = True
    released_at = factory.LazyFunction(timezone.now)


class DownloadableFactory(factory.django.DjangoModelFactory):
    """A file of a published release; `file__data` are its bytes."""

    class Meta:
        model = models.Downloadable
        skip_postgeneration_save = True

    release = factory.SubFactory(ReleaseFactory)
    file = factory.django.FileField(data=b"MZ a program", filename="stored")
    file_name = factory.Sequence(lambda n: f"program-{n}.exe")


class TelemetryRecordFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.TelemetryRecord

    data_type = "numeric-single-value"
    data_group = "tests"
    data = "50"
    is_correct_format = license_key_exists = product_exists = product_version_exists = True
    has_red_flags = False


class QueuedAssignmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.QueuedAssignment

    product = factory.SubFactory(ProductFactory)
    quantity = 1
    webhook_url = "https://shop.example/?webhook=secret"
    requested_by = "Tests"
    due_at = factory.LazyFunction(timezone.now)


def api_key_text(*capabilities: str, **options) -> str:
    """The text of a new API key with these capabilities, or with all of them."""
    name = options.pop("name", "Tests")
    _, text = create_api_key(name=name, capabilities=capabilities or models.Capability.values, actor=ACTOR, **options)
    return text
