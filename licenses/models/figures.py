from typing import Any

from django.db import models
from django.db.models import Q

SMALL = 20_000  # rows that a page counts while somebody waits for it


class Figures(models.Model):
    """What the first page shows of large tables: one row, whose `data` may be emptied, for it is counted again.

    `position` is the place in the chain of audit events up to which `DailyCount` has them: set back, they count twice.
    """

    position = models.BigIntegerField(default=0)
    data: Any = models.JSONField(
        default=dict, help_text="As services/figures.py counts it; empty before the first time."
    )
    taken_at = models.DateTimeField(null=True, help_text="When it was counted.")
    claimed_at = models.DateTimeField(null=True, help_text="When somebody last began to count.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pk=1), name="figures_one_row", violation_error_message="There is one row of figures."
            )
        ]

    def __str__(self) -> str:
        return "Figures"

    @property
    def is_small(self) -> bool:
        """Whether this may be counted anew for every page; so it is too before anything was counted."""
        return self.data.get("rows", 0) <= SMALL
