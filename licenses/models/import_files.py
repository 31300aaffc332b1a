from django.conf import settings
from django.db import models


class ImportFile(models.Model):
    """A spreadsheet between its preview and the answer of whoever sent it.

    In the database, so that every node and process has it; deleted once it is imported, or an hour later.
    """

    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token = models.CharField(max_length=64, unique=True)
    noun = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    encoding = models.CharField(max_length=32)
    content = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.name
