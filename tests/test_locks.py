"""The lock files fit pyproject.toml: what is asked for is locked, in a version that was asked for, with hashes."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME, EVERYTHING = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"


def locked(path: Path) -> dict[str, str]:
    """Names and versions; a line without a hash would not install."""
    versions = {}
    for entry in path.read_text().replace("\\\n", "").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", entry.strip())
        name, _, version = requirement.partition(";")[0].strip().partition("==")
        assert hashes, f"{name} has no hash in {path.name}: run `make lock`"
        versions[canonicalize_name(name.partition("[")[0])] = version
    return versions


def check(wanted: list[str], path: Path) -> None:
    versions = locked(path)
    for requirement in map(Requirement, wanted):
        version = versions.get(canonicalize_name(requirement.name), "")
        assert version and requirement.specifier.contains(version), f"{requirement} is not in {path.name}: `make lock`"


def test_what_runs_is_locked():
    check(PROJECT["project"]["dependencies"], RUNTIME)


def test_what_develops_is_locked():
    check(PROJECT["dependency-groups"]["dev"], EVERYTHING)


def test_both_files_lock_the_same_versions():
    everything = locked(EVERYTHING)
    assert {name: everything[name] for name in locked(RUNTIME)} == locked(RUNTIME)


def test_no_file_names_a_registry():
    """Where packages come from is the business of the machine that installs them."""
    for path in (RUNTIME, EVERYTHING, ROOT / "Makefile"):
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", path.read_text())
