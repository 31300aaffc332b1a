"""An index for license keys by their status: the list's filter and its count read no other rows."""

from django.db import migrations, models

from licenses.models.indexes import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("licenses", "0019_import_files")]

    operations = [
        AddIndexOnline(
            model_name="licensekey",
            index=models.Index(fields=["status", "id"], name="license_key_by_status"),
        ),
    ]
