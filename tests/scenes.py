"""For every endpoint and every answer it documents, the rows and the parameters that lead to it.

`SCENES[path][code]` is a function: it sets the rows, or calls the portal for what has to have happened before, and
returns the parameters. `ANYWHERE[code]` makes the whole call: answers that do not depend on the endpoint.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.core import signing
from django.db import OperationalError
from django.utils import timezone

from licenses.codes import Code
from licenses.models import ApiKey, BlockListEntry, LicenseKey, Product, Profile
from licenses.services import outgoing
from licenses.services.api_keys import revoke_api_key
from licenses.services.products import create_product
from tests.factories import (
    ACTOR,
    ActivationFactory,
    ContractFactory,
    DownloadableFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    ReleaseFactory,
    TelemetryRecordFactory,
    api_key_text,
)
from tests.protocol import Portal

Params = dict[str, Any]


@dataclass
class World:
    """What a scene may touch."""

    portal: Portal
    settings: Any
    monkeypatch: Any


Scene = Callable[[World], Params]
IN_PATH = {"slug": "product_id"}  # how a path names what a parameter names otherwise


def ask(portal: Portal, path: str, params: Params, method: str = "post") -> dict[str, Any]:
    """The `response` of a call of this path of the table, whose `<name>`s are filled from the parameters."""
    left = dict(params)
    filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: quote(_take(left, found[1]), safe=""), path)
    http = getattr(portal.client, method)(f"/api/v1/{filled}", {"api_key": portal.api_key, **left})
    return portal.read(http)


def _take(params: Params, name: str) -> str:
    return str(params.pop(name if name in params else IN_PATH[name]))


# Rows


def product(**fields: Any) -> Product:
    return create_product(**{"name": "Product", "description": "With its own key", "actor": ACTOR, **fields})


def key(**fields: Any) -> LicenseKey:
    """Assigned, unless a status says otherwise."""
    assigned = {} if {"status", "expired"} & set(fields) else {"assigned": True}
    return LicenseKeyFactory(**({"product": product()} | assigned | fields))


def at(found: LicenseKey, **more: Any) -> Params:
    return {"license_key": found.license_key, "identifier": "host", **more}


def running(found: LicenseKey | None = None, **more: Any) -> Params:
    found = found or key()
    ActivationFactory(license_key=found, identifier="host")
    return at(found, **more)


def of(found: Product, **more: Any) -> Params:
    return {"product_id": found.pk, **more}


def new_license_keys(*texts: str) -> Params:
    return of(product(), license_keys=json.dumps(texts), activation_limit=1, validity=365, status="available")


def terms(**changes: Any) -> Params:
    rights = dict.fromkeys(("can_get_info", "can_generate", "can_destroy", "can_destroy_all"), "1")
    texts = {"contract_key": "a-contract", "contract_name": "Contract", "contract_information": "Information"}
    return {**texts, "license_keys_quantity": "5", "status": "active", **rights, **changes}


def contract(**fields: Any) -> Params:
    """A contract by its key, with a generator for its product."""
    found = ContractFactory(**({"product": product()} | fields))
    GeneratorFactory(product=found.product)
    return {"contract_key": found.contract_key}


def with_license_key(**more: Any) -> Params:
    found = ContractFactory(product=product())
    stored = LicenseKeyFactory(product=found.product, contract=found)
    return {"contract_key": found.contract_key, **({"license_key": stored.license_key} if more else {})}


def twice(path: str, params: Params, w: World, **changes: Any) -> Params:
    """The parameters of a call that was made already."""
    w.portal(path, **params)
    return params | changes


def generator(**fields: Any) -> Params:
    return {"generator_id": GeneratorFactory(**({"product": product()} | fields)).pk, "quantity": 3}


def without(params: Params, name: str) -> Params:
    return {other: value for other, value in params.items() if other != name}


def expiring() -> LicenseKey:
    return key(validity_days=30, expires_at=timezone.now() + timedelta(days=30))


def full_details() -> Params:
    """A license key with everything that its details show."""
    found = expiring()
    found.metadata.create(name="test-key", value="test value y")
    found.product.metadata.create(name="test-key", value="test value x")
    return running(found)


def telemetry(**changes: Any) -> Params:
    texts = {"user_identifier": "u", "license_key": "k", "activation_identifier": "a", "product_version": "1.0"}
    value = {"data_type": "numeric-single-value", "data_group": "g", "numeric_data_single_value": "50"}
    return {**of(product()), **texts, **value, **changes}


def token(w: World, *, gone: bool = False) -> Params:
    """The token of a download link; of a file that is `gone`."""
    params = running()
    found = DownloadableFactory(release__product=LicenseKey.objects.get().product)
    url = ask(w.portal, "access-downloadables", params)["downloadables"][0]["url"]
    if gone:
        found.file.delete()
    return {"token": url.rsplit("/", 1)[-1]}


def released(**fields: Any) -> Product:
    found = product(slug="aurora", **({"changelog_enabled": True} | fields))
    ReleaseFactory(product=found)
    return found


def without_changelogs(w: World) -> Params:
    w.settings.CHANGELOG = False
    return {"product_id": released().slug}


def purchase_code(w: World) -> Params:
    """A purchase code of an item that is a product here, with the answer that Envato would give."""
    product(source="envato", external_reference="17")
    w.settings.ENVATO_TOKEN = "token"
    sale = outgoing.Response(200, b'{"item": {"id": 17}, "buyer": "AlexJ"}')
    w.monkeypatch.setattr(outgoing, "get", lambda url, headers: sale)
    return {"license_key": "86781236-23d0-4b3c-7dfa-c1c147e0dece", "identifier": "host"}


# The tables

USABLE: dict[Code, Scene] = {
    Code.LICENSE_KEY_INVALID: lambda w: {"license_key": "276fac24", "identifier": "host"},
    Code.LICENSE_KEY_NOT_ASSIGNED: lambda w: at(key(status="available")),
    Code.PRODUCT_INACTIVE: lambda w: at(key(product=product(status="inactive"))),
    Code.LICENSE_KEY_BLOCKED: lambda w: at(key(status="blocked")),
    Code.LICENSE_KEY_EXPIRED: lambda w: at(key(expired=True)),
}
GATE: dict[Code, Scene] = USABLE | {Code.IDENTIFIER_REQUIRED: lambda w: {"license_key": key().license_key}}
ANY_STATE = {Code.LICENSE_KEY_BLOCKED, Code.LICENSE_KEY_EXPIRED}
NOT_RUNNING: dict[Code, Scene] = {Code.NO_ACTIVATION_FOUND: lambda w: at(key())}
CREATE, UPDATE, DELETE = (f"{verb}-license-key-meta" for verb in ("create", "update", "delete"))
CREATE_P, UPDATE_P, DELETE_P = (f"{verb}-product-meta" for verb in ("create", "update", "delete"))
PAIR = {"key": "test-key", "value": "test value"}
NOWHERE = {"product_id": "999999"}
HOLDER: dict[Code, Scene] = {Code.HOLDER_CONTRACT_NOT_FOUND: lambda w: {"contract_key": "none", "license_key": "x"}}
WEBHOOK = {"identifier": "order 1", "webhook_url": "https://shop.example/?webhook=secret"}
OWNER = {"owner_name": "Test User", "owner_email": "email@domain.ltd"}

SCENES: dict[str, dict[Code, Scene]] = {
    "verify": GATE
    | NOT_RUNNING
    | {Code.VALID_LICENSE_KEY: lambda w: running(), Code.ENVATO_PURCHASE_CODE_ADDED: purchase_code},
    "activate": GATE
    | {
        Code.LICENSE_KEY_ACTIVATED: lambda w: at(key()),
        Code.LICENSE_KEY_ALREADY_ACTIVE: lambda w: running(),
        Code.ACTIVATION_LIMIT_REACHED: lambda w: running(key(activation_limit=1), identifier="other"),
        Code.ENVATO_PURCHASE_CODE_ADDED: purchase_code,
    },
    "deactivate": {
        Code.LICENSE_KEY_DEACTIVATED: lambda w: running(),
        Code.LICENSE_KEY_ALREADY_INACTIVE: lambda w: at(key()),
    }
    | {code: scene for code, scene in GATE.items() if code not in ANY_STATE},
    "deactivate-all": {
        Code.LICENSE_KEY_DEACTIVATED: lambda w: running(),
        Code.LICENSE_KEY_ALREADY_INACTIVE: lambda w: at(key()),
    }
    | {code: scene for code, scene in USABLE.items() if code not in ANY_STATE},
    "get-license-key-details": GATE | NOT_RUNNING | {Code.ACTIVE_LICENSE_KEY_FOUND: lambda w: full_details()},
    "get-license-key-feature": USABLE
    | NOT_RUNNING
    | {Code.VALID_LICENSE_KEY: lambda w: running(key(product=product(features={"export": True})), feature="export")},
    "get-license-file": GATE
    | NOT_RUNNING
    | {
        Code.LICENSE_FILE_RETRIEVED: lambda w: running(),
        Code.LICENSE_FILE_FAILED: lambda w: running(key(product=product(own_signing_key=False))),
    },
    "access-downloadables": GATE | NOT_RUNNING | {Code.DOWNLOADS: lambda w: downloads()},
    "download/<token>": {
        Code.FILE_NOT_FOUND: lambda w: token(w, gone=True),
        Code.FILE_NOT_PERMITTED: lambda w: {"token": signing.dumps([1, 1, 1], salt="another")},
    },
    "assign-license-key": {
        Code.LICENSE_KEY_ASSIGNED: lambda w: {"license_key": key(status="available").license_key, **OWNER},
        Code.LICENSE_KEY_NOT_AVAILABLE: lambda w: {"license_key": key().license_key, **OWNER},
    },
    "assign-and-activate-license-key": {
        Code.LICENSE_KEY_ACTIVATED: lambda w: at(key(status="available"), **OWNER),
        Code.LICENSE_KEY_NOT_AVAILABLE: lambda w: at(key(), **OWNER),
        Code.PRODUCT_INACTIVE: lambda w: at(key(status="available", product=product(status="inactive"))),
        Code.IDENTIFIER_REQUIRED: lambda w: {"license_key": key(status="available").license_key},
        Code.ACTIVATION_LIMIT_REACHED: lambda w: running(
            key(status="available", activation_limit=1), identifier="other"
        ),
    },
    "create-license-keys": {
        Code.LICENSE_KEYS_CREATED: lambda w: new_license_keys("A-1", "A-1", "A-2"),
        Code.NO_LICENSE_KEYS_CREATED: lambda w: twice("create-license-keys", new_license_keys("A-1"), w),
        Code.CREATE_LICENSE_KEYS_INCORRECT: lambda w: {},
    },
    "random-assign-license-keys": {
        Code.LICENSE_KEYS_ASSIGNED: lambda w: of(key(status="available").product, quantity=1, **OWNER),
        Code.ASSIGN_PRODUCT_NOT_FOUND: lambda w: {**NOWHERE, "quantity": 1},
        Code.GENERATOR_NOT_FOUND: lambda w: of(product(), quantity=1, generate=1),
        Code.NOT_ENOUGH_LICENSE_KEYS: lambda w: of(product(), quantity=1, generate=0),
    },
    "random-assign-license-keys-queued": {
        Code.REQUEST_QUEUED: lambda w: of(key(status="available").product, quantity=1, **WEBHOOK),
        Code.ASSIGN_PRODUCT_NOT_FOUND: lambda w: {**NOWHERE, "quantity": 1, **WEBHOOK},
        Code.GENERATOR_NOT_FOUND: lambda w: of(product(), quantity=1, generate=1, **WEBHOOK),
    },
    "update-license-key": {
        Code.LICENSE_KEY_UPDATED: lambda w: {"license_key": key().license_key, "activation_limit": 5},
        Code.UPDATE_LICENSE_KEY_NOT_FOUND: lambda w: {"license_key": "276fac24", "activation_limit": 5},
        Code.UPDATE_LICENSE_KEY_INCORRECT: lambda w: {"license_key": key().license_key, "status": "nonsense"},
    },
    "delete-license-key": {
        Code.LICENSE_KEY_DELETED: lambda w: {"license_key": key(status="available").license_key},
        Code.DELETE_LICENSE_KEY_NOT_FOUND: lambda w: {"license_key": "276fac24"},
    },
    "get-license-keys": {
        Code.LICENSE_KEYS: lambda w: of(key(status="available").product, status="available", items_per_page=5)
    },
    "get-available-license-keys-count": {
        Code.AVAILABLE_COUNT: lambda w: of(key(status="available").product),
        Code.COUNT_PRODUCT_NOT_FOUND: lambda w: NOWHERE,
    },
    CREATE: GATE
    | {
        Code.METADATA_CREATED: lambda w: at(key(), **PAIR),
        Code.CREATE_METADATA_NAME_REQUIRED: lambda w: at(key(), value="v"),
        Code.CREATE_METADATA_VALUE_REQUIRED: lambda w: at(key(), key="k"),
        Code.CREATE_METADATA_EXISTS: lambda w: twice(CREATE, at(key(), **PAIR), w),
    },
    UPDATE: GATE
    | {
        Code.METADATA_UPDATED: lambda w: twice(CREATE, at(key(), **PAIR), w),
        Code.UPDATE_METADATA_NAME_REQUIRED: lambda w: at(key(), value="v"),
        Code.UPDATE_METADATA_VALUE_REQUIRED: lambda w: at(key(), key="k"),
        Code.UPDATE_METADATA_NOT_FOUND: lambda w: at(key(), **PAIR),
    },
    DELETE: GATE
    | {
        Code.METADATA_DELETED: lambda w: twice(CREATE, at(key(), **PAIR), w),
        Code.DELETE_METADATA_NAME_REQUIRED: lambda w: at(key()),
        Code.DELETE_METADATA_NOT_FOUND: lambda w: at(key(), **PAIR),
    },
    "create-product": {
        Code.PRODUCT_CREATED: lambda w: {"name": "Aurora", "description": "An editor"},
        Code.CREATE_PRODUCT_INCORRECT: lambda w: {},
    },
    "update-product": {
        Code.PRODUCT_UPDATED: lambda w: of(product(), name="Aurora"),
        Code.UPDATE_PRODUCT_INCORRECT: lambda w: {**NOWHERE, "name": "Aurora"},
    },
    "delete-product": {
        Code.PRODUCT_DELETED: lambda w: of(product()),
        Code.PRODUCT_NOT_FOUND: lambda w: twice("delete-product", of(product()), w),
    },
    "get-all-products": {Code.ALL_PRODUCTS: lambda w: twice(CREATE_P, of(product(), **PAIR), w)},
    "get-product": {
        Code.PRODUCT_FOUND: lambda w: of(product()),
        Code.PRODUCT_NOT_FOUND: lambda w: NOWHERE,
    },
    "get-product-public-key": {
        Code.PUBLIC_KEY_FOUND: lambda w: of(product()),
        Code.PUBLIC_KEY_NOT_FOUND: lambda w: of(product(own_signing_key=False)),
    },
    "get-product-meta": {
        Code.PRODUCT_FOUND: lambda w: twice(CREATE_P, of(product(), **PAIR), w),
        Code.PRODUCT_NOT_FOUND: lambda w: NOWHERE,
        Code.UPDATE_PRODUCT_METADATA_NOT_FOUND: lambda w: of(product(), key="none"),
    },
    CREATE_P: {
        Code.PRODUCT_METADATA_CREATED: lambda w: of(product(), **PAIR),
        Code.CREATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND: lambda w: NOWHERE | PAIR,
        Code.CREATE_PRODUCT_METADATA_NAME_REQUIRED: lambda w: of(product(), value="v"),
        Code.CREATE_PRODUCT_METADATA_VALUE_REQUIRED: lambda w: of(product(), key="k"),
        Code.CREATE_PRODUCT_METADATA_EXISTS: lambda w: twice(CREATE_P, of(product(), **PAIR), w),
    },
    UPDATE_P: {
        Code.PRODUCT_METADATA_UPDATED: lambda w: twice(CREATE_P, of(product(), **PAIR), w),
        Code.UPDATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND: lambda w: NOWHERE | PAIR,
        Code.UPDATE_PRODUCT_METADATA_NAME_REQUIRED: lambda w: of(product(), value="v"),
        Code.UPDATE_PRODUCT_METADATA_VALUE_REQUIRED: lambda w: of(product(), key="k"),
        Code.UPDATE_PRODUCT_METADATA_NOT_FOUND: lambda w: of(product(), **PAIR),
    },
    DELETE_P: {
        Code.PRODUCT_METADATA_DELETED: lambda w: twice(CREATE_P, of(product(), **PAIR), w),
        Code.DELETE_PRODUCT_METADATA_PRODUCT_NOT_FOUND: lambda w: NOWHERE | PAIR,
        Code.DELETE_PRODUCT_METADATA_NAME_REQUIRED: lambda w: of(product()),
        Code.DELETE_PRODUCT_METADATA_NOT_FOUND: lambda w: of(product(), **PAIR),
    },
    "get-product-changelog": {
        Code.CHANGELOG_RETRIEVED: lambda w: {"product_id": released().slug},
        Code.CHANGELOG_DISABLED: without_changelogs,
        Code.CHANGELOG_DISABLED_FOR_PRODUCT: lambda w: {"product_id": released(changelog_enabled=False).slug},
    },
    "generate": {
        Code.LICENSE_KEYS_GENERATED: lambda w: generator(),
        Code.GENERATOR_NOT_FOUND: lambda w: generator(is_active=False),
        Code.NOT_ENOUGH_LICENSE_KEYS: lambda w: generator(
            method="chunk-system", number_of_chunks=1, chunk_length=1, charset="AB"
        ),
    },
    "get-all-generators": {Code.ALL_GENERATORS: lambda w: without(without(generator(), "generator_id"), "quantity")},
    "create-contract": {
        Code.CONTRACT_CREATED: lambda w: terms(product_id=str(product().pk)),
        Code.CONTRACT_INCORRECT: lambda w: {},
    },
    "update-contract": {
        Code.CONTRACT_UPDATED: lambda w: terms(product_id=str(product().pk), contract_id=ContractFactory().pk),
        Code.CONTRACT_NOT_FOUND: lambda w: terms(contract_id="999999", **of(product())),
        Code.CONTRACT_INCORRECT: lambda w: {"contract_id": ContractFactory().pk},
    },
    "delete-contract": {
        Code.CONTRACT_DELETED: lambda w: {"contract_id": ContractFactory().pk},
        Code.CONTRACT_NOT_FOUND: lambda w: {"contract_id": "999999"},
    },
    "get-all-contracts": {Code.ALL_CONTRACTS: lambda w: without(contract(), "contract_key")},
    "contracts/get-info": HOLDER
    | {
        Code.CONTRACT_FOUND: lambda w: contract(),
        Code.HOLDER_PRODUCT_NOT_FOUND: lambda w: contract(product=product(status="deleted")),
    },
    "contracts/generate": HOLDER
    | {
        Code.CONTRACT_LICENSE_KEYS_GENERATED: lambda w: contract() | {"quantity": 3},
        Code.HOLDER_PRODUCT_NOT_FOUND: lambda w: contract(product=product(status="inactive")) | {"quantity": 3},
        Code.HOLDER_GENERATOR_NOT_FOUND: lambda w: with_license_key() | {"quantity": 3},
        Code.CONTRACT_QUOTA_REACHED: lambda w: contract(license_keys_quantity=2) | {"quantity": 3},
        Code.CONTRACT_QUANTITY_TOO_LARGE: lambda w: contract() | {"quantity": 0},
    },
    "contracts/destroy": HOLDER
    | {
        Code.CONTRACT_LICENSE_KEY_DELETED: lambda w: with_license_key(named=True),
        Code.CONTRACT_LICENSE_KEY_NOT_FOUND: lambda w: with_license_key() | {"license_key": "none"},
    },
    "contracts/destroy-all": HOLDER
    | {
        Code.CONTRACT_LICENSE_KEYS_DELETED: lambda w: with_license_key(),
        Code.CONTRACT_HAS_NO_LICENSE_KEYS: lambda w: contract(),
    },
    "send-telemetry-data": {
        Code.TELEMETRY_SAVED: lambda w: telemetry(),
        Code.TELEMETRY_SAVED_MALFORMED: lambda w: {},
    },
    "get-telemetry-data": {Code.TELEMETRY_FOUND: lambda w: stored_telemetry()},
}
SCENES["products/<slug>/changelog"] = SCENES["get-product-changelog"]


def downloads() -> Params:
    found = key()
    DownloadableFactory.create_batch(2, release__product=found.product)
    return running(found)


def stored_telemetry() -> Params:
    TelemetryRecordFactory(product_id=1, user_identifier="u", license_key="k", product_version="1.0")
    return {"data_type": "numeric-single-value", "data_group": "tests"}


# Answers that every endpoint gives, and those of the client profile sdk


def blocked(w: World) -> Params:
    BlockListEntry.objects.create(kind="identifier", value="host")
    return w.portal("verify", **at(key()))


def revoked(w: World) -> Params:
    revoke_api_key(api_key=ApiKey.objects.get(), actor=ACTOR)
    return w.portal("verify")


def reused(w: World) -> Params:
    w.portal.json("activate", at(key()), **{"Idempotency-Key": "once"})
    return w.portal.json("activate", at(key()), **{"Idempotency-Key": "once"})


def too_many(w: World) -> Params:
    w.settings.WRONG_KEYS_PER_MINUTE = 1
    for _ in range(20):
        answer = w.portal("verify", license_key="none", identifier="host")
    return answer


def failing(error: Exception) -> Callable[[World], Params]:
    def call(w: World) -> Params:
        def fail(**_: Any) -> None:
            raise error

        w.monkeypatch.setattr("licenses.api.activations.verify_license", fail)
        return w.portal("verify")

    return call


def raw(method: str, path: str, body: Any = None, **options: Any) -> Callable[[World], Params]:
    def call(w: World) -> Params:
        headers = {"Authorization": f"Bearer {w.portal.api_key}"}
        return w.portal.read(getattr(w.portal.client, method)(f"/api/v1/{path}", body, headers=headers, **options))

    return call


def as_caller(text: Callable[[], str]) -> Callable[[World], Params]:
    def call(w: World) -> Params:
        w.portal.api_key = text()
        return w.portal("verify")

    return call


def unknown_to_sdk(w: World) -> Params:
    """Their envelope is another one, which test_sdk_profile.py checks."""
    sent = {"api_key": api_key_text(name="SDK", profile=Profile.SDK), "license_key": "276fac24"}
    w.portal.http = w.portal.client.post("/api/v1/get-license-key-details", sent)
    envelope = json.loads(w.portal.http.content)
    w.portal.label = envelope["private_key_used"]
    return envelope["response"]


ANYWHERE: dict[Code, Callable[[World], Params]] = {
    Code.INVALID_API_KEY: as_caller(lambda: "lp_nobody"),
    Code.INACTIVE_API_KEY: revoked,
    Code.INSUFFICIENT_PERMISSIONS: as_caller(lambda: api_key_text("activate", name="Other")),
    Code.IP_NOT_ALLOWED: as_caller(lambda: api_key_text(name="Other", allowed_networks=["203.0.113.7"])),
    Code.ACCESS_DENIED: blocked,
    Code.TOO_MANY_REQUESTS: too_many,
    Code.IDEMPOTENCY_KEY_REUSED: reused,
    Code.MALFORMED_REQUEST: raw("post", "verify", "{", content_type="application/json"),
    Code.UNSUPPORTED_MEDIA_TYPE: raw("post", "verify", "<x/>", content_type="application/xml"),
    Code.REQUEST_TOO_LARGE: raw("post", "verify", " " * (2**20 + 1), content_type="application/json"),
    Code.METHOD_NOT_ALLOWED: raw("get", "activate"),
    Code.UNKNOWN_ENDPOINT: raw("post", "nothing"),
    Code.SERVICE_UNAVAILABLE: failing(OperationalError("away")),
    Code.INTERNAL_ERROR: failing(RuntimeError("a crash")),
    Code.LICENSE_KEY_DETAILS_NOT_FOUND: unknown_to_sdk,
}
