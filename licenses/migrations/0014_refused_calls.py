"""Refused calls by license key and day: for its timeline."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("licenses", "0013_daily_counts"),
    ]

    operations = [
        migrations.CreateModel(
            name="RefusedCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(db_index=True)),
                ("endpoint", models.CharField(max_length=64)),
                ("code", models.PositiveIntegerField()),
                ("identifier", models.CharField(blank=True, max_length=255)),
                ("address", models.GenericIPAddressField(null=True, verbose_name="IP address")),
                ("api_key", models.CharField(blank=True, max_length=255, verbose_name="API key")),
                ("count", models.BigIntegerField(default=0)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                (
                    "license_key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refused_calls",
                        to="licenses.licensekey",
                    ),
                ),
            ],
            options={
                "db_table": "licenses_refused_call",
                "ordering": ("-day", "-last_at", "-pk"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("license_key", "day", "endpoint", "code", "identifier"), name="refused_call_one_per_day"
                    )
                ],
            },
        ),
    ]
