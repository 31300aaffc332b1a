"""The fuzzer, for a short while; `python -m tests.fuzz` goes on for longer (CONTRIBUTING.md)."""

import pytest

from tests import fuzz

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.server,
    pytest.mark.once,
    pytest.mark.statement("S29"),
]
REQUESTS = 500  # python -m tests.fuzz makes as many as anybody likes


def test_no_generated_request_finds_a_crash_an_unsealed_answer_or_a_traceback():
    found = fuzz.run(seed=1, requests=REQUESTS)
    assert found.problems == []
    assert found.count == REQUESTS
    assert len(found.codes) > 150, "it gets past validation, into most answers of most endpoints"
