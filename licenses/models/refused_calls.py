from django.db import models

from licenses.models.license_keys import LicenseKey


class RefusedCall(models.Model):
    """How often programs were refused in one way with one license key on one day (of UTC), for the key's timeline.

    `address` and `api_key` are those of the last such call; `identifier` is empty where none was sent, where whoever
    called was not let in, and for what is more than a day keeps apart. See services/refused_calls.py.
    """

    license_key = models.ForeignKey(
        LicenseKey,
        on_delete=models.CASCADE,
        related_name="refused_calls",
        db_index=False,  # the constraint's index begins with it
    )
    day = models.DateField(db_index=True)
    endpoint = models.CharField(max_length=64)
    code = models.PositiveIntegerField()
    identifier = models.CharField(max_length=255, blank=True)
    address = models.GenericIPAddressField("IP address", null=True)
    api_key = models.CharField("API key", max_length=255, blank=True)
    count = models.BigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "licenses_refused_call"
        ordering = ("-day", "-last_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=("license_key", "day", "endpoint", "code", "identifier"), name="refused_call_one_per_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} at {self.endpoint}"
