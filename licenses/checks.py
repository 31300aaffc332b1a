"""System checks of the portal: what must hold before it serves."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from licenses.models import SigningKey
from licenses.services import signing_keys


@register("signing", deploy=True)
def check_global_signing_key(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Answers can be sealed. Looks into the database only where asked: `check --deploy --database default`."""
    if "default" not in (databases or ()):
        return []
    try:
        if SigningKey._meta.db_table not in connection.introspection.table_names():
            return [Error("The database has no tables yet.", hint="Run `manage.py migrate`.", id="licenses.E003")]
        signing_keys.signer_for(None)
    except ImproperlyConfigured:
        return [
            Error(
                "There is no global signing key, so no answer can be sealed.",
                hint="Run `manage.py create_signing_key`.",
                id="licenses.E001",
            )
        ]
    except InvalidToken:
        return [
            Error(
                "The global signing key cannot be decrypted with any of VAULT_KEYS.",
                hint="Put the vault key it was made under back into VAULT_KEYS, after the newest one.",
                id="licenses.E002",
            )
        ]
    except DatabaseError:
        return [Warning("The database does not answer: the signing key is not checked.", id="licenses.W001")]
    return []


@register("settings")
def check_license_server(**kwargs: Any) -> list[CheckMessage]:
    """The other portal is asked only when it is named whole; half a name would silently ask this one."""
    if bool(settings.LICENSE_SERVER_URL) == bool(settings.LICENSE_SERVER_PUBLIC_KEY):
        return []
    return [
        Warning(
            "Only one of LICENSE_SERVER_URL and LICENSE_SERVER_PUBLIC_KEY is set, so the license is looked up here.",
            hint="Set both, or neither.",
            id="licenses.W002",
        )
    ]
