from django.db import models
from django.db.models import Q

from licenses.models.license_keys import LicenseKey


class Assignment(models.Model):
    """One bulk assignment: the memory that lets an interrupted run go on and a repeated one do nothing."""

    digest = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 of the file and the options that decide what it does."
    )
    source = models.CharField(max_length=255, help_text="The file's name.")
    rows_total = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.source}, {self.started_at:%Y-%m-%d %H:%M}"


class AssignmentRow(models.Model):
    """What became of one row of the file, written in the transaction that did it."""

    class Outcome(models.TextChoices):
        ASSIGNED = "assigned", "Assigned"
        REFUSED = "refused", "Refused"

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(help_text="The line in the file where the row begins.")
    license_key = models.ForeignKey(LicenseKey, on_delete=models.CASCADE, null=True, related_name="+")
    outcome = models.CharField(max_length=16, choices=Outcome)
    problem = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ("line",)
        constraints = [
            models.UniqueConstraint(fields=("assignment", "line"), name="assignment_row_one_per_line"),
            models.CheckConstraint(
                condition=Q(outcome="assigned", license_key__isnull=False) | Q(outcome="refused"),
                name="assignment_row_assigned_has_license_key",
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.outcome}"
