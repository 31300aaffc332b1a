"""What the first page shows of large tables, counted by the worker: one row, which whoever counts first makes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("licenses", "0017_workers")]

    operations = [
        migrations.CreateModel(
            name="Figures",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField(default=0)),
                (
                    "data",
                    models.JSONField(
                        default=dict, help_text="As services/figures.py counts it; empty before the first time."
                    ),
                ),
                ("taken_at", models.DateTimeField(help_text="When it was counted.", null=True)),
                ("claimed_at", models.DateTimeField(help_text="When somebody last began to count.", null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("pk", 1)),
                        name="figures_one_row",
                        violation_error_message="There is one row of figures.",
                    )
                ],
            },
        ),
    ]
