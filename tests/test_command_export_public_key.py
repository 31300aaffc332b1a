"""export_public_key: a PEM on standard output that `openssl` verifies answers with."""

import base64
import json
import subprocess

import pytest

from licenses.models import SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.commands import run
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db


def test_it_prints_the_active_global_key(global_key):
    assert run("export_public_key") == (0, global_key.public_key, "")


def test_it_prints_a_product_s_own_key(global_key):
    product = ProductFactory(name="Photo Editor")
    create_signing_key(product=product, actor=ACTOR)
    own = create_signing_key(product=product, actor=ACTOR)
    assert SigningKey.objects.count() == 3
    assert run("export_public_key", "--product", "Photo Editor").out == own.public_key
    assert run("export_public_key").out == global_key.public_key


def test_it_prints_the_global_key_for_a_product_without_one_and_says_so(global_key):
    ProductFactory(name="Photo Editor")
    ran = run("export_public_key", "--product", "Photo Editor")
    assert (ran.code, ran.out) == (0, global_key.public_key)
    assert "Photo Editor has no signing key of its own" in ran.err


def test_openssl_verifies_an_answer_with_it(portal, client, tmp_path):
    product = ProductFactory()
    create_signing_key(product=product, actor=ACTOR)
    key = LicenseKeyFactory(product=product)
    portal("verify", license_key=key.license_key, identifier="host")
    assert portal.label == "product"
    (tmp_path / "public.pem").write_text(run("export_public_key", "--product", product.pk).out)
    (tmp_path / "text").write_text(portal.envelope["response_base64"])
    (tmp_path / "signature").write_bytes(base64.b64decode(portal.envelope["signature"]))
    command = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "text"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "Verified OK\n"
    assert json.loads(base64.b64decode(portal.envelope["response_base64"]))["code"] == 201


def test_it_says_what_to_do_where_there_is_no_key():
    ran = run("export_public_key")
    assert (ran.code, ran.out) == (2, "")
    assert "run `manage.py create_signing_key`" in ran.err
    assert run("export_public_key", "--product", "Nothing").code == 2
