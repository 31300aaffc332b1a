from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("licenses", "0004_unique_uuids_and_contract_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="queuedassignment",
            name="generator_number",
            field=models.BigIntegerField(
                null=True,
                verbose_name="generator",
                help_text="The generator that the shop named, if it did; it may be gone by now.",
            ),
        ),
    ]
