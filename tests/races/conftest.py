from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.races.callers import Callers
from tests.server import Server, running_portal


@pytest.fixture(scope="package")
def _kept(django_db_setup) -> Iterator[tuple[ExitStack, list[Server]]]:
    """What is started for the first race that needs it, and stopped after the last."""
    with ExitStack() as stack:
        yield stack, []


@pytest.fixture
def server(global_key, _kept) -> Server:
    """A portal of four processes: the races share it, as starting it takes longer than a race."""
    stack, running = _kept
    if not running:
        running.append(stack.enter_context(running_portal(workers=4, threads=4)))
    return running[0]


@pytest.fixture(scope="package")
def _callers(django_db_setup, django_db_blocker) -> Iterator[Callers]:
    with django_db_blocker.unblock():
        callers = Callers()
    yield callers
    callers.close()


@pytest.fixture
def callers(transactional_db, _callers) -> Callers:
    return _callers
