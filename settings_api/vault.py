"""Values at rest: encrypted under settings.VAULT_KEYS, which are not in the database."""

import json
from typing import cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from settings_api.parameters import Parameter, Value


class Unreadable(Exception):
    """The bytes are not a value of this setting under any of VAULT_KEYS."""


def encrypt(parameter: Parameter, value: Value) -> bytes:
    """The value for storage. The name goes with it, so that a row's bytes mean nothing in another row."""
    return _fernet().encrypt(json.dumps([parameter.name, value]).encode())


def decrypt(parameter: Parameter, encrypted: bytes) -> Value:
    try:
        name, value = json.loads(_fernet().decrypt(encrypted))
    except (InvalidToken, ValueError, TypeError):
        raise Unreadable(parameter.name) from None
    if name != parameter.name or type(value) is not parameter.kind.json_type:
        raise Unreadable(parameter.name)
    return cast(Value, value)


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.VAULT_KEYS])
