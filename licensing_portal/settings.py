"""Django's settings, in Django's order. Every variable is read here; the README's table says what each one means."""

from pathlib import Path

import drf_spectacular_sidecar
from whitenoise.compress import Compressor  # type: ignore[import-untyped]

from licensing_portal import environment as var
from licensing_portal import logs

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = var.read_files(BASE_DIR)

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
    "drf_spectacular",
    "licenses",
    "settings_api",
]

MIDDLEWARE = [
    "licensing_portal.middleware.client_address",
    "licensing_portal.middleware.protocol_paths",
    "licensing_portal.middleware.readable_cookies",
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

DATABASES = {"default": var.database("DATABASE_URL", default=var.sqlite_url(DATA_DIR / "portal.sqlite3"))}
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
SWAGGER_UI = "drf_spectacular_sidecar/swagger-ui-dist"  # of the package only this, without Redoc
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [
    BASE_DIR / "licensing_portal" / "static",
    (SWAGGER_UI, Path(drf_spectacular_sidecar.__file__).parent / "static" / SWAGGER_UI),
]
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = DATA_DIR / "media"  # files of releases; no URL leads there, /api/v1/download/ asks who may have them
MAX_RELEASE_FILE_MB = var.integer("MAX_RELEASE_FILE_MB", default=1024, low=1, high=1_000_000)
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "licensing_portal.uploads.StaffUploadHandler",
]

# Logs go to standard error, one line an event, without secrets

LOGGING = logs.to_stderr(var.word("LOG_LEVEL", default="INFO", among=logs.LEVELS))

# REST

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["licenses.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_RATES": {"settings": f"{var.integer('SETTINGS_REQUESTS_PER_MINUTE', default=60, low=1)}/min"},
    "NUM_PROXIES": 0,  # X-Forwarded-For is the caller's own text; middleware.client_address has set REMOTE_ADDR already
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Licensing portal",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_AUTHENTICATION": [],  # the reference is public: it says nothing about this portal
    "SWAGGER_UI_DIST": "SIDECAR",  # from this server, not from the internet
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "list", "filter": True},
    "PARSER_WHITELIST": ["rest_framework.parsers.FormParser", "rest_framework.parsers.JSONParser"],
    "PREPROCESSING_HOOKS": ["licenses.api.schema.keep_endpoints"],
    "POSTPROCESSING_HOOKS": ["licenses.api.schema.add_components"],
    "SORT_OPERATIONS": False,  # the order of the table
    "SORT_OPERATION_PARAMETERS": False,
}

# The portal

PRODUCT_SIGNING_KEYS = var.boolean("PRODUCT_SIGNING_KEYS", default=True)
LICENSE_KEY_FUNCTIONS = var.words("LICENSE_KEY_FUNCTIONS", default=[])
PUBLIC_URL = var.url("PUBLIC_URL")
DOWNLOAD_LINK_MINUTES = var.integer("DOWNLOAD_LINK_MINUTES", default=15, low=1, high=1440)
CHANGELOG = var.boolean("CHANGELOG", default=True)
SIGNING_KEY_BITS = int(var.word("SIGNING_KEY_BITS", default="2048", among=("2048", "3072", "4096")))
LICENSE_SERVER_URL = var.env.ENVIRON.get("LICENSE_SERVER_URL", "")
LICENSE_SERVER_PUBLIC_KEY = var.env.ENVIRON.get("LICENSE_SERVER_PUBLIC_KEY", "")
LICENSE_SERVER_API_KEY = var.env.ENVIRON.get("LICENSE_SERVER_API_KEY", "")
OUTGOING_ALLOWED_NETWORKS = var.networks("OUTGOING_ALLOWED_NETWORKS")
ENVATO_TOKEN = var.env.ENVIRON.get("ENVATO_TOKEN", "").strip()
ENVATO_API_URL = var.url("ENVATO_API_URL") or "https://api.envato.com"

# settings_api imports nothing from licenses: what it needs from there is named here
SETTINGS_API = {
    "RECORD": "licenses.events.record_setting",
    "LICENSE_STATUS": "licenses.services.installation.license_status",
}
