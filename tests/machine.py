"""What a machine may lack. CI sets REQUIRE_BROWSER, REQUIRE_POSTGRES and REQUIRE_REDIS: there nothing is skipped."""

import os
from typing import NoReturn

import pytest


def missing(what: str, reason: str) -> NoReturn:
    """Skip the test because this machine has no `what` ("browser", "postgres", "redis"), or fail it where it must."""
    if os.environ.get(f"REQUIRE_{what.upper()}"):
        pytest.fail(f"{reason} REQUIRE_{what.upper()} says that it has to be here.")
    pytest.skip(reason)
