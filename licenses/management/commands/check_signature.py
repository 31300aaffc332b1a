"""Say who signed an answer or a license file, and whether to trust it."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.core.management.base import CommandError, CommandParser

from licenses.management.base import REFUSED, PortalCommand, read_input, unusable, whose
from licenses.services.signatures import Judgement, judge_signature

LONGEST = 10 * 1024 * 1024  # bytes


class Command(PortalCommand):
    help = (
        "Check an answer of the portal or a license file: which signing key signed it, when, and whether it is to be "
        "trusted. FILE holds the whole answer as JSON, as it came, or a license file in either form. Exit code: 0 it "
        "is to be trusted, 1 it is not (nobody's signature, altered, a compromised key), 2 it cannot be read."
    )
    examples = """\
  manage.py check_signature answer.json
  curl -s https://licenses.example.com/api/v1/verify -d … | manage.py check_signature -
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="The file; - for standard input.")

    def handle(self, *args: Any, **options: Any) -> None:
        judgement = judge_signature(document=read_document(options["file"]))
        text = "\n".join(describe(judgement))
        if not judgement.trusted:
            raise CommandError(text, returncode=REFUSED)
        self.stdout.write(text)


def read_document(name: str) -> Mapping[str, Any] | str:
    """A JSON object; what is no JSON at all may be the other form of a license file."""
    try:
        text = read_input(name, at_most=LONGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise unusable(f"{name} is not UTF-8 text.") from None
    try:
        document = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        return text
    if not isinstance(document, dict):
        raise unusable(f"{name} is JSON, but no object: neither an answer nor a license file.")
    return document


def _without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice, one reader takes the first and another the last: neither was signed alone."""
    found = dict(members)
    if len(found) < len(members):
        raise unusable("A name stands twice in one object of this JSON: it is not as the portal wrote it.")
    return found


def describe(judgement: Judgement) -> list[str]:
    lines = [f"{'Trusted' if judgement.trusted else 'NOT TRUSTED'}: {judgement.what}. {judgement.reason}"]
    if key := judgement.signing_key:
        lines.append(f"Signed by: the {key.status} key of {whose(key.product)}, fingerprint {key.fingerprint}")
    if judgement.signed_at:
        lines.append(f"Signed at: {judgement.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, as it says of itself")
    return lines
