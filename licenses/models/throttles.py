from django.db import models


class ThrottleBucket(models.Model):
    """How full the bucket of one throttle is, where no Redis counts: see services/throttles.py.

    `empty_at` is the moment, in Unix seconds, at which it is empty if nothing more comes; past it, the row means
    nothing. The name is a digest: it speaks of addresses and license keys.
    """

    name = models.CharField(max_length=80, primary_key=True)
    empty_at = models.FloatField()  # without an index, so that PostgreSQL updates the row in place

    class Meta:
        db_table = "licenses_throttle_bucket"

    def __str__(self) -> str:
        return self.name
