"""Variables: nonsense stops the boot by name and without its value; files can hold them; what is set wins."""

import ast
import base64
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from licensing_portal import environment as var
from licensing_portal.checks import check_transport

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "licensing_portal" / "settings.py"
ANY_TEXT = {"secret", "text", "words", "hosts"}  # readers for which `Zaphod` is no nonsense
REQUIRED = ("secret", "secret_key", "fernet_keys")
GOOD_KEY = "q-T0iCbRFuptsIhEdRFoZMht3x5W0v0tKAumK31wzno="
GOOD = "-w3Kd8_fJq1Zr6Tn0Xb5Lm9Pv2Ys7Hc4Ga-QeUiOoWjRtNzBxDkMlS"


def variables_read_by_settings() -> dict[str, str]:
    """The name of each variable and the reader that settings.py reads it with."""
    calls = [node for node in ast.walk(ast.parse(SETTINGS.read_text())) if isinstance(node, ast.Call)]
    return {
        call.args[0].value: call.func.attr
        for call in calls
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "var" and call.args
        if isinstance(call.args[0], ast.Constant)
    }


VARIABLES = variables_read_by_settings()


@pytest.fixture
def settings_with(monkeypatch):
    """Load settings.py afresh with these variables; returns its names."""

    def load(**variables):
        var.env.ENVIRON.files_cache.clear()
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(SETTINGS))

    yield load
    var.env.ENVIRON.files_cache.clear()


def test_the_walk_below_sees_the_variables():
    assert {"SECRET_KEY", "DATABASE_URL", "DEBUG", "TRUSTED_PROXY_COUNT", "LOG_LEVEL", "CACHE_URL"} <= set(VARIABLES)


@pytest.mark.parametrize("name", [name for name, reader in VARIABLES.items() if reader not in ANY_TEXT])
def test_nonsense_stops_the_boot_by_name(settings_with, name):
    with pytest.raises(ImproperlyConfigured) as stopped:
        settings_with(**{name: "Zaphod"})
    assert name in str(stopped.value)
    assert "Zaphod" not in str(stopped.value)
    assert stopped.value.__suppress_context__ or "Zaphod" not in str(stopped.value.__context__)


@pytest.mark.parametrize("name", [name for name, reader in VARIABLES.items() if reader in REQUIRED])
def test_a_missing_secret_stops_the_boot_by_name(settings_with, name):
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: ""})


@pytest.mark.parametrize("name", [name for name, reader in VARIABLES.items() if reader not in REQUIRED])
def test_a_variable_that_is_set_but_empty_is_not_set(settings_with, name):
    settings_with(**{name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUSTED_PROXY_COUNT", "-1"),
        ("TRUSTED_PROXY_COUNT", "11"),
        ("TRUSTED_PROXY_COUNT", "1.5"),
        ("SESSION_HOURS", "0"),
        ("SIGNING_KEY_BITS", "1024"),
        ("SIGNING_KEY_BITS", "2500"),
        ("DEBUG", "maybe"),
        ("DATABASE_URL", "mysql://portal:Zaphod@db/portal"),
        ("DATABASE_URL", "postgres://portal:Zaphod@db:port/portal"),
        ("CACHE_URL", "memcached://cache"),
        ("VAULT_KEYS", "A" * 43 + "=,Zaphod"),
    ],
)
def test_it_is_strict(settings_with, name, value):
    with pytest.raises(ImproperlyConfigured, match=name) as stopped:
        settings_with(**{name: value})
    assert "Zaphod" not in str(stopped.value)


OIDC = {
    "OIDC_SERVER_URL": "https://id.example.com/realms/staff/",
    "OIDC_CLIENT_ID": "portal",
    "OIDC_CLIENT_SECRET": "Zaphod",
    "OIDC_STAFF_GROUP": "portal-staff",
}


def test_openid_connect_is_there_with_its_four_variables(settings_with):
    found = settings_with(**OIDC)
    assert found["OIDC"].server_url == "https://id.example.com/realms/staff"
    assert found["SOCIALACCOUNT_PROVIDERS"]["openid_connect"]["APPS"][0]["provider_id"] == "id.example.com"


@pytest.mark.parametrize("name", OIDC)
def test_half_of_openid_connect_stops_the_boot(settings_with, name):
    with pytest.raises(ImproperlyConfigured, match=f"Set {name} too") as stopped:
        settings_with(**OIDC | {name: ""})
    assert "Zaphod" not in str(stopped.value)


def test_openid_connect_is_not_asked_in_clear_text(settings_with):
    with pytest.raises(ImproperlyConfigured, match="OIDC_SERVER_URL must be an https:// address"):
        settings_with(**OIDC | {"OIDC_SERVER_URL": "http://id.example.com"})


def test_cookies_behind_https_are_this_host_s_alone(settings_with):
    found = settings_with(HTTPS="true", SESSION_HOURS="1")
    assert (found["SESSION_COOKIE_NAME"], found["CSRF_COOKIE_NAME"]) == ("__Host-sessionid", "__Host-csrftoken")
    assert (found["SESSION_COOKIE_SECURE"], found["SESSION_COOKIE_AGE"]) == (True, 3600)


def test_a_real_boot_stops_and_shows_no_value():
    variables = os.environ | {"TRUSTED_PROXY_COUNT": "Zaphod"}
    run = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr == "The environment variable TRUSTED_PROXY_COUNT must be a whole number from 0 to 10.\n"


def test_a_python_without_the_packages_names_the_one_that_has_them():
    run = subprocess.run(
        [sys.executable, "-S", "manage.py", "check"], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert ".venv/bin/python manage.py" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_missing_secret_names_the_folder_that_may_hold_it():
    with pytest.raises(ImproperlyConfigured, match="NO_SUCH_SECRET, or DATA_DIR"):
        var.secret("NO_SUCH_SECRET")


def test_words_for_true_and_false(settings_with):
    for value, expected in {"true": True, "Yes": True, "ON": True, "1": True, "false": False, "0": False}.items():
        assert settings_with(DEBUG=value, ALLOWED_HOSTS="localhost")["DEBUG"] is expected


def test_a_secret_may_begin_with_a_dollar_sign(settings_with):
    assert settings_with(SECRET_KEY=f"${GOOD}")["SECRET_KEY"] == f"${GOOD}"


def test_a_file_can_hold_a_variable(settings_with, tmp_path):
    (tmp_path / "secret").write_text(f"{GOOD}\n")
    assert settings_with(SECRET_KEY_FILE=str(tmp_path / "secret"))["SECRET_KEY"] == GOOD


def test_the_newest_vault_key_comes_first(settings_with):
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    assert settings_with(VAULT_KEYS=f"{keys[0]}, {keys[1]}")["VAULT_KEYS"] == keys


def test_postgresql_keeps_its_connections(settings_with):
    database = settings_with(DATABASE_URL="postgres://portal:p%40ss@db:6432/portal")["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["PASSWORD"]) == ("db", 6432, "p@ss")
    assert database["CONN_MAX_AGE"] == 60
    assert database["CONN_HEALTH_CHECKS"] is True


def test_sqlite_is_safe_for_several_processes(settings_with):
    options = settings_with(DATABASE_URL="sqlite:////srv/portal.sqlite3")["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert options["timeout"] >= 5


@pytest.mark.parametrize("folder", ["my data", "50% off", "a#b", "a?b", "a+b", "ünï"])
def test_a_data_folder_may_have_any_name(settings_with, tmp_path, folder):
    loaded = settings_with(DATA_DIR=str(tmp_path / folder), DATABASE_URL="")
    assert loaded["DATABASES"]["default"]["NAME"] == str(tmp_path / folder / "portal.sqlite3")


def test_a_relative_data_folder_counts_from_the_checkout(settings_with):
    assert settings_with(DATA_DIR="./elsewhere")["DATA_DIR"] == ROOT / "elsewhere"


def test_what_is_set_wins_over_the_files(monkeypatch, tmp_path):
    """Set in the shell > .env > what `make run` made."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / var.SECRETS_FILE).write_text("FIRST=made\nSECOND=made\nTHIRD=made\n")
    (tmp_path / ".env").write_text("FIRST=written\nSECOND=written\n")
    for name in ("DATA_DIR", "SECOND", "THIRD"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("FIRST", "set")
    assert var.read_files(tmp_path) == tmp_path / "data"
    assert [os.environ[name] for name in ("FIRST", "SECOND", "THIRD")] == ["set", "written", "made"]


def test_every_variable_is_in_the_example_file():
    example = (ROOT / ".env.example").read_text()
    for name in VARIABLES:
        assert f"{name}=" in example, f".env.example does not say {name}"


# What is no nonsense, and dangerous (S41)

ZEROS = "A" * 43 + "="
DANGERS = [
    ({"SECRET_KEY": "short"}, "SECRET_KEY"),
    ({"SECRET_KEY": GOOD[:49]}, "SECRET_KEY"),
    ({"SECRET_KEY": "abc" * 30}, "SECRET_KEY"),
    ({"SECRET_KEY": f"django-insecure-{GOOD}"}, "SECRET_KEY"),
    ({"SECRET_KEY": f"change-me-{GOOD}"}, "SECRET_KEY"),
    ({"SECRET_KEY_FALLBACKS": f"{GOOD},short"}, "SECRET_KEY_FALLBACKS"),
    ({"VAULT_KEYS": ZEROS}, "VAULT_KEYS"),
    ({"VAULT_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode()}, "VAULT_KEYS"),
    ({"VAULT_KEYS": base64.urlsafe_b64encode(b"password" * 4).decode()}, "VAULT_KEYS"),
    ({"VAULT_KEYS": f"{GOOD_KEY},{ZEROS}"}, "VAULT_KEYS"),
    ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "licenses.example.com,*.example.com"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "."}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ".com"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "https://licenses.example.com"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "licenses.example.com:443"}, "ALLOWED_HOSTS"),
    ({"DEBUG": "true", "ALLOWED_HOSTS": "licenses.example.com"}, "DEBUG"),
    ({"DEBUG": "true", "ALLOWED_HOSTS": "localhost,10.0.0.7"}, "DEBUG"),
    ({"DEBUG": "true", "ALLOWED_HOSTS": "localhost", "BIND": "0.0.0.0"}, "DEBUG"),
    ({"OUTGOING_ALLOWED_NETWORKS": "10.0.0.0/8,0.0.0.0/0"}, "OUTGOING_ALLOWED_NETWORKS"),
    ({"OUTGOING_ALLOWED_NETWORKS": "::/0"}, "OUTGOING_ALLOWED_NETWORKS"),
    ({"CSRF_TRUSTED_ORIGINS": "https://*.example.com"}, "CSRF_TRUSTED_ORIGINS"),
    ({"CSRF_TRUSTED_ORIGINS": "licenses.example.com"}, "CSRF_TRUSTED_ORIGINS"),
    ({"CSRF_TRUSTED_ORIGINS": "https://licenses.example.com/"}, "CSRF_TRUSTED_ORIGINS"),
]


@pytest.mark.statement("S41")
@pytest.mark.parametrize(("variables", "name"), DANGERS, ids=str)
def test_a_dangerous_value_stops_the_boot_by_name_and_is_not_shown(settings_with, variables, name):
    with pytest.raises(ImproperlyConfigured) as stopped:
        settings_with(**variables)
    text = str(stopped.value)
    assert f"The environment variable {name} " in text
    assert name not in ("SECRET_KEY", "VAULT_KEYS") or variables[name] not in text


@pytest.mark.statement("S41")
def test_what_is_not_dangerous_boots(settings_with):
    loaded = settings_with(
        SECRET_KEY=GOOD,
        SECRET_KEY_FALLBACKS=f"{GOOD}1,{GOOD}2",
        VAULT_KEYS=Fernet.generate_key().decode(),
        ALLOWED_HOSTS="licenses.example.com,.example.net,portal,10.0.0.7,[2001:db8::7]",
        CSRF_TRUSTED_ORIGINS="https://licenses.example.com,http://portal:8000,https://[2001:db8::7]:8443",
    )
    assert (loaded["DEBUG"], len(loaded["ALLOWED_HOSTS"]), len(loaded["CSRF_TRUSTED_ORIGINS"])) == (False, 5, 3)
    assert len(loaded["SECRET_KEY_FALLBACKS"]) == 2
    here = settings_with(DEBUG="true", ALLOWED_HOSTS="localhost,.localhost,app.localhost,127.0.0.2,[::1]")
    assert here["DEBUG"] is True


PRODUCTION = {
    "SECRET_KEY": GOOD,
    "ALLOWED_HOSTS": "licenses.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://licenses.example.com",
    "HTTPS": "true",
    "TRUSTED_PROXY_COUNT": "1",
}


def manage(*arguments, **variables):
    """A command as an operator runs it, without what only the suite needs."""
    variables = os.environ | variables
    del variables["DJANGO_ALLOW_ASYNC_UNSAFE"]
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.statement("S41")
def test_check_deploy_is_clean_in_production():
    run = manage("check", "--deploy", "--fail-level", "DEBUG", **PRODUCTION)
    assert (run.returncode, run.stderr) == (0, "")
    without = manage("check", "--deploy", **PRODUCTION | {"HTTPS": "false"})
    assert {"security.W004", "security.W008", "licensing_portal.W001"} <= set(re.findall(r"\((\S+)\)", without.stderr))


@pytest.mark.parametrize(
    ("hosts", "https", "warned"),
    [
        (["licenses.example.com"], False, True),
        (["localhost", "93.184.215.14"], False, True),
        ([".example.com"], False, True),
        (["licenses.example.com"], True, False),
        (["localhost", "127.0.0.1", "[::1]", "10.0.0.7", "portal", "portal.internal", "portal.local"], False, False),
    ],
)
def test_a_public_name_without_https_is_warned_of(settings, hosts, https, warned):
    settings.ALLOWED_HOSTS, settings.HTTPS = hosts, https
    assert [message.id for message in check_transport()] == ["licensing_portal.W001"] * warned
