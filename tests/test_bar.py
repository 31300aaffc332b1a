"""The table that `make test` prints: what it says of passed, failed, skipped, open and forgotten statements."""

import pytest

from tests.bar import BAR, Statement
from tests.proofs import Proof, hold, make_rows, read_proofs, show, summary

pytestmark = pytest.mark.once

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.races.test_races" name="a">
  <properties><property name="statement" value="S1"/></properties></testcase>
<testcase classname="tests.test_x" name="b"><properties><property name="statement" value="S2"/>
  <property name="statement" value="S4"/></properties><failure message="no">…</failure></testcase>
<testcase classname="tests.test_x" name="c"><properties><property name="statement" value="S5"/></properties>
  <skipped message="no browser">…</skipped></testcase>
<testcase classname="tests.test_x" name="d"/>
</testsuite></testsuites>"""
SMALL = {"S1": Statement("one"), "S2": Statement("two", "its other half")}


def verdicts(*proofs, whole=True):
    return {row.name: row.verdict for row in make_rows(proofs, whole=whole, bar=SMALL)}


def test_it_reads_what_a_run_proved(tmp_path):
    (tmp_path / "junit.xml").write_text(JUNIT)
    assert list(read_proofs(tmp_path / "junit.xml", "SQLite")) == [
        Proof("S1", "races/test_races", "SQLite", "passed"),
        Proof("S2", "test_x", "SQLite", "failed"),
        Proof("S4", "test_x", "SQLite", "failed"),
        Proof("S5", "test_x", "SQLite", "skipped"),
    ]


def test_a_statement_is_as_good_as_its_worst_test():
    one = Proof("S1", "a", "SQLite", "passed")
    assert verdicts(one, one._replace(outcome="failed"))["S1"] == "FAILED"
    assert verdicts(one, one._replace(outcome="skipped"))["S1"] == "passed"
    assert verdicts(one._replace(outcome="skipped"))["S1"] == "skipped"
    assert verdicts(one._replace(statement="S2"))["S2"] == "in part"


def test_what_has_no_test_is_open_and_what_nobody_called_open_fails():
    assert verdicts() == {"S1": "NO TEST", "S2": "open"}
    assert not hold(make_rows([], whole=True, bar=SMALL))
    assert verdicts(whole=False) == {"S1": "not run", "S2": "not run"}
    assert hold(make_rows([], whole=False, bar=SMALL))


def test_it_shows_where_a_statement_is_proved_and_what_is_open():
    proofs = [Proof("S2", "test_x", "PostgreSQL", "passed")] * 2 + [Proof("S2", "test_y", "SQLite", "skipped")]
    rows = make_rows(proofs, whole=True, bar=SMALL)
    assert show(rows, SMALL).splitlines() == [
        "  S1   NO TEST  one",
        "  S2   in part  two",
        "                PostgreSQL 2 passed, SQLite 1 skipped: test_x, test_y",
        "                open: its other half",
    ]
    assert summary(rows) == "1 NO TEST, 1 in part"


def test_every_statement_is_a_line_and_every_number_is_once():
    assert len(BAR) == 41
    assert all(statement.text and "\n" not in statement.text for statement in BAR.values())
