from typing import Any

from django.db import models
from django.db.models import Q

from licenses.models.products import Product


class QueuedAssignment(models.Model):
    """A random assignment to be done by the worker, whose result is posted to the shop that asked for it."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        DELIVERING = "delivering", "Done, to be delivered"
        DELIVERED = "delivered", "Delivered"
        UNCERTAIN = "uncertain", "Delivery uncertain"
        FAILED = "failed", "Not delivered"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="queued_assignments")
    quantity = models.PositiveIntegerField()
    generate = models.BooleanField(default=False)
    generator_number = models.BigIntegerField(
        "generator", null=True, help_text="The generator that the shop named, if it did; it may be gone by now."
    )
    owner_name = models.CharField(max_length=255, blank=True)
    owner_email = models.CharField(max_length=254, blank=True)
    identifier = models.CharField(max_length=255, blank=True, help_text="The shop's own, an order number for example.")
    webhook_url = models.CharField(
        "webhook URL", max_length=2000, help_text="A secret: it is all that the shop checks."
    )
    requested_by = models.CharField(max_length=255, help_text="The API key that asked.")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    code = models.PositiveSmallIntegerField(null=True, help_text="803, or why nothing was assigned.")
    envelope: Any = models.JSONField(null=True, help_text="What is posted: the sealed answer.")
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=255, blank=True, help_text="Why the last delivery failed.")
    due_at = models.DateTimeField(help_text="When the worker takes it up next.")
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("queued", "delivering", "delivered", "uncertain", "failed")),
                name="queued_assignment_state_valid",
            ),
            models.CheckConstraint(
                condition=Q(state="queued") | Q(envelope__isnull=False),
                name="queued_assignment_envelope_when_done",
            ),
        ]
        indexes = [
            models.Index(
                fields=("due_at",),
                name="queued_assignment_due",
                condition=Q(state__in=("queued", "delivering")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product}"
