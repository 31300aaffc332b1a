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

    class Meta:
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=("object_type", "object_id", "-id"), name="audit_event_by_object"),
            models.Index(fields=("kind", "-id"), name="audit_event_by_kind"),
            # Programs call all day, people now and then: theirs are found without an index entry per call
            models.Index(fields=("door", "-id"), name="audit_event_not_by_api", condition=~Q(door="api")),
            PrefixIndex(fields=("actor",), name="audit_event_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_label}"
