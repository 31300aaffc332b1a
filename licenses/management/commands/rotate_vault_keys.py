"""Move everything that is stored encrypted to the newest vault key."""

from collections import Counter
from typing import Any

from django.core.management.base import CommandError, CommandParser

from licenses.management.base import REFUSED, PortalCommand
from licenses.management.progress import progress
from licenses.services.vault import Entry, State, reencrypt, survey_vault


class Command(PortalCommand):
    help = (
        "Encrypt everything that is stored under VAULT_KEYS anew with the first of them: signing keys, settings, the "
        "key of the audit trail, second factors. Each row is a step of its own: stop it whenever you like and run it "
        "again. Then let --check say whether older keys are still needed before you take them out of VAULT_KEYS. "
        "Exit code: 0 all is under the first key, 1 something is not."
    )
    examples = """\
  manage.py rotate_vault_keys --check
  manage.py rotate_vault_keys
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Change nothing, and count what is not moved yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[State] = Counter()
        old: list[Entry] = []
        for entry in survey_vault():
            self.count(entry, entry.state, counts)
            old += [entry] if entry.state is State.OLD else []
        if not options["check"]:
            self.move(old, counts)
        self.conclude(counts)

    def move(self, old: list[Entry], counts: Counter[State]) -> None:
        with progress(self, len(old), "rows") as show:
            for done, entry in enumerate(old, start=1):
                state = reencrypt(entry=entry, actor=self.actor)
                counts[State.OLD] -= 1
                self.count(entry, State.CURRENT if state is State.OLD else state, counts)
                show(done)
        self.stdout.write(f"{len(old):,} encrypted anew.")

    def count(self, entry: Entry, state: State, counts: Counter[State]) -> None:
        counts[state] += 1
        if state is State.UNREADABLE:
            self.say(f"{entry}: none of VAULT_KEYS opens it. Put the key it was encrypted with back behind the others.")

    def conclude(self, counts: Counter[State]) -> None:
        current, old, unreadable = (counts[state] for state in (State.CURRENT, State.OLD, State.UNREADABLE))
        text = f"{current:,} under the first of VAULT_KEYS, {old:,} under older ones, {unreadable:,} under none."
        if old or unreadable:
            raise CommandError(f"{text}\nKeep every key in VAULT_KEYS for now.", returncode=REFUSED)
        self.stdout.write(f"{text}\nThe older ones may leave VAULT_KEYS, once every node has this first key.")
