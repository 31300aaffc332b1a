from django.db import models


class Worker(models.Model):
    """A worker and when it was seen last: see services/workers.py.

    The times are the database's, so that no worker's clock matters. A row that stays when its worker has ended is that
    of one that was killed.
    """

    name = models.CharField(max_length=255, unique=True, help_text="Host and process: host:pid.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()  # without an index, so that PostgreSQL updates the row in place
    doing = models.CharField(max_length=120)
    version = models.CharField(max_length=32, help_text="Of the portal.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
