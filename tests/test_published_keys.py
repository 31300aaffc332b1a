"""/.well-known/jwks.json: what software verifies with, for everybody, and nothing secret."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from licenses import signing
from licenses.api import published_keys
from licenses.models import SigningKey
from licenses.services import signing_keys
from licenses.services.signing_keys import create_signing_key, mark_compromised, use_signing_key
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db

URL = "/.well-known/jwks.json"
MEMBERS = ["kty", "n", "e", "kid", "use", "alg", "pem", "status", "product", "nbf", "exp", "revoked_at"]


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def published(client, **query) -> dict[str, dict]:
    answer = client.get(URL, query)
    assert answer.status_code == 200
    return {key["kid"]: key for key in answer.json()["keys"]}


def test_each_key_is_a_json_web_key_with_its_status_and_times(client, global_key):
    answer = client.get(URL)
    (key,) = answer.json()["keys"]
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert list(key) == MEMBERS
    assert (key["kty"], key["use"], key["alg"], key["kid"]) == ("RSA", "sig", "RS256", global_key.fingerprint)
    read = RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    assert read.public_bytes(serialization.Encoding.PEM, spki).decode() == key["pem"] == global_key.public_key
    assert (key["status"], key["product"], key["exp"], key["revoked_at"]) == ("active", None, None, None)
    assert abs(key["nbf"] - timezone.now().timestamp()) < 60


@pytest.mark.statement("S26")
def test_it_follows_a_key_from_upcoming_to_compromised(client, global_key):
    def seen(key):
        row = published(client)[key.fingerprint]
        return row["status"], row["nbf"] is not None, row["exp"] is not None, row["revoked_at"]

    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    assert seen(upcoming) == ("upcoming", False, False, None)
    use_signing_key(signing_key=upcoming, actor=ACTOR)
    assert seen(upcoming) == ("active", True, False, None)
    assert seen(global_key) == ("retired", True, True, None)
    since = timezone.now()
    mark_compromised(signing_key=global_key, since=since, actor=ACTOR)
    assert seen(global_key) == ("compromised", True, True, int(since.timestamp()))


def test_a_product_s_keys_come_with_the_global_ones(client, global_key):
    products = [ProductFactory(slug="photo-editor"), ProductFactory()]
    own, other = (create_signing_key(product=product, actor=ACTOR) for product in products)
    assert set(published(client)) == {global_key.fingerprint, own.fingerprint, other.fingerprint}
    for name in ("photo-editor", str(products[0].uuid)):
        found = published(client, product=name)
        assert set(found) == {global_key.fingerprint, own.fingerprint}
        assert found[own.fingerprint]["product"] == str(products[0].uuid)
    products[0].status = "deleted"
    products[0].save()
    assert set(published(client, product="photo-editor")) == {global_key.fingerprint, own.fingerprint}


@pytest.mark.parametrize("name", ["", "nothing", "\0", "x" * 5000, "00000000-0000-0000-0000-000000000000", "'"])
def test_an_unknown_product_is_a_404(client, global_key, name):
    answer = client.get(URL, {"product": name})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert answer.json() == {"message": "There is no product with this UUID or slug."}
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_may_be_kept_for_five_minutes_and_asked_for_again_cheaply(client, global_key):
    first = client.get(URL)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert "Cookie" not in first.headers.get("Vary", "")
    again = client.get(URL, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    create_signing_key(product=None, upcoming=True, actor=ACTOR)
    changed = client.get(URL, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, len(changed.json()["keys"])) == (200, 2)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_it_is_only_read(global_key, method):
    answer = Client(enforce_csrf_checks=True).generic(method, URL)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_head_has_no_body(client, global_key):
    answer = client.head(URL)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["ETag"] == client.get(URL).headers["ETag"]


@pytest.mark.statement("S26", "S28")
def test_it_holds_nothing_of_a_private_half(client, global_key, django_assert_num_queries):
    create_signing_key(product=ProductFactory(), actor=ACTOR)
    mark_compromised(signing_key=global_key, since=timezone.now() - timedelta(seconds=1), actor=ACTOR)
    with django_assert_num_queries(1) as queries:
        text = client.get(URL).content.decode()
    assert "private" not in queries[0]["sql"].lower() + text.lower()
    for key in SigningKey.objects.all():
        locked = bytes(key.private_key_locked)
        numbers = signing_keys.unlock(locked).private_numbers()
        for secret in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
            assert signing._base64url(secret) not in text
        assert locked.decode() not in text
    assert {"d", "p", "q", "dp", "dq", "qi"}.isdisjoint(client.get(URL).json()["keys"][0])


def test_without_the_database_it_says_when_to_ask_again(client, monkeypatch):
    def away(*args):
        raise OperationalError("gone")

    monkeypatch.setattr(published_keys.SigningKey.objects, "all", away)
    answer = client.get(URL)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_host_that_is_not_allowed_is_refused(client):
    assert client.get(URL, headers={"Host": "evil.example"}).status_code == 400
