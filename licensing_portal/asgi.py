"""The ASGI application, for servers that speak it; gunicorn with licensing_portal.wsgi is faster here."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")

application = get_asgi_application()
