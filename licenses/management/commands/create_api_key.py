"""Give a program the right to call the portal."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from licenses.management.base import LARGEST_ID, PortalCommand, unusable, whole_number
from licenses.models import Capability, Contract, Profile
from licenses.models.api_keys import MOST_PER_MINUTE
from licenses.services.api_keys import create_api_key

LONGEST = 36_525  # days: a hundred years


class Command(PortalCommand):
    help = (
        "Create an API key and print it, alone, on standard output. It is shown this once and stored nowhere: "
        "put it into the program's configuration at once."
    )
    examples = f"""\
  KEY=$(manage.py create_api_key "Web shop" --capability assign-license-key --network 203.0.113.0/24)
  manage.py create_api_key "Desktop app" --capability verify --capability activate --capability deactivate
  manage.py create_api_key "PHP software" --capability verify --capability activate --profile sdk
  manage.py create_api_key "Reseller" --capability contracts/generate --capability contracts/get-info --contract 7
  manage.py create_api_key "Web app" --capability verify --requests-per-minute 600 --wrong-keys-per-minute 0
  manage.py create_api_key "Operations" --all --expires-in-days 90

capabilities:
  {chr(10).join(f"{value:<25} {label}" for value, label in Capability.choices).replace(chr(10), chr(10) + "  ")}
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="Who or what uses the API key.")
        capabilities = parser.add_mutually_exclusive_group(required=True)
        capabilities.add_argument(
            "--capability",
            action="append",
            choices=Capability.values,
            metavar="CAPABILITY",
            default=[],
            help="What it may do (see below); repeat it for several.",
        )
        capabilities.add_argument("--all", action="store_true", help="It may do everything, settings included.")
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            help="Where it may be used from, like 203.0.113.7 or 203.0.113.0/24; repeat it for several. "
            "Without it: from anywhere.",
        )
        parser.add_argument(
            "--profile",
            choices=Profile.values,
            default=Profile.DOCUMENTED,
            help="sdk only for programs built on the PHP, Laravel or JavaScript SDK, which verify other fields.",
        )
        parser.add_argument(
            "--contract",
            metavar="ID",
            type=whole_number(1, LARGEST_ID),
            help="For the holder of this contract: the contracts/… endpoints then speak of it alone.",
        )
        parser.add_argument("--expires-in-days", type=whole_number(1, LONGEST), help="Without it: it does not expire.")
        self.add_limits(parser)

    def add_limits(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--requests-per-minute",
            type=whole_number(0, MOST_PER_MINUTE),
            help="How many calls it may make, from all addresses together; 0: any number. "
            "Without it: API_KEY_REQUESTS_PER_MINUTE.",
        )
        parser.add_argument(
            "--wrong-keys-per-minute",
            type=whole_number(0, MOST_PER_MINUTE),
            help="How many unknown license keys one address may try with it; 0: any number, for a shop whose customers "
            "all come from its own address. Without it: WRONG_KEYS_PER_MINUTE.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_in_days"]
        api_key, text = create_api_key(
            name=options["name"].strip(),
            capabilities=Capability.values if options["all"] else list(dict.fromkeys(options["capability"])),
            allowed_networks=options["network"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            profile=options["profile"],
            contract=_find_contract(options["contract"]) if options["contract"] else None,
            requests_per_minute=options["requests_per_minute"],
            wrong_keys_per_minute=options["wrong_keys_per_minute"],
            actor=self.actor,
        )
        self.stdout.write(text)
        self.say(f"API key “{api_key.name}” created. It is not shown again.")


def _find_contract(number: int) -> Contract:
    found = Contract.objects.filter(pk=number).first()
    if found is None:
        raise unusable(f"There is no contract with the id {number}.")
    return found
