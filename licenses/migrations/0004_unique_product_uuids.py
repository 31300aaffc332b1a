import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("licenses", "0003_fill_product_uuids")]

    operations = [
        migrations.AlterField(
            model_name="product",
            name="uuid",
            field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UUID"),
        ),
    ]
