"""Indexes on a large table: PostgreSQL builds them without stopping writers, and outside of a transaction."""

from django.db import migrations, models

from licenses.models.indexes import AddIndexOnline, AddUniqueOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("licenses", "0006_audit_chain")]

    operations = [
        AddIndexOnline(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("position__isnull", True)), fields=["id"], name="audit_event_not_linked"
            ),
        ),
        AddUniqueOnline(
            model_name="auditevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("position__isnull", False)),
                fields=("position",),
                name="audit_event_one_per_position",
                violation_error_message="Another event has this place in the chain.",
            ),
        ),
    ]
