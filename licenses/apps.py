from typing import Any

from django.apps import AppConfig
from django.apps import apps as current_apps
from django.db.models.signals import post_migrate


class LicensesConfig(AppConfig):
    name = "licenses"
    verbose_name = "Licensing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from licenses import checks  # noqa: F401  registers the system checks

        post_migrate.connect(seed_roles, dispatch_uid="licenses.seed_roles")


def seed_roles(*, app_config: AppConfig, using: str, apps: Any = current_apps, **kwargs: Any) -> None:
    """A signal, because Django makes permissions in this same signal: no migration can give them to groups.

    It comes once for each app; after the last one all permissions are there.
    """
    from licenses.services import roles

    if app_config is [app for app in current_apps.get_app_configs() if app.models_module][-1]:
        roles.seed_roles(apps=apps, using=using)
