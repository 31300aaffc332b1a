"""Where a setting's value comes from, what locks it, and what the start-up says about its variables."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from licenses.models import AuditEvent
from settings_api import parameters, vault
from settings_api.changes import Caller, Forbidden, change_settings
from settings_api.models import Setting
from settings_api.parameters import NUMBER, Parameter
from settings_api.resolve import Source, check_environment, resolve
from tests.settings_door import GREETING, LICENSE_KEY, NEW_VALUES, RETRIES, STRICT, TABLE, new_value, pinned_text

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent
KEY = "STOR-ED00-LICE-NSE1"
OPERATOR = Caller("operator", door="command", may_change=True)


@pytest.fixture(autouse=True)
def table(monkeypatch):
    for parameter in TABLE:
        monkeypatch.delenv(parameter.variable, raising=False)
        monkeypatch.delenv(parameter.file_variable, raising=False)
    monkeypatch.setattr(parameters, "TABLE", TABLE)


@pytest.fixture
def secret_file(tmp_path, monkeypatch):
    """Give a parameter's NAME_FILE a file with this text."""

    def write(parameter, text):
        path = tmp_path / parameter.name
        path.write_text(text)
        monkeypatch.setenv(parameter.file_variable, str(path))
        return path

    return write


def store(**values):
    change_settings(values, caller=OPERATOR, replace=False)


def facts(name):
    now = resolve(name)
    return now.value, now.source, now.locked_by


# Rule 1: environment > NAME_FILE > database > default


@pytest.mark.parametrize("parameter", TABLE, ids=lambda parameter: parameter.name)
def test_each_source_wins_over_the_next_and_gives_way_when_it_goes(parameter, monkeypatch, secret_file):
    new, name = new_value(parameter), parameter.name
    pinned = parameter.kind.parse(pinned_text(parameter))
    assert facts(name) == (parameter.default, Source.DEFAULT, None)
    store(**{name: new})
    assert facts(name) == (new, Source.DATABASE, None)
    before = bytes(Setting.objects.get(name=name).encrypted_value)

    secret_file(parameter, f"{pinned_text(parameter)}\n")
    assert facts(name) == (pinned, Source.FILE, parameter.file_variable)
    monkeypatch.setenv(parameter.variable, str(new))
    assert facts(name) == (new, Source.ENVIRONMENT, parameter.variable)

    monkeypatch.delenv(parameter.variable)
    assert facts(name) == (pinned, Source.FILE, parameter.file_variable)
    monkeypatch.delenv(parameter.file_variable)
    assert facts(name) == (new, Source.DATABASE, None)
    assert bytes(Setting.objects.get(name=name).encrypted_value) == before


@pytest.mark.parametrize("value", ["$HOME", "$abc", "${x}", "a$b", "$$", "secret://x", "{{ x }}", "%(x)s", "'quoted'"])
def test_a_value_is_taken_as_it_is(monkeypatch, value, secret_file):
    monkeypatch.setenv("GREETING", value)
    assert resolve("greeting").value == value
    monkeypatch.delenv("GREETING")
    secret_file(GREETING, value)
    assert resolve("greeting").value == value


def test_the_variables_of_the_env_file_lock_too(monkeypatch, tmp_path):
    (tmp_path / "secrets.env").write_text("LICENSE_KEY=$FROM-THE-FILE-1234\n")
    code = (
        "import django; django.setup(); from settings_api import parameters, resolve; "
        "print(repr(resolve.pinned(parameters.TABLE[0]).value))"
    )
    assert start("-c", code, DATA_DIR=str(tmp_path)).stdout.strip() == "'$FROM-THE-FILE-1234'"


# Rule 6: what is set, what is empty


def test_a_variable_that_is_not_set_locks_nothing():
    assert [resolve(parameter.name).locked_by for parameter in TABLE] == [None] * 4
    assert run_checks(tags=["settings"]) == []


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        *((STRICT, text, False) for text in ("false", "0", "no", "off", "False", " FALSE ")),
        *((STRICT, text, True) for text in ("true", "1", "yes", "on", "TRUE")),
        (RETRIES, "0", 0),
        (RETRIES, " -5 ", -5),
        (RETRIES, "+7", 7),
        (LICENSE_KEY, "0", "0"),
        (LICENSE_KEY, "false", "false"),
    ],
)
def test_false_and_zero_are_values(monkeypatch, parameter, text, value):
    monkeypatch.setenv(parameter.variable, text)
    now = resolve(parameter.name)
    assert (now.value, type(now.value), now.locked_by) == (value, type(value), parameter.variable)


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_variable_locks_a_field_that_may_be_empty(monkeypatch, empty):
    monkeypatch.setenv("GREETING", empty)
    assert facts("greeting") == ("", Source.ENVIRONMENT, "GREETING")
    assert run_checks(tags=["settings"]) == []


@pytest.mark.parametrize("parameter", [LICENSE_KEY, STRICT, RETRIES], ids=lambda parameter: parameter.name)
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_ignored_elsewhere_with_a_warning(monkeypatch, parameter, empty):
    store(**{parameter.name: new_value(parameter)})
    monkeypatch.setenv(parameter.variable, empty)
    assert facts(parameter.name) == (new_value(parameter), Source.DATABASE, None)
    [warning] = run_checks(tags=["settings"])
    assert (warning.id, warning.is_serious()) == ("settings_api.W001", False)
    assert parameter.variable in warning.msg
    assert parameter.variable in resolve(parameter.name).note


def test_an_empty_variable_leaves_the_lock_to_the_file(monkeypatch, secret_file):
    monkeypatch.setenv("LICENSE_KEY", "")
    secret_file(LICENSE_KEY, KEY)
    assert facts("licenseKey") == (KEY, Source.FILE, "LICENSE_KEY_FILE")
    assert [warning.id for warning in run_checks(tags=["settings"])] == ["settings_api.W001"]


@pytest.mark.parametrize("text", ["", "\n", None])
def test_an_empty_file_or_no_name_of_one_is_ignored_with_a_warning(monkeypatch, secret_file, text):
    if text is None:
        monkeypatch.setenv("LICENSE_KEY_FILE", "")
    else:
        secret_file(LICENSE_KEY, text)
    assert facts("licenseKey") == ("", Source.DEFAULT, None)
    assert ["LICENSE_KEY_FILE" in warning.msg for warning in run_checks(tags=["settings"])] == [True]


def test_the_start_up_prints_the_warning():
    ran = start("manage.py", "check", LICENSE_KEY="")
    assert ran.returncode == 0
    assert "settings_api.W001" in ran.stderr
    assert "LICENSE_KEY is set but empty" in ran.stderr


# Rule 7: nonsense stops the boot


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        *((STRICT, text, "true or false") for text in ("maybe", "2", "ja", "0.0")),
        *((RETRIES, text, "a whole number") for text in ("three", "1.5", "0x1", "1_000", "٣", "1" * 10, "1e3")),
        (LICENSE_KEY, "n0nsense" * 40, "at most 255 characters"),
        (LICENSE_KEY, "n0n\nsense", "a text of one line"),
        (LICENSE_KEY, "n0nsense\udcff", "a text of one line"),
    ],
)
def test_nonsense_is_refused_by_name_and_type_without_the_value(monkeypatch, parameter, text, expected):
    monkeypatch.setenv(parameter.variable, text)
    with pytest.raises(ImproperlyConfigured) as refused:
        check_environment()
    assert parameter.variable in str(refused.value)
    assert expected in str(refused.value)
    assert text not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__, "a traceback would show the value"


def test_nonsense_in_a_file_is_refused_too(secret_file):
    secret_file(RETRIES, "thr33")
    with pytest.raises(ImproperlyConfigured, match="RETRIES_FILE must be a whole number") as refused:
        check_environment()
    assert "thr33" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_does_not_open_the_lock(monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    store(licenseKey=KEY)
    monkeypatch.setenv("LICENSE_KEY_FILE", str(tmp_path / "key"))
    for read in (check_environment, lambda: resolve("licenseKey")):
        with pytest.raises(ImproperlyConfigured, match="LICENSE_KEY_FILE must name a file"):
            read()


def test_the_boot_of_a_real_process_stops():
    ran = start("manage.py", "check", LICENSE_KEY="s3cret" * 60)
    assert ran.returncode != 0
    assert "LICENSE_KEY must be a text of one line, at most 255 characters" in ran.stderr
    assert "s3cret" not in ran.stderr + ran.stdout


def start(*arguments, **variables):
    """A real process of the portal with these variables."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "licensing_portal.settings"} | variables
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


# Values at rest


@pytest.mark.statement("S28")
def test_values_are_encrypted_and_bound_to_their_row():
    store(**NEW_VALUES)
    license_key, greeting = (Setting.objects.get(name=name) for name in ("licenseKey", "greeting"))
    assert b"NEW1" not in bytes(license_key.encrypted_value)
    greeting.encrypted_value = license_key.encrypted_value  # what a thief who may write would try: greetings are shown
    greeting.save()
    assert facts("greeting") == ("Hello", Source.DEFAULT, None)
    assert "cannot be decrypted" in resolve("greeting").note


def test_vault_keys_can_be_rotated(settings):
    store(licenseKey=KEY)
    settings.VAULT_KEYS = [Fernet.generate_key().decode(), *settings.VAULT_KEYS]
    assert resolve("licenseKey").value == KEY
    store(licenseKey="REWRITTEN-LICENSE-KEY")
    settings.VAULT_KEYS = settings.VAULT_KEYS[:1]
    assert resolve("licenseKey").value == "REWRITTEN-LICENSE-KEY"


def test_a_value_whose_vault_key_is_lost_is_no_value_and_can_be_entered_again(settings):
    store(licenseKey=KEY)
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    assert facts("licenseKey") == ("", Source.DEFAULT, None)
    assert "VAULT_KEYS" in resolve("licenseKey").note
    store(licenseKey=KEY)
    assert facts("licenseKey") == (KEY, Source.DATABASE, None)


def test_a_stored_value_of_another_type_is_no_value():
    text = Parameter("retries", "Retries", "RETRIES", LICENSE_KEY.kind, "", "It was a text once")
    Setting.objects.create(name="retries", encrypted_value=vault.encrypt(text, "three"))
    assert facts("retries") == (3, Source.DEFAULT, None)


def test_a_value_is_not_in_the_words_of_its_object():
    store(licenseKey=KEY)
    assert KEY not in repr(resolve("licenseKey"))


# The table


def test_names_and_variables_are_unique(monkeypatch):
    monkeypatch.undo()
    rows = parameters.TABLE
    variables = [variable for row in rows for variable in (row.variable, row.file_variable)]
    assert len({row.name for row in rows}) == len(rows)
    assert len(set(variables)) == len(variables)


def test_each_default_is_a_value_of_its_kind(monkeypatch):
    monkeypatch.undo()
    for row in (*parameters.TABLE, *TABLE):
        assert type(row.default) is row.kind.json_type
        assert not (row.may_be_empty and row.kind.json_type is not str), "only a text may be empty"


def test_the_documentation_shows_the_table(monkeypatch):
    monkeypatch.undo()
    assert parameters.as_markdown() in (ROOT / "docs" / "settings-api.md").read_text()


def test_an_unknown_name_is_an_error():
    with pytest.raises(KeyError):
        resolve("nonsense")


# The command, and whoever may not


@pytest.fixture
def set_setting(monkeypatch):
    def run(name, text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        output = io.StringIO()
        call_command("set_setting", name, stdout=output)
        return output.getvalue()

    return run


def test_the_command_sets_a_setting(set_setting):
    assert set_setting("licenseKey", f"{KEY}\n") == "licenseKey is set.\n"
    assert set_setting("strict", "no\n") == "strict is set.\n"
    assert set_setting("retries", "9")
    assert [resolve(name).value for name in ("licenseKey", "strict", "retries")] == [KEY, False, 9]
    event = AuditEvent.objects.filter(kind="setting.changed").last()
    assert (event.door, event.object_label, event.after) == ("command", "licenseKey", {"source": "database"})


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("licenseKey", "", "License Key is required"),
        ("licenseKey", "*" * 16, "looks like a mask"),
        ("licenseKey", "S3CRET" * 50, "at most 255 characters"),
        ("strict", "maybe", "Strict mode must be true or false"),
        ("retries", "many", "Retries must be a whole number"),
    ],
)
def test_the_command_refuses_what_the_api_refuses(set_setting, name, text, reason):
    with pytest.raises(CommandError, match=reason) as refused:
        set_setting(name, text)
    assert refused.value.returncode == 2, "docs/commands.md: nothing was done"
    assert "S3CRET" not in str(refused.value)
    assert not Setting.objects.exists()
    assert AuditEvent.objects.get().kind == "setting.refused"


def test_the_command_does_not_open_a_lock(set_setting, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", KEY)
    with pytest.raises(CommandError, match="cannot be overridden because it is defined by an environment variable"):
        set_setting("licenseKey", "ANOTHER-LICENSE-KEY")
    assert not Setting.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.kind, event.door, event.after) == ("setting.refused", "command", {"source": "environment"})


def test_a_real_process_takes_the_value_from_standard_input_alone():
    ran = start("manage.py", "set_setting", "nonsense")
    assert ran.returncode != 0
    assert "invalid choice: 'nonsense'" in ran.stderr


def test_whoever_may_not_change_changes_nothing():
    with pytest.raises(Forbidden):
        change_settings({"licenseKey": KEY}, caller=Caller("reader", door="admin", may_change=False), replace=False)
    assert not Setting.objects.exists()
    assert AuditEvent.objects.get().kind == "setting.refused"


def test_a_number_of_the_table_has_at_most_nine_digits():
    assert NUMBER.parse("999999999") == 999_999_999
    with pytest.raises(ValueError, match="not a whole number"):
        NUMBER.parse("1000000000")
