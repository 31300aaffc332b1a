"""Which signing keys there are, and what became of them."""

from datetime import UTC, datetime
from typing import Any

from licenses.management.base import PortalCommand
from licenses.models import SigningKey

COLUMNS = ("fingerprint", "status", "bits", "signs since", "until", "compromised since", "for")


class Command(PortalCommand):
    help = (
        "List all signing keys, the global ones first: the beginning of the fingerprint, the status, the size, when it "
        "began to sign, when it ceased, since when it counts as compromised, and for whom it signs. Columns are "
        "separated by tabs, times are UTC, and - stands for nothing. The names of the columns go to standard error."
    )
    examples = """\
  manage.py list_signing_keys
  manage.py list_signing_keys | grep upcoming
"""

    def handle(self, *args: Any, **options: Any) -> None:
        keys = SigningKey.objects.defer("private_key_locked").select_related("product")
        self.say("\t".join(COLUMNS) if keys else "There is no signing key yet. manage.py create_signing_key makes one.")
        for key in sorted(keys, key=lambda key: (key.product_id or 0, key.pk)):
            dates = map(shown, (key.activated_at, key.retired_at, key.compromised_at))
            whose = f"product {key.product_id}: {key.product.name}" if key.product else "global"
            self.stdout.write("\t".join((key.fingerprint[:12], key.status, str(key.bits), *dates, whose)))


def shown(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else "-"
