"""No command without a test file, a help text and an example."""

from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

TESTS = Path(__file__).resolve().parent
COMMANDS = sorted(path.stem for path in (TESTS.parent / "licenses/management/commands").glob("[!_]*.py"))


def test_there_are_commands():
    assert {"assign_license_keys", "import_license_keys", "create_api_key"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_test_file(name):
    path = TESTS / f"test_command_{name}.py"
    assert path.exists(), f"write {path.name}"
    assert f'"{name}"' in path.read_text(), f"{path.name} never runs the command"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(name):
    text = load_command_class(get_commands()[name], name).create_parser("manage.py", name).format_help()
    assert len(text.split("examples:")[0]) > 200
    assert f"manage.py {name}" in text.split("examples:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_documentation_tells_of_each_command(name):
    assert f"## {name}" in (TESTS.parent / "docs/commands.md").read_text()
