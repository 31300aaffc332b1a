from django.db import models
from django.db.models import Q


class Setting(models.Model):
    """A value set through the API, the admin or a command; the rows of `parameters.TABLE` say what it means."""

    name = models.CharField(max_length=64, unique=True)
    encrypted_value = models.BinaryField(
        null=True, help_text="Encrypted with the first of VAULT_KEYS; the database alone gives no value away."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="setting_name_not_empty")]

    def __str__(self) -> str:
        return self.name
