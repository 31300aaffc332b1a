"""Readers of license files and of answers in the profile `sdk`, as customers' software would have them: PHP and Node.

They know nothing of this portal: two small programs of ours that do what the protocol says, and parse JSON as their
language does. `public_key_path` is a file with the PEM.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.machine import missing

FOLDER = Path(__file__).resolve().parent
COMMANDS = {"php": ["php", str(FOLDER / "check.php")], "node": ["node", str(FOLDER / "check.mjs")]}


def php_reads_chunked(text: str, public_key_path: Path | str) -> dict[str, Any] | None:
    """What PHP reads in a license file in blocks; None when it cannot."""
    return _check("php", "chunked", text, public_key_path)


def node_reads_chunked(text: str, public_key_path: Path | str) -> dict[str, Any] | None:
    return _check("node", "chunked", text, public_key_path)


def php_verifies_document(text: str, public_key_path: Path | str) -> bool:
    """Whether the JSON text is signed with the key: as it was received, and with its keys sorted again."""
    return _check("php", "signed", text, public_key_path) == [True, True]


def node_verifies_document(text: str, public_key_path: Path | str) -> bool:
    return _check("node", "signed", text, public_key_path) == [True, True]


# An answer in the profile `sdk` is signed as a document is (D19)
php_verifies_envelope = php_verifies_document
node_verifies_envelope = node_verifies_document


def _check(program: str, what: str, text: str, public_key_path: Path | str) -> Any:
    if not shutil.which(program):
        missing(program, f"{program} is not installed.")
    command = [*COMMANDS[program], what, str(public_key_path)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)
