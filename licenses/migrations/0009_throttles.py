"""Limits of API keys, and the buckets of throttles where no Redis counts."""

import django.core.validators
from django.db import migrations, models


def without_log(apps, schema_editor):
    """Counters are gone after a crash, which nobody minds; without a log, writing one waits for no disk."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE licenses_throttle_bucket SET UNLOGGED")


class Migration(migrations.Migration):
    dependencies = [("licenses", "0008_signing_key_overlap")]

    operations = [
        migrations.CreateModel(
            name="ThrottleBucket",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("empty_at", models.FloatField(db_index=True)),
            ],
            options={
                "db_table": "licenses_throttle_bucket",
            },
        ),
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Calls a minute, from all addresses together. Empty: the portal's default; 0: no limit.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(1000000)],
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="wrong_keys_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Unknown license keys a minute from one address. Empty: the portal's default; 0: no limit, for a shop whose customers all come from its own address.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(1000000)],
            ),
        ),
        migrations.RunPython(without_log, migrations.RunPython.noop),
    ]
