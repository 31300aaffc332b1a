"""Who does what was promised to be done later, and when they were seen last."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("licenses", "0016_bulk_assignment")]

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="Host and process: host:pid.", max_length=255, unique=True)),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("doing", models.CharField(max_length=120)),
                ("version", models.CharField(help_text="Of the portal.", max_length=32)),
            ],
            options={"ordering": ("name",)},
        ),
    ]
