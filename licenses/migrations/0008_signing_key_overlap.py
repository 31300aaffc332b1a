"""Signing keys are published before they sign, and cut off by date when they are compromised.

Backwards it stops at keys that were brought along in another size than 2048, 3072 or 4096 bits: the version before cannot
hold them.
"""

from django.db import migrations, models


def say_since_when(apps, schema_editor):
    """Keys that exist: each began to sign when it was made; one compromised so far was so from then on."""
    SigningKey = apps.get_model("licenses", "SigningKey")
    SigningKey.objects.update(activated_at=models.F("created_at"))
    SigningKey.objects.filter(status="compromised").update(compromised_at=models.F("created_at"))


def end_upcoming(apps, schema_editor):
    """Backwards: a key that never signed cannot be upcoming any more; it has retired."""
    apps.get_model("licenses", "SigningKey").objects.filter(status="upcoming").update(status="retired")


class Migration(migrations.Migration):
    dependencies = [("licenses", "0007_audit_chain_indexes")]

    operations = [
        migrations.RemoveConstraint(
            model_name="signingkey",
            name="signing_key_status_valid",
        ),
        migrations.RemoveConstraint(
            model_name="signingkey",
            name="signing_key_bits_valid",
        ),
        migrations.AddField(
            model_name="signingkey",
            name="activated_at",
            field=models.DateTimeField(blank=True, help_text="When it began to sign.", null=True),
        ),
        migrations.AddField(
            model_name="signingkey",
            name="compromised_at",
            field=models.DateTimeField(
                blank=True, help_text="What it signed from this moment on is not to be trusted.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="signingkey",
            name="retired_at",
            field=models.DateTimeField(blank=True, help_text="When it ceased to sign.", null=True),
        ),
        migrations.AlterField(
            model_name="signingkey",
            name="status",
            field=models.CharField(
                choices=[
                    ("upcoming", "Upcoming"),
                    ("active", "Active"),
                    ("retired", "Retired"),
                    ("compromised", "Compromised"),
                ],
                default="active",
                max_length=16,
            ),
        ),
        migrations.RunPython(say_since_when, end_upcoming),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ("upcoming", "active", "retired", "compromised"))),
                name="signing_key_status_valid",
                violation_error_message="A signing key is upcoming, active, retired or compromised.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("bits__gte", 2048), ("bits__lte", 4096)),
                name="signing_key_bits_valid",
                violation_error_message="A signing key has 2048 to 4096 bits.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("product__isnull", True), ("status", "upcoming")),
                fields=("status",),
                name="signing_key_one_upcoming_global",
                violation_error_message="There is an upcoming global signing key already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "upcoming")),
                fields=("product",),
                name="signing_key_one_upcoming_per_product",
                violation_error_message="This product has an upcoming signing key already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("compromised_at__isnull", False), ("status", "compromised")),
                    models.Q(models.Q(("status", "compromised"), _negated=True), ("compromised_at__isnull", True)),
                    _connector="OR",
                ),
                name="signing_key_compromised_since",
                violation_error_message="A compromised signing key, and no other, says since when.",
            ),
        ),
    ]
