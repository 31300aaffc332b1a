"""S9: every route and every kind of caller, as declared here. A route without a row fails the suite."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from licenses import models
from licenses.api.urls import ENDPOINTS
from licenses.codes import Code
from licenses.models import ApiKey, BlockListEntry
from licenses.services.signing_keys import create_signing_key
from licenses.services.throttles import take
from settings_api.models import Setting
from tests.factories import (
    ACTOR,
    ActivationFactory,
    ContractFactory,
    DownloadableFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    QueuedAssignmentFactory,
    ReleaseFactory,
    TelemetryRecordFactory,
    api_key_text,
)
from tests.protocol import ANSWERS, Portal

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S9")]

ROWS = {path: row for row in ENDPOINTS for path in row.paths}

# The v1 protocol: what a kind of caller is answered, by code and HTTP status; None: the endpoint's own answers
GUARDED = {
    "no API key": (100, 401),
    "unknown": (100, 401),
    "inactive": (101, 401),
    "expired": (101, 401),
    "without the capability": (102, 401),
    "from another network": (103, 401),
    "right": None,
    "too often": (160, 429),
    "from a blocked address": (150, 403),
}
PUBLIC = {
    "no API key": None,
    "unknown": None,
    "right": None,
    "too often": (160, 429),
    "from a blocked address": (150, 403),
}
V1 = dict.fromkeys(
    """
    verify licenses/verify licenses/validate activate licenses/activate deactivate licenses/deactivate
    deactivate-all licenses/<license_key>/deactivate-all
    get-license-key-details get-license-key-feature licenses/<license_key>/features/<feature>
    get-license-file licenses/<license_key>/offline-file access-downloadables
    assign-license-key assign-and-activate-license-key random-assign-license-keys random-assign-license-keys-queued
    create-license-keys update-license-key delete-license-key get-license-keys get-available-license-keys-count
    create-license-key-meta update-license-key-meta delete-license-key-meta
    create-product update-product delete-product get-all-products get-product get-product-public-key
    get-product-meta create-product-meta update-product-meta delete-product-meta get-product-changelog
    generate get-all-generators get-all-contracts create-contract update-contract delete-contract
    contracts/get-info contracts/generate contracts/<contract_key>/generate contracts/destroy contracts/destroy-all
    send-telemetry-data send-telemetry-date send-telemetry telemetry
    get-telemetry-data get-telemetry-date get-telemetry
    """.split(),  # noqa: SIM905  fifty lines otherwise
    GUARDED,
) | dict.fromkeys(("download/<token>", "products/<slug>/changelog"), PUBLIC)


def test_every_route_of_v1_is_declared():
    assert set(V1) == set(ROWS)


def caller(client, kind: str, row) -> Portal:
    """A caller of this kind, and what it takes to be one."""
    own, other = row.capability, next(name for name in models.Capability.values if name != row.capability)
    if kind == "from a blocked address":
        BlockListEntry.objects.create(kind="address", value="127.0.0.1/32")
    if kind in ("no API key", "unknown"):
        return Portal(client, "" if kind == "no API key" else "lp_unknown")
    options = {"allowed_networks": ["203.0.113.0/24"]} if kind == "from another network" else {}
    capabilities = [other if kind == "without the capability" or own is None else own]
    portal = Portal(client, api_key_text(*capabilities, name=kind, **options))
    found = ApiKey.objects.filter(name=kind)
    if kind == "inactive":
        found.update(is_active=False)
    if kind == "expired":
        found.update(expires_at=found.get().created_at)
    return portal


@pytest.mark.parametrize("path", list(ROWS))
def test_v1(client, global_key, settings, path):
    row = ROWS[path]
    url = "/api/v1/" + re.sub(r"<(?:\w+:)?\w+>", "x", path)
    for kind, expected in V1[path].items():
        portal = caller(client, kind, row)
        if kind == "too often":
            settings.ADDRESS_REQUESTS_PER_MINUTE = 1
            take("address 127.0.0.1", burst=1, per_minute=1)
        sent = {"api_key": portal.api_key} if portal.api_key else {}
        answer = portal.read(getattr(client, row.methods[0])(url, sent))
        if expected is None:
            own = {code.value.number for code in (*ANSWERS[row.paths[0]], Code.MALFORMED_REQUEST)}
            assert answer["code"] in own, kind
        else:
            assert (answer["code"], portal.http.status_code) == expected, kind


@pytest.mark.parametrize("path", list(ROWS))
def test_v1_refuses_all_other_methods(client, global_key, path):
    url = "/api/v1/" + re.sub(r"<(?:\w+:)?\w+>", "x", path)
    portal = Portal(client, api_key_text())
    for method in {"get", "post", "put", "patch", "delete"} - set(ROWS[path].methods):
        answer = portal.read(getattr(client, method)(url, headers={"X-API-Key": portal.api_key}))
        assert (answer["code"], portal.http.status_code) == (165, 405), method


# Everything else: HTTP statuses for anybody, for staff without a permission, for a superuser, for an API key that may
# do everything. 302 is the way to the log-in, or for those who are in to the page that is meant

KINDS = ("anybody", "staff", "superuser", "API key")
PAGES = ("", "add/", "<path:object_id>/history/", "<path:object_id>/delete/", "<path:object_id>/change/")
SUPERUSER = {  # on the pages of a model, in this order; 403 is what nobody may do by hand
    "licenses/activation": (200, 403, 200, 403, 200),
    "licenses/apikey": (200, 200, 200, 403, 200),
    "licenses/assignment": (200, 200, 200, 403, 200),
    "licenses/assignmentrow": (200, 403, 200, 403, 200),
    "licenses/auditevent": (200, 403, 200, 403, 200),
    "licenses/blocklistentry": (200, 200, 200, 200, 200),
    "licenses/contract": (200, 200, 200, 200, 200),
    "licenses/downloadable": (200, 403, 200, 403, 200),
    "licenses/generator": (200, 200, 200, 200, 200),
    "licenses/licensekey": (200, 200, 200, 403, 200),
    "licenses/licensekeymetadata": (200, 403, 200, 200, 200),
    "licenses/owner": (200, 200, 200, 403, 200),
    "licenses/product": (200, 200, 200, 403, 200),
    "licenses/productmetadata": (200, 403, 200, 200, 200),
    "licenses/queuedassignment": (200, 403, 200, 403, 200),
    "licenses/release": (200, 200, 200, 200, 200),
    "licenses/signingkey": (200, 200, 200, 403, 200),
    "licenses/telemetryrecord": (200, 403, 200, 403, 200),
    "auth/user": (200, 200, 200, 200, 200),
    "auth/group": (200, 200, 200, 200, 200),
    "settings_api/setting": (200, 403, 200, 403, 200),
}
IMPORTED = (
    *("blocklistentry", "contract", "generator", "licensekey", "licensekeymetadata", "owner", "product"),
    *("productmetadata", "release"),
)
STAFF = (302, 403, 200, 302)
OWN_PAGE = (302, 200, 200, 302)
ANYBODY = (200, 200, 200, 200)
WITH_API_KEY = (401, 401, 401, 200)
NOTHING = (404, 404, 404, 404)
ONLY_POST = (405, 405, 405, 405)
OWN_WAY = (302, 302, 302, 302)
TABLE = {
    "": (302, 302, 302, 302),
    "admin/": OWN_PAGE,
    "admin/health/": STAFF,
    "admin/login/": (200, 302, 302, 200),
    "admin/login/second-factor/": (302, 302, 302, 302),
    "admin/login/passkey/": (302, 302, 302, 302),
    "admin/login/start-again/": ONLY_POST,
    "admin/login/with/<str:provider_id>/": ONLY_POST,
    "admin/login/with/<str:provider_id>/callback/": NOTHING,
    "admin/security/": OWN_PAGE,
    "admin/security/sessions/": (302, 405, 405, 302),
    "admin/security/confirm/": OWN_PAGE,
    "admin/security/confirm/code/": OWN_WAY,  # on to the password: these have no second factor
    "admin/security/confirm/passkey/": OWN_WAY,
    "admin/security/authenticator-app/": OWN_WAY,  # as the rest: on to where the password is asked for once more
    "admin/security/authenticator-app/remove/": (302, 404, 404, 302),
    "admin/security/recovery-codes/": (302, 404, 404, 302),
    "admin/security/recovery-codes/new/": OWN_WAY,
    "admin/security/passkeys/add/": OWN_WAY,
    "admin/security/passkeys/<int:pk>/": OWN_WAY,
    "admin/security/passkeys/<int:pk>/remove/": OWN_WAY,
    "admin/docs/": OWN_PAGE,
    "admin/docs/<slug:name>/": OWN_PAGE,
    "admin/docs/pictures/<str:name>": OWN_PAGE,
    "admin/logout/": (302, 405, 405, 302),
    "admin/password_change/": OWN_PAGE,
    "admin/password_change/done/": OWN_PAGE,
    "admin/jsi18n/": OWN_PAGE,
    "admin/find/": STAFF,
    "admin/autocomplete/": STAFF,
    "admin/r/<path:content_type_id>/<path:object_id>/": (302, 404, 404, 302),  # nothing has a page outside
    "admin/^(?P<app_label>{apps})/$": (302, 404, 200, 302),
    "admin/(?P<url>.*)$": (302, 404, 404, 302),
    "admin/licenses/activation/<int:pk>/license-file/<slug:form>/": STAFF,
    "admin/licenses/assignment/<int:pk>/columns/": (302, 403, 302, 302),  # on to its page: a command has no columns
    "admin/licenses/assignment/<int:pk>/progress/": STAFF,
    "admin/licenses/assignment/<int:pk>/results.csv": STAFF,
    "admin/licenses/assignment/<int:pk>/results.xlsx": STAFF,
    "admin/licenses/assignment/<int:pk>/problems.csv": STAFF,
    "admin/licenses/signingkey/<int:pk>/public-key/": STAFF,
    "admin/licenses/signingkey/import/": STAFF,
    "admin/auth/user/<id>/password/": STAFF,
    "api/license/^settings/?$": WITH_API_KEY,
    "api/license/^status/?$": WITH_API_KEY,
    "api/license/": NOTHING,
    "api/schema/": ANYBODY,
    "api/docs/": ANYBODY,
    ".well-known/jwks.json": ANYBODY,
    "healthz": ANYBODY,
    "readyz": ANYBODY,
}
for _model, _statuses in SUPERUSER.items():
    TABLE |= {f"admin/{_model}/{page}": (302, 403, status, 302) for page, status in zip(PAGES, _statuses, strict=True)}
    TABLE[f"admin/{_model}/<path:object_id>/"] = (302, 302, 302, 302)
    if _model.startswith("licenses/"):
        TABLE[f"admin/{_model}/export/"] = STAFF
    if _model.partition("/")[2] in IMPORTED:
        TABLE[f"admin/{_model}/import/"] = STAFF
QUERY = {"admin/autocomplete/": "?app_label=licenses&model_name=licensekey&field_name=owner&term="}


def walk(patterns, prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and not route.startswith("api/v1/"):
            yield route


def everything() -> dict[str, object]:
    """A row of everything that the admin shows, by the path of its pages."""
    api_key_text(name="Shop")
    activation = ActivationFactory()
    license_key = activation.license_key
    assignment = models.Assignment.objects.create(digest="0" * 64, source="keys.csv", rows_total=1)
    found = [
        activation,
        license_key,
        license_key.owner,
        license_key.product,
        license_key.metadata.create(name="n", value="v"),
        license_key.product.metadata.create(name="n", value="v"),
        assignment,
        assignment.rows.create(line=2, license_key=LicenseKeyFactory(), outcome="assigned"),
        BlockListEntry.objects.create(kind="identifier", value="x"),
        ContractFactory(),
        GeneratorFactory(),
        DownloadableFactory(),
        ReleaseFactory(),
        TelemetryRecordFactory(),
        QueuedAssignmentFactory(),
        create_signing_key(product=license_key.product, actor=ACTOR),
        models.AuditEvent.objects.first(),
        ApiKey.objects.get(),
        Group.objects.create(name="g"),
        User.objects.create_user("somebody", password="a-long-password-1"),
        Setting.objects.create(name="x"),
    ]
    return {f"{row._meta.app_label}/{row._meta.model_name}": row for row in found}


def callers() -> dict[str, Client]:
    clients = {"anybody": Client(), "staff": Client(), "superuser": Client()}
    clients["API key"] = Client(headers={"Authorization": f"Bearer {api_key_text(name='All')}"})
    clients["staff"].force_login(User.objects.create_user("staff", password="a-long-password-1", is_staff=True))
    clients["superuser"].force_login(User.objects.create_superuser("root", password="a-long-password-1"))
    return clients


def declared(route: str) -> str:
    """The route as the table writes it: the admin's list of apps is in no fixed order."""
    return re.sub(r"\?P<app_label>[\w|]+", "?P<app_label>{apps}", route)


def address(route: str, rows: dict[str, object]) -> str:
    row = rows.get("/".join(route.split("/")[1:3]))
    filled = route.replace("(?P<app_label>{apps})", "licenses").replace("(?P<url>.*)$", "nothing/")
    filled = re.sub(r"<slug:form>", "json", filled)
    filled = filled.replace("<slug:name>", "roles").replace("<str:name>", "overview-1440-light.jpg")
    return (
        "/"
        + re.sub(r"<[^>]+>", str(row.pk if row else 1), filled)
        .translate({ord("^"): "", ord("$"): ""})
        .replace("/?", "")
        + QUERY.get(route, "")
    )


def test_every_other_route_is_declared():
    assert {declared(route) for route in walk(get_resolver().url_patterns)} == set(TABLE)


def changes():
    """The audit without attempts that were refused, which it keeps too."""
    return models.AuditEvent.objects.exclude(kind__endswith=".refused")


def test_every_other_route(global_key):
    """Who may not read may not write either: a POST of theirs is answered as the GET is, and changes nothing."""
    rows, wrong = everything(), []
    for kind, client in callers().items():
        before = changes().count()
        for route, expected in TABLE.items():
            status, url = expected[KINDS.index(kind)], address(route, rows)
            if (found := client.get(url).status_code) != status:
                wrong.append((route, kind, found))
            may_post = kind != "superuser" and not route.startswith(
                ("admin/login/", "admin/logout/", "admin/security/")
            )
            if may_post and client.post(url).status_code not in (status, 403, 405):
                wrong.append((route, kind, "POST"))
        assert kind == "superuser" or changes().count() == before, kind
    assert wrong == []


def test_the_way_to_the_log_in_is_the_only_one(client):
    """What 302 means for those who are not in."""
    for route, expected in TABLE.items():
        if (
            route.startswith("admin/")
            and expected[0] == 302
            and not route.startswith(("admin/logout/", "admin/login/"))
        ):
            assert client.get(address(route, {})).headers["Location"].startswith("/admin/login/?next="), route
