"""S38: the scan of the suite's logs finds what it shall find, and says so with the exit status of the run."""

import os
import subprocess
import sys

import pytest

from tests.log_scan import find_leaks, note, secrets
from tests.server import ROOT

pytestmark = pytest.mark.statement("S38")

SECRET = "WXYZ-4711-0815-ABCD"


@pytest.mark.parametrize(
    "line",
    [
        f"INFO portal: done with {SECRET}",
        f"INFO portal: GET /x?y={SECRET}&z",
        f'WARNING portal: {{"k": "{SECRET}"}}',
        "INFO portal: lp_1c960de5" + "a1B2" * 8,
        r"ERROR portal: -----BEGIN PRIVATE KEY-----\nMIIE",
    ],
)
def test_it_finds_a_secret(line):
    assert list(find_leaks([line + "\n"], {SECRET})) == [line]


@pytest.mark.parametrize("line", ["license_key=***", "lp_1c960de5…", "-----BEGIN PRIVATE KEY-----***", SECRET[:-1]])
def test_it_finds_no_other_line(line):
    assert list(find_leaks([line], {SECRET})) == []


def test_a_short_text_is_no_secret():
    note("unknown")
    note(None)
    assert "unknown" not in secrets


RUN = f'''
import logging
from licenses.models import LicenseKey

def test_that_passes():
    key = LicenseKey(license_key="{SECRET}")
    logging.getLogger("portal").warning("license_key=%s", key.license_key)
    logging.getLogger("portal").warning("done with %s", key.license_key)
'''


def test_a_run_that_logs_a_secret_fails(tmp_path):
    """With the whole of the plugin, in a process of its own: every test passes, and the run does not."""
    program = tmp_path / "test_run.py"
    program.write_text(RUN)
    options = [
        "-q",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(ROOT),
    ]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(program)],
        cwd=ROOT,
        env=variables | {"TEST_WORK_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 1
    _, _, shown = run.stdout.partition("the logs hold secrets")
    assert shown.count(SECRET) == 1, "only the line that was not scrubbed"
