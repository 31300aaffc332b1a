"""The README does what it says: its snippets verify real answers, and its table has every variable."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from tests.machine import missing

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTED = json.loads((ROOT / "tests" / "documented_envelopes.json").read_text())
PUBLIC_KEY = DOCUMENTED["public_key_pem"]
ENVELOPES = [row["envelope"] for row in DOCUMENTED["envelopes"]]
FORGED = ENVELOPES[0] | {"response_base64": ENVELOPES[1]["response_base64"]}


def snippet(language: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(block for block in blocks if "verified" in block)


def test_the_python_snippet_verifies():
    names: dict = {}
    exec(snippet("python"), names)
    for envelope in ENVELOPES:
        assert names["verified"](envelope, PUBLIC_KEY.encode()) == envelope["response"]
    with pytest.raises(InvalidSignature):
        names["verified"](FORGED, PUBLIC_KEY.encode())


def run(command: list[str], program: str, folder: Path, name: str) -> str:
    (folder / name).write_text(program)
    (folder / "envelopes.json").write_text(json.dumps({"good": ENVELOPES, "bad": FORGED, "key": PUBLIC_KEY}))
    if not shutil.which(command[0]):
        missing(command[0], f"{command[0]} is not installed.")
    done = subprocess.run([*command, name], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_the_javascript_snippet_verifies(tmp_path):
    program = (
        snippet("javascript")
        + """
import { readFileSync } from "node:fs";
const { good, bad, key } = JSON.parse(readFileSync("envelopes.json"));
console.log(good.map((envelope) => verified(envelope, key).code).join());
try { verified(bad, key); console.log("accepted"); } catch { console.log("refused"); }
"""
    )
    codes = ",".join(str(envelope["response"]["code"]) for envelope in ENVELOPES)
    assert run(["node"], program, tmp_path, "check.mjs") == f"{codes}\nrefused"


def test_the_php_snippet_verifies(tmp_path):
    program = (
        "<?php\n"
        + snippet("php")
        + """
$all = json_decode(file_get_contents('envelopes.json'), true);
echo implode(',', array_map(fn ($envelope) => verified($envelope, $all['key'])['code'], $all['good'])), "\\n";
try { verified($all['bad'], $all['key']); echo 'accepted'; } catch (RuntimeException) { echo 'refused'; }
"""
    )
    codes = ",".join(str(envelope["response"]["code"]) for envelope in ENVELOPES)
    assert run(["php"], program, tmp_path, "check.php") == f"{codes}\nrefused"


READS = re.compile(r"""\b(?:var\.\w+\(\s*|integer\(|ENVIRON\.get\(|os\.environ\.get\(|variable=)["']([A-Z_]+)["']""")
READERS = ("licensing_portal/settings.py", "licensing_portal/quickstart.py", "settings_api/*.py", "deploy/*.py")


def test_the_table_has_every_variable_that_is_read_and_no_other():
    table = README[README.index("<!-- variables -->") : README.index("<!-- /variables -->")]
    documented = set(re.findall(r"`([A-Z_]+)`", " ".join(line.split(" | ")[0] for line in table.splitlines())))
    sources = [path.read_text() for pattern in READERS for path in ROOT.glob(pattern)]
    read = {name for source in sources for name in READS.findall(source)} | {"DATA_DIR"}
    assert read == documented


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link):
    assert (ROOT / link).exists()
