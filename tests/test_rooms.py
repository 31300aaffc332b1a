"""Arrows only go down: who may import whom inside `licenses`, as the house plan draws it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# room: the rooms of `licenses` it may import from
ROOMS = {
    "codes": set(),
    "signing": set(),
    "roles": set(),
    "license_files": {"signing"},
    "models": {"codes", "models"},
    "audit_chain": {
        "models",
        "signing",
    },  # a room of its own: `events` links what it recorded, services verify and prune it
    "events": {"models", "audit_chain"},
    "reports": {"models"},
    "services": {"codes", "roles", "models", "events", "audit_chain", "signing", "license_files", "services"},
    "api": {"codes", "models", "services", "reports", "signing", "api"},
    "admin": {"codes", "roles", "models", "events", "services", "reports", "admin"},
    "management": {"services", "models", "codes", "roles", "management"},
    "checks": {"models", "services"},
    "apps": {"checks", "services"},
    "migrations": {"models"},
}
OUTSIDE = {"settings_api.resolve"}  # the only thing of the portal outside `licenses` that it may use


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Dotted names this module imports; `from licenses.models import X` counts as licenses.models."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where an arrow goes"
            if node.module in ("licenses", "settings_api"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif node.module:
                yield node.module


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "licenses").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules("licenses"), ids=lambda path: str(path.relative_to(ROOT)))
def test_it_imports_downwards_only(path):
    room = room_of(path)
    if room == "__init__":
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "licenses" and len(parts) > 1:
            assert parts[1] in ROOMS[room] | {room}, f"{room} must not import {name}"
        assert parts[0] not in ("licensing_portal", "tests"), f"{room} must not import {name}"
        if parts[0] == "settings_api":
            assert any(name.startswith(allowed) for allowed in OUTSIDE), f"licenses must not import {name}"


def test_settings_api_knows_nothing_of_licenses():
    for path in modules("settings_api"):
        assert not [name for name in imported(path) if name.split(".")[0] == "licenses"], path


def test_signing_knows_nothing_of_django():
    for name in ("signing.py", "codes.py", "license_files.py"):
        assert not [module for module in imported(ROOT / "licenses" / name) if module.split(".")[0] == "django"]


@pytest.mark.statement("S19")
def test_randomness_comes_from_the_operating_system_alone():
    """S19: no `random`, no `uuid1`, no MD5 where keys are made."""
    for package in ("licenses", "settings_api", "licensing_portal"):
        for path in modules(package):
            assert "random" not in set(imported(path)), path
            text = path.read_text()
            assert "uuid1" not in text and "md5" not in text.lower(), path


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("package", ["licenses", "settings_api", "licensing_portal"])
def test_functions_and_modules_stay_small(package):
    for path in modules(package):
        if "migrations" in path.parts:
            continue
        assert len(path.read_text().splitlines()) <= 310, f"{path} is too long"
        for name, lines in functions(path):
            assert lines <= 35, f"{path}: {name} has {lines} lines"
