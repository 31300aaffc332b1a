from django.apps import AppConfig


class SettingsApiConfig(AppConfig):
    name = "settings_api"
    verbose_name = "Portal settings"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from settings_api import checks  # noqa: F401  registers the system check
        from settings_api.resolve import check_environment

        check_environment()
