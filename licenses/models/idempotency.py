from django.db import models

from licenses.models.api_keys import ApiKey


class IdempotencyRecord(models.Model):
    """The answer to a call that carried an Idempotency-Key, so that repeating it does nothing and answers the same."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64, help_text="SHA-256 of the endpoint and its parameters.")
    http_status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True, help_text="The sealed answer.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("api_key", "idempotency_key"), name="idempotency_record_one_per_key")
        ]

    def __str__(self) -> str:
        return self.idempotency_key
