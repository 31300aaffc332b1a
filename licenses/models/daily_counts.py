from django.db import models


class DailyCount(models.Model):
    """How often something happened on a day: what the charts read instead of millions of rows.

    `name` is the kind of an audit event ("license_key.assigned") or "refused." and the number of the answer
    ("refused.210"). Days are those of UTC.
    """

    day = models.DateField()
    name = models.CharField(max_length=64)
    product_number = models.BigIntegerField(default=0, help_text="0: of no product, or of one that nobody knows.")
    count = models.BigIntegerField(default=0)

    class Meta:
        db_table = "licenses_daily_count"
        ordering = ("day", "name")
        constraints = [
            models.UniqueConstraint(fields=("day", "name", "product_number"), name="daily_count_one_per_day_and_name"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.count} of {self.name}"
