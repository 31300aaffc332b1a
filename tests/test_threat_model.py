"""docs/threat-model.md names every statement of the bar, and tests that are there and prove it."""

import re
from pathlib import Path

import pytest

from tests.bar import BAR

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = {line.split("|")[1].strip(): line for line in TEXT.splitlines() if re.match(r"\| [SR]\d+ \|", line)}


@pytest.mark.parametrize("name", BAR)
def test_it_has_a_row_for_every_statement_or_says_that_it_is_open(name):
    if name in ROWS:
        assert "tests/" in ROWS[name]
    else:
        assert BAR[name].open
        assert re.search(rf"\b{name}\b", TEXT.partition("have no test yet")[0].splitlines()[-1])


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=list(ROWS))
def test_the_tests_of_a_row_prove_it(name, row):
    for path in re.findall(r"`(tests/[\w/]+\.py)`", row):
        assert f'"{name}"' in (ROOT / path).read_text(), f"{path} has no test that is marked with {name}"
