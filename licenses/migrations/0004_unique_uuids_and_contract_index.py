"""What needs the rows of 0003, and the index on the largest table, which PostgreSQL builds without stopping writers."""

import uuid

from django.db import migrations, models

from licenses.models.indexes import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY runs in no transaction

    dependencies = [("licenses", "0003_fill_product_uuids")]

    operations = [
        migrations.AlterField(
            model_name="product",
            name="uuid",
            field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UUID"),
        ),
        AddIndexOnline(
            model_name="licensekey",
            index=models.Index(
                condition=models.Q(("contract__isnull", False)),
                fields=["contract", "id"],
                name="license_key_by_contract",
            ),
        ),
    ]
