"""`make run`: from a fresh checkout to a portal that serves, without a question.

Every step does nothing when it was done before, so a run that was interrupted is completed by the next one.
"""

import fcntl
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import django
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, connections, transaction

from licensing_portal import environment as var

say = partial(print, flush=True)  # seen at once, also through a pipe
BASE_DIR = Path(__file__).resolve().parent.parent
SERVER = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
WORKER = [sys.executable, "-m", "licensing_portal.keep_worker"]
STAFF = "admin"
SECRETS_HEADING = "# Made by `make run`. Keep a copy: without VAULT_KEYS no signing key can be used any more.\n"


def main() -> None:
    try:
        require_free_port()
        with alone_in(private_folder()) as data_dir:
            prepare(data_dir)
            welcome(data_dir)
    except (ImproperlyConfigured, OperationalError, OSError) as problem:
        raise SystemExit(f"The portal cannot start. {problem}") from None
    except KeyboardInterrupt:
        raise SystemExit("\nStopped. The next `make run` goes on from here.") from None
    serve()


def require_free_port() -> None:
    """Find out before anything else, and not in the middle of gunicorn's log."""
    host, port = address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), port), family=family).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise ImproperlyConfigured(
            f"Port {port} of {host} cannot be used: {why}. Give another one: make run PORT={port + 1}"
        ) from error


def address() -> tuple[str, int]:
    """Where the server listens, as deploy/gunicorn.conf.py reads it."""
    var.read_files(BASE_DIR)
    return os.environ.get("BIND", "").strip() or "127.0.0.1", var.integer("PORT", default=8000, low=1, high=65535)


def private_folder() -> Path:
    """DATA_DIR, for its owner alone; and so is every file that this process and the server write."""
    os.umask(0o077)
    data_dir = var.read_files(BASE_DIR)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data_dir


@contextmanager
def alone_in(data_dir: Path) -> Iterator[Path]:
    """Two first runs at the same time: the second waits, and then finds everything done."""
    with (data_dir / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield data_dir


def prepare(data_dir: Path) -> None:
    """Everything that serving needs, and nothing that anybody could see."""
    make_secrets(data_dir)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    collect_static_files(data_dir)
    make_global_signing_key()


def make_secrets(data_dir: Path) -> None:
    """SECRET_KEY, VAULT_KEYS and what a first run is like, made once; none is made that a variable gives already."""
    var.read_files(BASE_DIR)
    made = {"SECRET_KEY": secrets.token_urlsafe(50), "VAULT_KEYS": Fernet.generate_key().decode()}
    if not (data_dir / var.SECRETS_FILE).exists():
        made["SECOND_FACTOR_REQUIRED"] = "nobody"  # so that the first log-in needs nothing but the password
    missing = {name: value for name, value in made.items() if name not in var.env.ENVIRON}
    if missing:
        path = data_dir / var.SECRETS_FILE
        kept = path.read_text() if path.exists() else SECRETS_HEADING
        write_private(path, kept + "".join(f"{name}={value}\n" for name, value in missing.items()))
        var.read_files(BASE_DIR)


def write_private(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, readable by its owner alone."""
    draft = path.with_suffix(".new")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def collect_static_files(data_dir: Path) -> None:
    """Copy and compress the admin's files. That takes seconds, so only when one of them has changed."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders

    paths = sorted(Path(storage.path(name)) for finder in get_finders() for name, storage in finder.list([]))
    state = "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in paths)
    stamp, manifest = data_dir / "staticfiles.txt", settings.STATIC_ROOT / "staticfiles.json"
    if not (manifest.exists() and stamp.exists() and stamp.read_text() == state):
        call_command("collectstatic", interactive=False, verbosity=0)
        write_private(stamp, state)


def make_global_signing_key() -> None:
    from licenses.models import Actor, Door, SigningKey
    from licenses.services.signing_keys import create_signing_key

    if not SigningKey.objects.active_of(None):
        create_signing_key(product=None, actor=Actor(Door.COMMAND, "make run"))


def welcome(data_dir: Path) -> None:
    """Where the portal is, and on the first run how to get in."""
    from django.contrib.auth import get_user_model

    host, port = address()
    url = f"http://{host}:{port}"
    say(f"\nThe portal: {url}/admin/")
    if get_user_model().objects.filter(is_superuser=True).exists():
        say(f"Sign in as before. A new password: {manage(data_dir, 'changepassword', STAFF)}")
        say(f"Another API key: {manage(data_dir, 'create_api_key', 'NAME', '--all')}")
    else:
        first_welcome(url, data_dir)
    say("Ctrl-C stops it.\n")


def manage(data_dir: Path, *arguments: str) -> str:
    """The shell line of a management command on this portal's data."""
    where = [] if data_dir == BASE_DIR / "data" else [f"DATA_DIR={shlex.quote(str(data_dir))}"]
    return " ".join([*where, shown(Path(sys.executable)), "manage.py", *arguments])


def shown(path: Path) -> str:
    """A path as short as it can be written in a shell here."""
    return shlex.quote(str(path.relative_to(BASE_DIR) if path.is_relative_to(BASE_DIR) else path))


@transaction.atomic
def first_welcome(url: str, data_dir: Path) -> None:
    """Make the demonstration catalogue, the first member of staff and an API key, and show their secrets.

    They are shown before the transaction ends: what nobody saw because the run was interrupted is not kept either.
    """
    from django.conf import settings
    from django.contrib.auth import get_user_model

    from licenses.api.urls import ENDPOINTS
    from licenses.models import Actor, Door, SigningKey
    from licenses.services.api_keys import create_api_key
    from licensing_portal import catalogue

    actor = Actor(Door.COMMAND, "make run")
    catalogue.load(actor)
    password = secrets.token_urlsafe(15)
    get_user_model().objects.create_superuser(STAFF, password=password)
    _, text = create_api_key(
        name="First run", capabilities=[row.capability for row in ENDPOINTS if row.capability], actor=actor
    )
    say(f"  user      {STAFF}\n  password  {password}\n  API key   {text}")
    say(f"Keep them: they are shown this once. A new password: {manage(data_dir, 'changepassword', STAFF)}")
    if settings.SECOND_FACTOR_REQUIRED == "nobody":
        say("Signing in takes no second factor yet; before others use the portal, see docs/staff.md.")
    spare = catalogue.spare_license_key()
    signing_key = SigningKey.objects.signing_for(spare.product_id) if spare else None
    if spare and signing_key:
        key_file = data_dir / "public_key.pem"
        key_file.write_text(signing_key.public_key)
        say("\nTry it in another terminal:\n")
        say("\n".join(trial_lines(url, text, spare.license_key, key_file, data_dir / "answer.json")), end="\n\n")


def trial_lines(url: str, api_key: str, license_key: str, key_file: Path, answer: Path) -> list[str]:
    """Three requests and the check of the last answer's signature, ready to paste into bash."""
    given = f"-d api_key={api_key} -d license_key={license_key}"
    curl, saved = rf"curl -sw '\n' {url}/api/v1", shown(answer)
    return [
        f"{curl}/assign-license-key {given} -d owner_name='Ada Ashworth' -d owner_email=ada@example.com",
        f"{curl}/activate {given} -d identifier=shop.example.com",
        f"{curl}/verify {given} -d identifier=shop.example.com | tee {saved}",
        f"openssl dgst -sha256 -verify {shown(key_file)} -signature "
        rf"""<(sed 's/.*"signature":"\([^"]*\)".*/\1/' {saved} | tr -d '\\' | openssl base64 -d -A) """
        rf"""<(sed 's/.*"response_base64":"\([^"]*\)".*/\1/' {saved} | tr -d '\\\n')""",
    ]


def serve() -> NoReturn:
    """Become the server: Ctrl-C and signals reach gunicorn itself."""
    connections.close_all()
    os.chdir(BASE_DIR)
    start_worker()
    os.execv(SERVER[0], SERVER)  # noqa: S606


def start_worker() -> None:
    """Beside the server: the other end of the worker's standard input is the server's, and ends with it."""
    workers_end, servers_end = os.pipe()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops it as soon as it listens; the server has its own way
    subprocess.Popen(WORKER, stdin=workers_end)  # noqa: S603  our own command
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.close(workers_end)
    os.set_inheritable(servers_end, True)


if __name__ == "__main__":
    main()
