"""The menu beside every page of the admin, in the groups in which staff think."""

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse


class Page(NamedTuple):
    """An entry that is no model's list. `right` is what staff need to see it; empty, all of them do."""

    title: str
    route: str
    right: str = ""
    icon: str = "page"  # one of portal/icons.svg


HEALTH = Page("Health", "health_page", "settings_api.view_setting", "health")

# Models by name: whoever may not see one does not get its entry. Models that are not named follow in the last group
MENU: tuple[tuple[str, tuple[str | Page, ...]], ...] = (
    ("", (Page("Overview", "admin:index", icon="overview"),)),
    ("Customers", ("LicenseKey", "Owner", "Activation", "Contract", "BlockListEntry")),
    ("Catalogue", ("Product", "Generator", "Release")),
    ("Bulk work", ("Assignment", "QueuedAssignment")),
    ("Integration", ("ApiKey", "SigningKey", "TelemetryRecord")),
    (
        "Portal",
        (
            "AuditEvent",
            "User",
            "Group",
            "Setting",
            Page("Health", "health_page", "settings_api.view_setting", "health"),
        ),
    ),
)
ORDER = tuple(name for _, entries in MENU for name in entries if isinstance(name, str))


class Entry(NamedTuple):
    title: str
    url: str
    icon: str
    is_current: bool


def menu(request: HttpRequest, apps: list[Any]) -> list[dict[str, Any]]:
    """The groups of entries that these staff may use, without those that would be empty."""
    models = {model["object_name"]: model for app in apps for model in app["models"] if model["admin_url"]}
    groups = [
        {"title": title, "entries": [entry for name in names if (entry := _entry(request, name, models))]}
        for title, names in MENU
    ]
    others = [_model_entry(request, models[name]) for name in models if name not in ORDER]
    groups[-1]["entries"] = [*groups[-1]["entries"], *others]
    return [group for group in groups if group["entries"]]


def place(model: dict[str, Any]) -> tuple[int, str]:
    """Where a model stands among the others, for lists of them."""
    name = model["object_name"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), str(model["name"]))


def _entry(request: HttpRequest, name: str | Page, models: dict[str, Any]) -> Entry | None:
    if isinstance(name, str):
        return _model_entry(request, models[name]) if name in models else None
    if name.right and not request.user.has_perm(name.right):
        return None
    url = reverse(name.route)
    return Entry(name.title, url, name.icon, request.path == url)


def _model_entry(request: HttpRequest, model: dict[str, Any]) -> Entry:
    name, url = model["object_name"], model["admin_url"]
    icon = name.lower() if name in ORDER else "page"
    return Entry(str(model["name"]), url, icon, request.path.startswith(url))
