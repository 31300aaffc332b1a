"""Emptying the tables after a test whose transactions were real. Django's own way takes half a second a test: TRUNCATE
makes new files for every table and index, and all permissions are made again afterwards."""

from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from licenses.models import AuditChain

# What migrating makes stays, with what belongs to it
SEEDED = (ContentType, Permission, Group, Group.permissions.through)
BEGIN_CHAIN = import_module("licenses.migrations.0012_begin_audit_chain").begin
ALLOW = "SET LOCAL portal.audit_retention TO 'on'"  # the audit is append-only: migration 0010


class Cleaner:
    """Made before the first test: what is there then is there after every test."""

    def __init__(self) -> None:
        self.tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
        self.tables -= {model._meta.db_table for model in SEEDED}
        self.last = {model: max(model.objects.values_list("pk", flat=True), default=0) for model in SEEDED}
        if not AuditChain.objects.exists():  # --no-migrations
            BEGIN_CHAIN(apps)
        self.chain = AuditChain.objects.values().get()

    def clean(self) -> None:
        for model, last in self.last.items():
            model.objects.filter(pk__gt=last).delete()
        with transaction.atomic(), connection.cursor() as cursor:  # in one, so that foreign keys are looked at last
            if connection.vendor == "postgresql":
                cursor.execute(ALLOW)
            for table in self.tables:
                cursor.execute(f"DELETE FROM {table}")
            AuditChain.objects.create(**self.chain)  # `migrate` alone makes it, not the first change
