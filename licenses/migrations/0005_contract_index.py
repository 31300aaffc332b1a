"""The index on the largest table, alone: PostgreSQL builds it without stopping writers, and outside of a transaction."""

from django.db import migrations, models

from licenses.models.indexes import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("licenses", "0004_unique_product_uuids")]

    operations = [
        AddIndexOnline(
            model_name="licensekey",
            index=models.Index(
                condition=models.Q(("contract__isnull", False)),
                fields=["contract", "id"],
                name="license_key_by_contract",
            ),
        ),
    ]
