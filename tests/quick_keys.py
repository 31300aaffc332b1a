"""Key pairs for test files that need one in each of hundreds of tests: making them is what takes time."""

import itertools

import pytest

from licenses import signing

_keys: list = []


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """Each test takes the same few key pairs: making them is what takes time."""
    numbers, make = itertools.count(), signing.generate_private_key

    def generate(bits=2048):
        number = next(numbers)
        if number == len(_keys):
            _keys.append(make(bits))
        return _keys[number]

    monkeypatch.setattr(signing, "generate_private_key", generate)
