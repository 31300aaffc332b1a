from typing import Any

from django.db import models
from django.db.models import Q

from licenses.models.license_keys import LicenseKey
from licenses.models.products import Product


class Assignment(models.Model):
    """One bulk assignment: the memory that lets an interrupted run go on and a repeated one do nothing.

    A command works on its own file and knows two states, running and done. What was uploaded in the admin has its
    file here (`AssignmentFile`), and a worker does it.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Columns to be chosen"
        CHECKING = "checking", "Being checked"
        READY = "ready", "Ready to start"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Finished"
        CANCELLED = "cancelled", "Canceled"
        FAILED = "failed", "Failed"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    AT_WORK = (State.CHECKING, State.RUNNING, State.UNDOING)
    OVER = (State.DONE, State.CANCELLED, State.FAILED, State.UNDOING, State.UNDONE)

    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    repetition = models.PositiveIntegerField(
        default=1, help_text="1, or more where the same file was assigned again on purpose."
    )
    source = models.CharField(max_length=255, help_text="The file's name.")
    rows_total = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When a run came to the end of the file.")

    # What follows is about files from the admin
    uploaded = models.BooleanField(default=False, db_default=False, help_text="In the admin; the file is stored.")
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING, db_default=State.RUNNING)
    product = models.ForeignKey(
        Product, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Its stock serves rows without one."
    )
    columns: Any = models.JSONField(default=dict, db_default={}, help_text="Number of the column, from 0, by field.")
    again = models.BooleanField(
        default=False, db_default=False, help_text="Rows that an earlier run has done are done once more."
    )
    started_by = models.CharField(max_length=255, default="", db_default="", help_text="Who has started it.")
    started_from = models.GenericIPAddressField(null=True)
    undone_by = models.CharField(max_length=255, default="", db_default="", help_text="Who has it undone.")
    undone_from = models.GenericIPAddressField(null=True)
    position = models.PositiveIntegerField(default=0, db_default=0, help_text="The last line that is done.")
    rows_assigned = models.PositiveIntegerField(default=0, db_default=0)
    rows_refused = models.PositiveIntegerField(default=0, db_default=0)
    rows_earlier = models.PositiveIntegerField(default=0, db_default=0, help_text="Left as an earlier run made them.")
    rows_undone = models.PositiveIntegerField(default=0, db_default=0)
    rows_kept = models.PositiveIntegerField(default=0, db_default=0, help_text="Could not be undone.")
    problem = models.CharField(max_length=255, default="", db_default="", help_text="Why it failed.")
    due_at = models.DateTimeField(null=True, help_text="When a worker takes it up: the end of another worker's lease.")

    class Meta:
        verbose_name = "bulk assignment"
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=("digest", "repetition"),
                name="assignment_one_per_file_and_repetition",
                violation_error_message="This file has an assignment of this repetition already.",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=(
                        "uploaded",
                        "checking",
                        "ready",
                        "running",
                        "paused",
                        "done",
                        "cancelled",
                        "failed",
                        "undoing",
                        "undone",
                    )
                ),
                name="assignment_state_valid",
            ),
            models.CheckConstraint(
                condition=(
                    Q(uploaded=False)  # a command finishes and begins again in its own time
                    | Q(state__in=("done", "cancelled", "failed", "undoing", "undone"), finished_at__isnull=False)
                    | (~Q(state__in=("done", "cancelled", "failed", "undoing", "undone")) & Q(finished_at__isnull=True))
                ),
                name="assignment_finished_when_over",
            ),
            models.CheckConstraint(
                condition=Q(due_at__isnull=True) | Q(state__in=("checking", "running", "undoing"), uploaded=True),
                name="assignment_due_when_at_work",
            ),
        ]
        indexes = [models.Index(fields=("due_at",), name="assignment_due", condition=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.source}, {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def rows_done(self) -> int:
        """How far the work of its state has come; of `rows_to_do`."""
        if self.state in (self.State.UNDOING, self.State.UNDONE):
            return self.rows_undone + self.rows_kept
        return self.rows_assigned + self.rows_refused + self.rows_earlier

    @property
    def rows_to_do(self) -> int:
        return self.rows_assigned if self.state in (self.State.UNDOING, self.State.UNDONE) else self.rows_total


class AssignmentFile(models.Model):
    """An uploaded file as CSV in UTF-8, with gzip: in the database, where every node and every worker reaches it."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="file")
    content = models.BinaryField()
    separator = models.CharField(max_length=1, default=",")
    notices: Any = models.JSONField(default=list, help_text="What was noticed while it was read.")

    def __str__(self) -> str:
        return self.assignment.source


class AssignmentRow(models.Model):
    """What became of one row of the file, written in the transaction that did it.

    Before an uploaded file is started, its refused rows are those that the check has found.
    """

    class Outcome(models.TextChoices):
        ASSIGNED = "assigned", "Assigned"
        REFUSED = "refused", "Refused"
        UNDONE = "undone", "Undone"

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="rows", db_index=False)
    digest = models.CharField(max_length=32, help_text="What the row says, wherever in the file it stands.")
    line = models.PositiveIntegerField(help_text="The line in the file where the row begins.")
    license_key = models.ForeignKey(
        LicenseKey, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Empty when it was deleted since."
    )
    outcome = models.CharField(max_length=16, choices=Outcome)
    problem = models.CharField(max_length=255, blank=True)
    assigned_at = models.DateTimeField(null=True, help_text="By this very time undoing knows the assignment again.")
    reference_before = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        ordering = ("line",)
        constraints = [
            models.UniqueConstraint(fields=("digest", "assignment"), name="assignment_row_one_per_digest"),
            models.CheckConstraint(
                condition=Q(outcome__in=("assigned", "undone")) | Q(outcome="refused", license_key__isnull=True),
                name="assignment_row_license_key_only_when_assigned",
            ),
        ]
        indexes = [models.Index(fields=("assignment", "line"), name="assignment_row_by_line")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.outcome}"
