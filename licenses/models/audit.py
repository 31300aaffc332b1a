from dataclasses import dataclass

from django.db import models
from django.db.models import Q

from licenses.models.indexes import PrefixIndex


class Door(models.TextChoices):
    """Through which door a change came."""

    API = "api", "REST API"
    ADMIN = "admin", "Admin"
    COMMAND = "command", "Command"
    SETTINGS = "settings", "Settings API"


@dataclass(frozen=True)
class Actor:
    """Who asks for a change: a name people recognise, the door, and the address where there is one."""

    door: Door
    name: str
    address: str | None = None


class AuditEvent(models.Model):
    """One change: who, through which door, to what, before and after. Written once, never changed."""

    occurred_at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=64)
    door = models.CharField(max_length=16, choices=Door)
    actor = models.CharField(max_length=255)
    address = models.GenericIPAddressField("IP address", null=True)
    object_type = models.CharField(max_length=32)
    object_id = models.BigIntegerField(null=True)
    object_label = models.CharField(max_length=255)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    # Set once, right after the change is committed: the row's place in the chain, and its link to the one before
    position = models.BigIntegerField(null=True, editable=False)
    digest = models.CharField(max_length=64, default="", editable=False)

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=("position",),
                condition=Q(position__isnull=False),
                name="audit_event_one_per_position",
                violation_error_message="Another event has this place in the chain.",
            )
        ]
        indexes = [
            models.Index(fields=("id",), name="audit_event_not_linked", condition=Q(position__isnull=True)),
            models.Index(fields=("object_type", "object_id", "-id"), name="audit_event_by_object"),
            models.Index(fields=("kind", "-id"), name="audit_event_by_kind"),
            # Programs call all day, people now and then: theirs are found without an index entry per call
            models.Index(fields=("door", "-id"), name="audit_event_not_by_api", condition=~Q(door="api")),
            PrefixIndex(fields=("actor",), name="audit_event_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_label}"


class AuditChain(models.Model):
    """Where the chain of audit events ends, and the key of its digests: one row, made by `migrate`, locked by whoever
    appends.

    `position` counts from 1; 0 and an empty digest before the first event; `seal` covers both. The key is encrypted
    under VAULT_KEYS, so that somebody who can write to the database alone cannot make a chain, or an end, that fits.
    """

    position = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")
    seal = models.CharField(max_length=64, default="")
    locked_key = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pk=1), name="audit_chain_one_row", violation_error_message="There is one audit chain."
            )
        ]

    def __str__(self) -> str:
        return "Audit trail"
