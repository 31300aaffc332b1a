"""Where each audit event stands in the chain. No default is written into rows, however many there are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("licenses", "0005_contract_index")]

    operations = [
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField(default=0)),
                ("digest", models.CharField(default="", max_length=64)),
                ("locked_key", models.BinaryField()),
            ],
        ),
        migrations.AddField(
            model_name="auditevent",
            name="digest",
            field=models.CharField(default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="position",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="auditchain",
            constraint=models.CheckConstraint(
                condition=models.Q(("pk", 1)),
                name="audit_chain_one_row",
                violation_error_message="There is one audit chain.",
            ),
        ),
    ]
