from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView


class SettingsThrottle(BaseThrottle):
    """So many requests a minute per API key, or per address for callers without one; exact with several processes."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        per_minute = settings.SETTINGS_REQUESTS_PER_MINUTE
        take = import_string(settings.SETTINGS_API["TAKE"])
        self.seconds: float = take(f"settings {_caller(request)}", burst=per_minute, per_minute=per_minute)
        return not self.seconds

    def wait(self) -> float:
        return self.seconds


def _caller(request: Request) -> str:
    """X-Forwarded-For is the caller's own text: middleware.client_address has set REMOTE_ADDR already."""
    return f"key-{request.user.pk}" if request.user else str(request.META.get("REMOTE_ADDR", ""))
