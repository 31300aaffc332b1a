"""A UUID for every product that was created before products had one. Products are few: one row at a time will do."""

import uuid

from django.db import migrations


def fill(apps, schema_editor):
    product_model = apps.get_model("licenses", "Product")
    # A default of 0002 may have given all of them the same value, so none of them counts
    for product in product_model.objects.all():
        product.uuid = uuid.uuid4()
        product.save(update_fields=["uuid"])


def take_back(apps, schema_editor):
    """The schema before knows no deleted product, and no assigned row whose license key is gone."""
    apps.get_model("licenses", "Product").objects.filter(status="deleted").update(status="inactive")
    rows = apps.get_model("licenses", "AssignmentRow").objects.filter(outcome="assigned", license_key=None)
    rows.update(outcome="refused", problem="The license key was deleted after it was assigned.")


class Migration(migrations.Migration):
    dependencies = [("licenses", "0002_every_v1_noun")]

    operations = [migrations.RunPython(fill, take_back)]
