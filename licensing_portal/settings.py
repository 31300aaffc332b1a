"""Django's settings, in Django's order. Every variable is read here; the README's table says what each one means."""

from pathlib import Path

import environ

from licensing_portal import environment as var

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")
DATA_DIR = Path(var.env.ENVIRON.get("DATA_DIR") or BASE_DIR / "data")
environ.Env.read_env(DATA_DIR / "secrets.env")  # what `make run` made; a variable that is set already wins

# Core

SECRET_KEY = var.secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = var.words("SECRET_KEY_FALLBACKS", default=[])
VAULT_KEYS = var.fernet_keys("VAULT_KEYS")
DEBUG = var.boolean("DEBUG", default=False)
ALLOWED_HOSTS = var.words("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = var.words("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXY_COUNT = var.integer("TRUSTED_PROXY_COUNT", default=0, high=10)
HTTPS = var.boolean("HTTPS", default=False)

INSTALLED_APPS = [
    "licensing_portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "licensing_portal.apps.PortalConfig",
    "licenses",
    "settings_api",
]

MIDDLEWARE = [
    "licensing_portal.middleware.client_address",
    "licensing_portal.middleware.protocol_paths",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "licensing_portal.urls"
WSGI_APPLICATION = "licensing_portal.wsgi.application"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes: every request body, S35

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Stores

DATABASES = {"default": var.database("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'portal.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": var.cache("CACHE_URL")}

# Staff

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and TRUSTED_PROXY_COUNT else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0

# Languages, times, files

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "licensing_portal" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Logs go to standard error, one line an event, without secrets

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "licensing_portal.logs.ScrubbingFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": var.word("LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")),
    },
    # Django's own handlers mail and print on their own; here everything takes the one way above
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.db.backends": {"level": "INFO"},
    },
}

# REST

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["licenses.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_RATES": {"settings": f"{var.integer('SETTINGS_REQUESTS_PER_MINUTE', default=60, low=1)}/min"},
    "NUM_PROXIES": None,  # middleware.client_address has set REMOTE_ADDR already
    "UNAUTHENTICATED_USER": None,
}

# The portal

PRODUCT_SIGNING_KEYS = var.boolean("PRODUCT_SIGNING_KEYS", default=True)
SIGNING_KEY_BITS = var.integer("SIGNING_KEY_BITS", default=2048, low=2048, high=4096)
LICENSE_SERVER_URL = var.env.ENVIRON.get("LICENSE_SERVER_URL", "")
LICENSE_SERVER_PUBLIC_KEY = var.env.ENVIRON.get("LICENSE_SERVER_PUBLIC_KEY", "")
LICENSE_SERVER_API_KEY = var.env.ENVIRON.get("LICENSE_SERVER_API_KEY", "")

# settings_api imports nothing from licenses: what it needs from there is named here
SETTINGS_API = {
    "RECORD": "licenses.events.record_setting",
    "LICENSE_STATUS": "licenses.services.installation.license_status",
}
