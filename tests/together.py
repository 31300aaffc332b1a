"""Which tests go to one process: those of a module that starts something dear once, for all of them.

pytest-xdist's own groups write into the identifiers of tests. Since 9.2 pytest keeps those to itself: they do nothing.
"""

from xdist.scheduler import LoadScopeScheduling

MODULES = {"tests/test_demo.py", "tests/test_openapi.py", "tests/test_quickstart.py"}


class Together(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in MODULES else nodeid
