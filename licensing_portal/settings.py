"""Django's settings, in Django's order. Every variable is read here; the README's table says what each one means."""

from pathlib import Path

import drf_spectacular_sidecar
from whitenoise.compress import Compressor  # type: ignore[import-untyped]

from licensing_portal import environment as var
from licensing_portal import logs
from licensing_portal.staff.provider import openid_connect

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = var.read_files(BASE_DIR)

# Core

SECRET_KEY = var.secret_key("SECRET_KEY")
SECRET_KEY_FALLBACKS = var.secret_keys("SECRET_KEY_FALLBACKS")
VAULT_KEYS = var.fernet_keys("VAULT_KEYS")
ALLOWED_HOSTS = var.hosts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DEBUG = var.debug("DEBUG", hosts=[*ALLOWED_HOSTS, *var.words("BIND", default=[])])
CSRF_TRUSTED_ORIGINS = var.origins("CSRF_TRUSTED_ORIGINS")
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
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "licenses",
    "settings_api",
    "licensing_portal.staff",
]

MIDDLEWARE = [
    "licensing_portal.middleware.client_address",
    "licensing_portal.middleware.protocol_paths",
    "licensing_portal.middleware.readable_cookies",
    "csp.middleware.CSPMiddleware",
    "licensing_portal.middleware.careful_headers",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "licensing_portal.staff.middleware.second_factor",
    "licensing_portal.middleware.DatabaseFailures",
]

ROOT_URLCONF = "licensing_portal.urls"
WSGI_APPLICATION = "licensing_portal.wsgi.application"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes: every request body, S35
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000  # of a form and of a query
COUNT_REFUSED_CALLS = var.boolean("COUNT_REFUSED_CALLS", default=True)
STATEMENT_TIMEOUT_SECONDS = var.integer("STATEMENT_TIMEOUT_SECONDS", default=5, high=600)  # licensing_portal/wsgi.py

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

# All that is stored encrypted under VAULT_KEYS: model, field and, where that is JSON, the members that hold it.
# rotate_vault_keys goes through it, past what is not installed; no app needs to know the others' tables
VAULT = [
    ("licenses.SigningKey", "private_key_locked", ()),
    ("licenses.AuditChain", "locked_key", ()),
    ("settings_api.Setting", "encrypted_value", ()),
    ("mfa.Authenticator", "data", ("secret", "seed", "migrated_codes")),
]

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
SECOND_FACTOR_REQUIRED = var.word(
    "SECOND_FACTOR_REQUIRED", default="superusers", among=("nobody", "superusers", "staff")
)
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "admin:index"
SESSION_COOKIE_AGE = 3600 * var.integer("SESSION_HOURS", default=12, low=1, high=24 * 14)

# Staff: the pages of django-allauth that staff/urls.py routes. Nobody signs up here, and nothing is mailed

ACCOUNT_ADAPTER = "licensing_portal.staff.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_FORMS = {
    "login": "licensing_portal.staff.forms.SignInForm",
    "reauthenticate": "licensing_portal.staff.forms.ConfirmByPasswordForm",
}
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False  # staff/limits.py counts, exactly and in all processes
ACCOUNT_SESSION_REMEMBER = True  # for SESSION_HOURS
ACCOUNT_UNIQUE_EMAIL = False
MFA_ADAPTER = "licensing_portal.staff.adapters.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "licensing_portal.staff.forms.CodeForm",
    "reauthenticate": "licensing_portal.staff.forms.ConfirmByCodeForm",
    "activate_totp": "licensing_portal.staff.forms.AuthenticatorAppForm",
    "add_webauthn": "licensing_portal.staff.forms.PasskeyForm",
    "edit_webauthn": "licensing_portal.staff.forms.RenameForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODE_DIGITS = 10
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds, before and after: clocks differ, and people type slowly
SOCIALACCOUNT_ADAPTER = "licensing_portal.staff.single_sign_on.SingleSignOnAdapter"
OIDC = openid_connect(
    server_url=var.url("OIDC_SERVER_URL"),
    client_id=var.text("OIDC_CLIENT_ID"),
    client_secret=var.text("OIDC_CLIENT_SECRET"),
    staff_group=var.text("OIDC_STAFF_GROUP"),
    superuser_group=var.text("OIDC_SUPERUSER_GROUP"),
    groups_claim=var.text("OIDC_GROUPS_CLAIM"),
    name=var.text("OIDC_NAME"),
)
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [OIDC.app] if OIDC else []}}

# Browsers

SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"  # `__Host-`: no other host may set it
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # Strict would lose the session on the way back from a sign-in
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and TRUSTED_PROXY_COUNT else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains: the other hosts of the vendor's domain are not this portal's to decide on
    "security.W021",  # HSTS preloading: for the same reason
]
CONTENT_SECURITY_POLICY = {  # of pages; what is no page may load nothing at all (middleware.careful_headers)
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # the signs on Swagger UI's buttons
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],  # the way to a provider of OpenID Connect is a page, not a form's redirect
        "frame-ancestors": ["'none'"],
    }
}

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
    "staticfiles": {"BACKEND": "licensing_portal.static_files.Storage"},
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

PORTAL_VERSION = "0.1.0"  # as pyproject.toml has it
PRODUCT_SIGNING_KEYS = var.boolean("PRODUCT_SIGNING_KEYS", default=True)
LICENSE_KEY_FUNCTIONS = var.words("LICENSE_KEY_FUNCTIONS", default=[])
PUBLIC_URL = var.url("PUBLIC_URL")
DOWNLOAD_LINK_MINUTES = var.integer("DOWNLOAD_LINK_MINUTES", default=15, low=1, high=1440)
CHANGELOG = var.boolean("CHANGELOG", default=True)
SIGNING_KEY_BITS = int(var.word("SIGNING_KEY_BITS", default="2048", among=("2048", "3072", "4096")))
LICENSE_SERVER_URL = var.text("LICENSE_SERVER_URL")
LICENSE_SERVER_PUBLIC_KEY = var.text("LICENSE_SERVER_PUBLIC_KEY")
LICENSE_SERVER_API_KEY = var.text("LICENSE_SERVER_API_KEY")
OUTGOING_ALLOWED_NETWORKS = var.networks("OUTGOING_ALLOWED_NETWORKS")
ENVATO_TOKEN = var.text("ENVATO_TOKEN")
ENVATO_API_URL = var.url("ENVATO_API_URL") or "https://api.envato.com"

# How often a minute; 0: as often as anybody likes. Without Redis to count in, each count is a write to the database

has_redis = bool(var.text("CACHE_URL"))
ADDRESS_REQUESTS_PER_MINUTE = var.integer(
    "ADDRESS_REQUESTS_PER_MINUTE", default=1200 if has_redis else 0, high=1_000_000
)
API_KEY_REQUESTS_PER_MINUTE = var.integer("API_KEY_REQUESTS_PER_MINUTE", default=0, high=1_000_000)
LICENSE_KEY_REQUESTS_PER_MINUTE = var.integer(
    "LICENSE_KEY_REQUESTS_PER_MINUTE", default=600 if has_redis else 0, high=1_000_000
)
WRONG_KEYS_PER_MINUTE = var.integer("WRONG_KEYS_PER_MINUTE", default=10, high=1_000_000)
SETTINGS_REQUESTS_PER_MINUTE = var.integer("SETTINGS_REQUESTS_PER_MINUTE", default=60, low=1, high=1_000_000)

# settings_api imports nothing from licenses: what it needs from there is named here
SETTINGS_API = {
    "TAKE": "licenses.services.throttles.take",
    "RECORD": "licenses.events.record_setting",
    "LICENSE_STATUS": "licenses.services.installation.license_status",
}
