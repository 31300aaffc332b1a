"""What happened how often on which day: the charts' table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("licenses", "0012_begin_audit_chain")]

    operations = [
        migrations.CreateModel(
            name="DailyCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("name", models.CharField(max_length=64)),
                (
                    "product_number",
                    models.BigIntegerField(default=0, help_text="0: of no product, or of one that nobody knows."),
                ),
                ("count", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "licenses_daily_count",
                "ordering": ("day", "name"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "name", "product_number"), name="daily_count_one_per_day_and_name"
                    ),
                ],
            },
        ),
    ]
