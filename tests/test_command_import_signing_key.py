"""import_signing_key: a PEM file, its passphrase, and not a word of either anywhere else."""

import io
import os
import pty
import subprocess
import sys

import pytest

from licenses import signing
from licenses.models import SigningKey
from tests.commands import run
from tests.environment import WORK_DIR
from tests.factories import ProductFactory
from tests.server import ROOT
from tests.test_signing_key_import import PASSPHRASE, pem_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def private_key():
    return signing.generate_private_key()


@pytest.fixture
def file(tmp_path, private_key):
    path = tmp_path / "vendor.pem"
    path.write_bytes(pem_of(private_key))
    return path


def test_it_imports_the_global_key_or_that_of_a_product(file, private_key):
    product = ProductFactory(name="Photo Editor")
    ran = run("import_signing_key", file, "--product", "Photo Editor")
    imported = SigningKey.objects.get()
    assert ran.code == 0
    assert ran.out == (
        f"Active signing key for the product Photo Editor: 2048 bits, fingerprint {imported.fingerprint}.\n"
    )
    assert "delete it" in ran.err
    assert (imported.product, imported.public_key) == (product, signing.public_pem(private_key))


@pytest.mark.parametrize("status", ["upcoming", "retired"])
def test_it_may_be_published_alone(global_key, tmp_path, status):
    path = tmp_path / "vendor.pem"
    path.write_bytes(pem_of(signing.generate_private_key()))
    assert run("import_signing_key", path, f"--{status}").code == 0
    assert SigningKey.objects.get(status=status).bits == 2048
    assert SigningKey.objects.active_of(None) == global_key


def test_it_reads_standard_input_and_a_file_of_the_passphrase(private_key, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(pem_of(private_key, passphrase=PASSPHRASE))))
    (tmp_path / "passphrase").write_text(f"{PASSPHRASE}\r\nanother line\n")
    assert run("import_signing_key", "-", "--passphrase-file", tmp_path / "passphrase").code == 0


def test_it_says_what_it_cannot_use_without_quoting_it(file, private_key, tmp_path):
    encrypted, latin = tmp_path / "encrypted.pem", tmp_path / "latin"
    encrypted.write_bytes(pem_of(private_key, passphrase=PASSPHRASE))
    latin.write_bytes("bätterie".encode("latin-1"))
    (tmp_path / "wrong").write_text("a wrong passphrase")
    for arguments, words in (
        ([tmp_path / "nothing"], "No such file"),
        ([tmp_path], "Is a directory"),
        ([encrypted], "The private key is encrypted: its passphrase is needed."),
        ([encrypted, "--passphrase-file", tmp_path / "wrong"], "The passphrase is wrong"),
        ([encrypted, "--passphrase-file", tmp_path / "nothing"], "No such file"),
        ([encrypted, "--passphrase-file", latin], "not UTF-8"),
        ([file, "--product", "Nothing"], "There is no product"),
        ([latin], "This is no PEM"),
    ):
        ran = run("import_signing_key", *arguments)
        assert ran.code == 2
        assert words in ran.err
        for secret in (pem_of(private_key).decode()[30:90], PASSPHRASE, "a wrong passphrase"):
            assert secret not in ran.out + ran.err
    assert not SigningKey.objects.exists()


def test_it_asks_for_the_passphrase_on_a_terminal_and_does_not_show_it(private_key):
    """A process on a pseudo-terminal of its own; the passphrase is wrong, so that no database is needed."""
    path = WORK_DIR / "asked.pem"
    path.write_bytes(pem_of(private_key, passphrase=PASSPHRASE))
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "import_signing_key", path, "--skip-checks"],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
        env=os.environ,
    )
    os.close(slave)
    shown = b""
    while b"Passphrase: " not in shown:
        shown += os.read(master, 1024)
    os.write(master, b"open sesame\n")
    assert process.wait(timeout=60) == 2
    shown += os.read(master, 65536)
    assert b"The passphrase is wrong" in shown
    assert b"open sesame" not in shown
    os.close(master)
    path.unlink()
