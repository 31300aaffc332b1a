"""`make demo`: it plays what is documented, and it notices what is not as documented."""

import copy
import json
import os
import subprocess
import sys

import pytest

from licenses import signing
from licenses.services.outgoing import Response
from licensing_portal import demo
from tests.checkout import copy_checkout

EXAMPLES = json.loads(demo.EXAMPLES.read_text())["examples"]
DETAILS = next(example for example in EXAMPLES if example["response"]["code"] == 500)


@pytest.fixture(scope="module")
def private_key():
    return signing.generate_private_key()


@pytest.fixture
def problems(private_key, tmp_path):
    """What is wrong with an answer to the documented request for details, after `change` was made to it."""

    def find(change, *, sealed_after=True, status=200, label="product"):
        (tmp_path / "product-1.pem").write_text(signing.public_pem(private_key))
        (tmp_path / "global-2.pem").write_text(signing.public_pem(signing.generate_private_key()))
        response = copy.deepcopy(DETAILS["response"])
        if sealed_after:
            change(response)
        envelope = signing.seal(response, private_key=private_key, label=label)
        if not sealed_after:
            change(envelope)
        return list(demo.find_problems(DETAILS, Response(status, json.dumps(envelope).encode()), tmp_path))

    return find


def test_the_documented_answer_has_no_problem(problems):
    assert problems(lambda response: None) == []
    assert problems(lambda response: response.update(timestamp=1_900_000_000)) == []
    assert problems(lambda response: response["licenseKey"].update(id=7, assigned_at="2026-01-31 23:59:59")) == []


def reorder(response):
    response["message"] = response.pop("message")


@pytest.mark.parametrize(
    "change",
    [
        lambda response: response.update(code="500"),
        lambda response: response.update(message="active license key found"),
        lambda response: response.update(extra=1),
        lambda response: response.pop("product"),
        lambda response: response.update(timestamp="1900000000"),
        lambda response: response.update(timestamp=1_900_000_000_000),
        lambda response: response["licenseKey"].update(expires_at=None),
        lambda response: response["licenseKey"].update(activation_limit=False),
        lambda response: response["licenseKey"].update(assigned_at="2026-01-31T23:59:59Z"),
        lambda response: response["licenseKey"]["meta_data"].pop(),
        lambda response: response["licenseKey"]["meta_data"].reverse(),
        reorder,
    ],
)
def test_it_notices_any_difference(problems, change):
    assert len(problems(change)) >= 1


def test_it_notices_a_wrong_envelope(problems):
    assert problems(lambda envelope: None, status=201)
    assert problems(lambda envelope: None, label="global")
    assert problems(lambda envelope: envelope.update(more=1), sealed_after=False)
    assert problems(lambda envelope: envelope["response"].update(timestamp=1_900_000_001), sealed_after=False)


def test_openssl_refuses_a_wrong_signature(problems):
    def spoil(envelope):
        envelope["signature"] = "A" + envelope["signature"][1:]

    assert problems(spoil, sealed_after=False) == ["openssl does not verify the signature with a product key"]


def test_the_examples_have_every_code_of_these_endpoints():
    codes = {str(example["response"]["code"]) for example in EXAMPLES}
    gate = "100 101 102 103 200 201 202 203 204 205 210 215"
    assert codes >= set(f"{gate} 250 251 252 300 301 302 350 351 352 353 400 401 450 451 452 453 500 800 801".split())


@pytest.mark.server
def test_it_fails_when_one_answer_is_wrong(tmp_path):
    """The whole play, with one documented message changed; what the shell says about another portal is not heard."""
    checkout = copy_checkout(tmp_path)
    examples = checkout / "docs" / "protocol" / "examples.json"
    examples.write_text(examples.read_text().replace('"Metadata deleted"', '"Metadata removed"'))
    elsewhere = {"DATABASE_URL": "postgres://127.0.0.1:9/production", "DATA_DIR": "/production", "HTTPS": "true"}
    command = [sys.executable, "-m", "licensing_portal.demo"]
    run = subprocess.run(
        command, cwd=checkout, env=os.environ | elsewhere, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 1, run.stderr
    lines = run.stdout.splitlines()
    assert [line for line in lines if line.startswith("✗")] == [
        "✗ delete-license-key-meta            252  The metadata is deleted"
    ]
    assert "    response.message is 'Metadata deleted', not 'Metadata removed'" in lines
    assert len([line for line in lines if line.startswith("✓")]) == len(EXAMPLES) - 1
    assert "1 answer is wrong." in run.stderr
