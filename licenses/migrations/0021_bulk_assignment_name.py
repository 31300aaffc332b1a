from django.db import migrations


class Migration(migrations.Migration):
    """Called what everything else calls it. Nothing of the database changes."""

    dependencies = [("licenses", "0020_license_key_by_status")]

    operations = [
        migrations.AlterModelOptions(
            name="assignment", options={"ordering": ("-pk",), "verbose_name": "bulk assignment"}
        ),
    ]
