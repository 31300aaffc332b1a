from django.db import models
from django.db.models import Q

from licenses.models.license_keys import LicenseKey


class Assignment(models.Model):
    """One bulk assignment: the memory that lets an interrupted run go on and a repeated one do nothing."""

    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    repetition = models.PositiveIntegerField(
        default=1, help_text="1, or more where the same file was assigned again on purpose."
    )
    source = models.CharField(max_length=255, help_text="The file's name.")
    rows_total = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When a run came to the end of the file.")

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=("digest", "repetition"),
                name="assignment_one_per_file_and_repetition",
                violation_error_message="This file has an assignment of this repetition already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source}, {self.started_at:%Y-%m-%d %H:%M}"


class AssignmentRow(models.Model):
    """What became of one row of the file, written in the transaction that did it."""

    class Outcome(models.TextChoices):
        ASSIGNED = "assigned", "Assigned"
        REFUSED = "refused", "Refused"

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="rows", db_index=False)
    digest = models.CharField(max_length=32, help_text="What the row says, wherever in the file it stands.")
    line = models.PositiveIntegerField(help_text="The line in the file where the row begins.")
    license_key = models.ForeignKey(
        LicenseKey, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Empty when it was deleted since."
    )
    outcome = models.CharField(max_length=16, choices=Outcome)
    problem = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ("line",)
        constraints = [
            models.UniqueConstraint(fields=("digest", "assignment"), name="assignment_row_one_per_digest"),
            models.CheckConstraint(
                condition=Q(outcome="assigned") | Q(outcome="refused", license_key__isnull=True),
                name="assignment_row_license_key_only_when_assigned",
            ),
        ]
        indexes = [models.Index(fields=("assignment", "line"), name="assignment_row_by_line")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.outcome}"
