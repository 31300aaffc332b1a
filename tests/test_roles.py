"""S9 and S12: every page and every action of the admin x every role equals the table here; S12 over everything."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from licenses import models
from licenses.admin.verbs import VerbsMixin, _action
from licenses.roles import ALL, BY_NAME, BY_SLUG, RIGHTS, ROLES
from licenses.services.roles import seed_roles
from licenses.services.signing_keys import create_signing_key
from tests.factories import (
    ACTOR,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
    ReleaseFactory,
)
from tests.test_callers import IMPORTED, everything
from tests.test_callers import PAGES as EVERY_MODELS

pytestmark = pytest.mark.django_db

NAMES = ("Support", "License manager", "Auditor", "Administrator")
# What each of `NAMES` may on the pages of a model: v look, a add, c change, d delete; "-" nothing
PAGES = {
    "licenses/activation": ("v", "v", "v", "v"),
    "licenses/apikey": ("-", "-", "v", "vac"),
    "licenses/assignment": ("-", "va", "v", "va"),
    "licenses/assignmentrow": ("-", "v", "v", "v"),
    "licenses/auditevent": ("v", "v", "v", "v"),
    "licenses/blocklistentry": ("v", "vacd", "v", "vacd"),
    "licenses/contract": ("v", "vacd", "v", "vacd"),
    "licenses/downloadable": ("v", "v", "v", "v"),
    "licenses/generator": ("-", "vacd", "v", "vacd"),
    "licenses/licensekey": ("vc", "vacd", "v", "vacd"),
    "licenses/licensekeymetadata": ("v", "vcd", "v", "vcd"),
    "licenses/owner": ("vc", "vacd", "v", "vacd"),
    "licenses/product": ("v", "vac", "v", "vac"),
    "licenses/productmetadata": ("v", "vcd", "v", "vcd"),
    "licenses/queuedassignment": ("-", "v", "v", "v"),
    "licenses/release": ("v", "vacd", "v", "vacd"),
    "licenses/signingkey": ("-", "-", "v", "va"),
    "licenses/telemetryrecord": ("v", "v", "v", "v"),
    "settings_api/setting": ("-", "-", "v", "vc"),
    "auth/user": ("-", "-", "v", "vacd"),
    "auth/group": ("-", "-", "v", "vacd"),
}
# Who may use an action, by the first letters of `NAMES`
ACTIONS = {
    "activation deactivate_license": "SLA",
    "activation block_identifier": "LA",
    "apikey revoke": "A",
    "assignment start": "LA",
    "assignment check": "LA",
    "assignment pause": "LA",
    "assignment resume": "LA",
    "assignment cancel": "LA",
    "assignment undo": "LA",
    "contract generate": "LA",
    "contract block_license_keys": "LA",
    "generator generate": "LA",
    "licensekey assign": "SLA",
    "licensekey extend": "SLA",
    "licensekey set_limit": "SLA",
    "licensekey set_reference": "SLA",
    "licensekey make_available": "LA",
    "licensekey make_reserved": "LA",
    "licensekey deactivate_all": "SLA",
    "licensekey unblock": "SLA",
    "licensekey block": "SLA",
    "product activate_product": "LA",
    "product deactivate_product": "LA",
    "product delete_product": "LA",
    "queuedassignment send_again": "LA",
    "release publish_release": "LA",
    "release withdraw_release": "LA",
    "signingkey use": "A",
    "signingkey compromised": "A",
}
LETTERS = {"Support": "S", "License manager": "L", "Auditor": "", "Administrator": "A"}
# Further addresses of the admin that ask for a right of a model
FURTHER = {
    "licenses/activation/{}/license-file/json/": "SLA",
    "licenses/assignment/{}/columns/": "LA",
    "licenses/assignment/{}/progress/": "LA and the auditor",
    "licenses/assignment/{}/results.csv": "LA and the auditor",
    "licenses/assignment/{}/results.xlsx": "LA and the auditor",
    "licenses/assignment/{}/problems.csv": "LA and the auditor",
    "licenses/signingkey/{}/public-key/": "A and the auditor",
    "licenses/signingkey/import/": "A",
    "auth/user/{}/password/": "A",
}
FURTHER |= {f"licenses/{noun}/import/": "LA" for noun in IMPORTED}
for _page, _may in PAGES.items():  # whoever may look at a list may take it along
    if _page.startswith("licenses/"):
        _who = "".join(
            name[0] for name, letters in zip(NAMES, _may, strict=True) if name != "Auditor" and "v" in letters
        )
        FURTHER[f"{_page}/export/"] = f"{_who} and the auditor"


def staff_in(*groups: str, name: str = "", codenames=()) -> Client:
    user = User.objects.create_user(name or f"in-{'-'.join(groups)}", password="a-long-password-1", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def rows_of_all() -> dict[str, object]:
    """A row of everything that may be deleted by whoever may delete at all."""
    rows = everything() | {"licenses/licensekey": LicenseKeyFactory(), "licenses/owner": OwnerFactory()}
    for row in (rows["licenses/release"], rows["licenses/contract"]):
        assert not models.LicenseKey.objects.filter(product=row.product).exists()
    return rows


def may_change(context) -> bool:
    """Of a page with a form, or of the one page of the settings."""
    return context.get("has_change_permission", context.get("may_save"))


# The tables


@pytest.mark.statement("S9")
def test_every_page_and_every_action_has_its_row():
    registered = {f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry}
    assert registered == set(PAGES)
    assert {name.replace("/", ".") for name in registered} == set(RIGHTS)
    verbs = {
        f"{model._meta.model_name} {verb.name}"
        for model, page in admin.site._registry.items()
        for verb in getattr(page, "verbs", ())
    }
    assert verbs == set(ACTIONS)
    further = {
        str(url.pattern).replace("<int:pk>", "{}").replace("<id>", "{}").replace("<slug:form>", "json")
        for page in admin.site._registry.values()
        for url in page.get_urls()
        if str(url.pattern) not in (*EVERY_MODELS, "<path:object_id>/")
    }
    assert further == {path.split("/", 2)[2] for path in FURTHER}
    table = {page.model._meta.model_name: page for page in admin.site._registry.values() if hasattr(page, "resource")}
    assert {name for name, page in table.items() if page.resource} == {
        path.split("/")[1] for path in FURTHER if path.endswith("/export/")
    }
    assert {name for name, page in table.items() if page.resource and page.resource.identity} == set(IMPORTED)


@pytest.mark.statement("S9")
@pytest.mark.parametrize("name", NAMES)
def test_every_page_for_every_role(global_key, name):
    rows, client, wrong = rows_of_all(), staff_in(name), []
    for page, may in PAGES.items():
        letters, found, url = may[NAMES.index(name)], "", f"/admin/{page}/"
        look = name == "Auditor" or "v" not in letters  # a history that may be seen is shown once, to save time
        for path in ("", *([f"{rows[page].pk}/history/"] if look else []), f"{rows[page].pk}/change/"):
            answer = client.get(url + path)
            assert answer.status_code == (200 if "v" in letters else 403), url + path
        found += "v" if answer.status_code == 200 else ""
        found += "a" if client.get(f"{url}add/").status_code == 200 else ""
        found += "c" if answer.status_code == 200 and may_change(answer.context) else ""
        found += "d" if client.get(f"{url}{rows[page].pk}/delete/").status_code == 200 else ""
        if found != letters.replace("-", ""):
            wrong.append((page, found))
    for path, who in FURTHER.items():
        status = client.get("/admin/" + path.format(rows["/".join(path.split("/")[:2])].pk)).status_code
        may = LETTERS[name] in who if LETTERS[name] else "auditor" in who
        if (status in (200, 302)) != may:
            wrong.append((path, status))
    assert wrong == []


@pytest.mark.statement("S9", "S12")
@pytest.mark.parametrize("name", NAMES)
def test_every_action_for_every_role(global_key, name):
    """Without a confirmation, an action that is allowed asks for one."""
    rows, client, before = rows_of_all(), staff_in(name), snapshot()
    for action, who in ACTIONS.items():
        model, verb = action.split()
        form = {"action": verb, "_selected_action": rows[f"licenses/{model}"].pk}
        answer = client.post(f"/admin/licenses/{model}/", form)
        asked = "admin/verb.html" in [template.name for template in answer.templates]
        assert asked == bool(LETTERS[name] and LETTERS[name] in who), (action, answer.status_code)
    assert snapshot() == before


@pytest.mark.statement("S9")
def test_roles_of_one_person_add_up(global_key):
    client = staff_in("Support", "Auditor")
    assert client.get("/admin/licenses/apikey/").status_code == 200
    assert client.get("/admin/licenses/apikey/add/").status_code == 403
    assert client.get(f"/admin/licenses/licensekey/{LicenseKeyFactory().pk}/change/").context["has_change_permission"]


@pytest.mark.parametrize("name", ["Support", "License manager"])
def test_pages_link_to_no_list_that_one_may_not_see(global_key, name):
    rows, client = rows_of_all(), staff_in(name)
    lists = {f"/admin/{page}/" for page, may in PAGES.items() if "v" in may[NAMES.index(name)]}
    for page in ("licenses/product", "licenses/contract"):
        source = client.get(f"/admin/{page}/{rows[page].pk}/change/").content.decode()
        linked = set(re.findall(r'href="(/admin/[a-z_]+/[a-z]+/)[?"]', source))
        assert linked and linked <= lists


# S12, over everything


def tables() -> list[type]:
    return [*admin.site._registry, models.IdempotencyRecord]


def snapshot() -> dict[str, list]:
    """Every row that the admin shows, without the attempts that the audit keeps."""
    found = {model.__name__: list(model._base_manager.order_by("pk").values()) for model in tables()}
    found["AuditEvent"] = [row for row in found["AuditEvent"] if not row["kind"].endswith(".refused")]
    for row in found["User"]:
        row.pop("last_login")
    found["groups"] = [list(User.groups.through.objects.order_by("pk").values())]
    found["rights"] = [list(Group.permissions.through.objects.order_by("pk").values())]
    return found


def in_every_state() -> dict[str, object]:
    """Rows for which each action has something to do."""
    rows = everything()
    LicenseKeyFactory(validity_days=30)
    LicenseKeyFactory(status="blocked")
    ProductFactory(status="inactive")
    ReleaseFactory(is_published=False)
    GeneratorFactory(product=models.Contract.objects.get().product)
    LicenseKeyFactory(product=models.Contract.objects.get().product, contract=models.Contract.objects.get())
    QueuedAssignmentFactory(state="failed", code=803, envelope={"response": {}}, problem="away")
    create_signing_key(product=None, upcoming=True, actor=ACTOR)
    work = {"uploaded": True, "source": "x.csv", "rows_total": 1, "rows_assigned": 1, "columns": {"owner_email": 0}}
    for state, more in ASSIGNMENTS.items():
        models.Assignment.objects.create(digest=state, state=state, product=ProductFactory(), **work, **more)
    return rows


ASSIGNMENTS = {
    "ready": {},
    "running": {"started_by": "ada"},
    "paused": {"started_by": "ada"},
    "done": {"started_by": "ada", "finished_at": timezone.now()},
}


def values_for(form) -> dict[str, str]:
    """Something that every field of an action's form takes."""
    kinds = {"EmailField": "x@example.com", "IntegerField": "5", "DateTimeField": f"{timezone.now():%Y-%m-%dT%H:%M}"}
    return {name: kinds.get(type(field).__name__, "x") for name, field in form().fields.items()}


def forged(model, verb) -> dict[str, object]:
    pks = list(model._base_manager.values_list("pk", flat=True))
    return {"action": verb.name, "_selected_action": pks, "confirmed": "1", **values_for(verb.form)}


def all_verbs():
    return [(model, verb) for model, page in admin.site._registry.items() for verb in getattr(page, "verbs", ())]


VIEWER = [right.split(".")[1] for right in ALL if ".view_" in right]


@pytest.mark.statement("S12")
def test_whoever_only_looks_changes_no_row_by_any_action(global_key, monkeypatch):
    """Through the list of actions, and as if that list had let everything through: each action asks again itself."""
    in_every_state()
    client, before = staff_in(name="viewer", codenames=VIEWER), snapshot()
    for model, page in admin.site._registry.items():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        pks = list(model._base_manager.values_list("pk", flat=True))
        client.post(url, {"action": "delete_selected", "_selected_action": pks, "post": "yes"})
        for verb in getattr(page, "verbs", ()):
            for more in ({}, {"index": "0", "select_across": "1", "from_object": "1"}):
                client.post(url, forged(model, verb) | more)
    assert snapshot() == before

    def everything_allowed(self, request):
        return {verb.name: (_action(verb), verb.name, verb.label) for verb in self.verbs}

    monkeypatch.setattr(VerbsMixin, "get_actions", everything_allowed)
    for model, verb in all_verbs():
        url = reverse(f"admin:licenses_{model._meta.model_name}_changelist")
        assert client.post(url, forged(model, verb)).status_code == 403, verb.name
    assert snapshot() == before


@pytest.mark.statement("S12")
def test_the_same_posts_would_have_changed_something(staff, global_key):
    """Without this the test above could pass because its forms are wrong."""
    in_every_state()
    before = snapshot()
    for model, verb in all_verbs():
        with transaction.atomic():
            staff.post(reverse(f"admin:licenses_{model._meta.model_name}_changelist"), forged(model, verb))
            assert snapshot() != before, (model.__name__, verb.name)
            transaction.set_rollback(True)


@pytest.mark.statement("S12")
def test_whoever_only_looks_is_refused_every_form(global_key):
    rows = rows_of_all()
    client, before = staff_in(name="viewer", codenames=VIEWER), snapshot()
    for page, row in rows.items():
        sent = {field.name: "x" for field in row._meta.concrete_fields if field.name != "name"}
        for path in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
            assert client.post(f"/admin/{page}/{path}", sent | {"post": "yes"}).status_code == 403, page + path
    assert snapshot() == before


@pytest.mark.statement("S12")
def test_who_may_change_the_parent_may_not_write_its_tables(global_key):
    """Support changes license keys and looks at their metadata: what is posted for that is not read."""
    license_key = LicenseKeyFactory()
    row = license_key.metadata.create(name="edition", value="pro")
    url = f"/admin/licenses/licensekey/{license_key.pk}/change/"
    sent = {
        "activation_limit": "3",
        "validity_days": "0",
        "features": "{}",
        "reference": "mine",
        "activations-TOTAL_FORMS": "0",
        "activations-INITIAL_FORMS": "0",
        "metadata-TOTAL_FORMS": "2",
        "metadata-INITIAL_FORMS": "1",
        "metadata-0-id": row.pk,
        "metadata-0-license_key": license_key.pk,
        "metadata-0-name": "edition",
        "metadata-0-value": "enterprise",
        "metadata-0-DELETE": "on",
        "metadata-1-name": "new",
        "metadata-1-value": "row",
    }
    assert staff_in("Support").post(url, sent).status_code == 302
    license_key.refresh_from_db()
    assert license_key.reference == "mine"
    assert list(license_key.metadata.values_list("name", "value")) == [("edition", "pro")]


# The groups that migrate makes


def test_migrate_makes_the_roles_and_gives_them_what_the_table_says():
    for role in ROLES:
        held = Group.objects.get(name=role.name).permissions.values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in held} == set(role.rights)
    assert set(BY_SLUG) == {"support", "license-manager", "auditor", "administrator"}


def test_it_takes_back_what_was_changed_and_makes_what_is_missing(caplog, django_assert_max_num_queries):
    own = Group.objects.create(name="Own")
    own.permissions.set(Permission.objects.filter(codename="view_owner"))
    support = Group.objects.get(name="Support")
    support.permissions.add(Permission.objects.get(codename="delete_user"))
    support.permissions.remove(Permission.objects.get(codename="view_owner"))
    Group.objects.filter(name="Auditor").update(name="Auditors")
    Group.objects.get(name="Administrator").delete()
    with caplog.at_level("INFO"):
        call_command("migrate", verbosity=0)
    test_migrate_makes_the_roles_and_gives_them_what_the_table_says()
    assert own.permissions.count() == 1
    assert Group.objects.get(name="Auditors").permissions.count() == len(BY_NAME["Auditor"].rights)
    assert [record.args for record in caplog.records] == [("Support",)]
    with django_assert_max_num_queries(10):
        seed_roles()


def test_it_does_without_permissions_that_are_not_there_yet():
    """After a migrate that stopped half-way."""
    ContentType.objects.filter(app_label="settings_api").delete()
    Group.objects.all().delete()
    seed_roles()
    held = set(Group.objects.get(name="Administrator").permissions.values_list("codename", flat=True))
    assert held == {right.split(".")[1] for right in ALL if not right.startswith("settings_api")}


def test_it_does_nothing_where_there_are_no_accounts():
    class Empty:
        @staticmethod
        def get_model(*args):
            raise LookupError

    before = snapshot()
    seed_roles(apps=Empty)
    assert snapshot() == before
