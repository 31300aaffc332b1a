"""The audit chain begins here, and nowhere else: its row with a key, and a seal on where it ends.

Were it begun by whoever finds no row, somebody who owns the tables could delete the row and have the portal link a past
that he wrote. What `licenses.audit_chain` does later may change; what this migration makes is written out here.
"""

import hmac
import secrets
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import migrations, models

KEY_BYTES = 32
LABEL = b"audit chain:"  # tells the key from other secrets of 32 bytes under VAULT_KEYS, which somebody may know
UNREADABLE = (
    "the key of the audit chain cannot be decrypted with any of VAULT_KEYS, so its end cannot be sealed: "
    "put the vault key it was made under back into VAULT_KEYS, after the newest one, and migrate again"
)


def begin(apps, schema_editor=None):
    """Make the row if there is none; seal the one that is there as it stands."""
    rows = apps.get_model("licenses", "AuditChain").objects
    chain = rows.first()
    if chain is None:
        key = secrets.token_bytes(KEY_BYTES)
        rows.create(pk=1, locked_key=locked(LABEL + key), seal=seal_of(key, 0, ""))
        return
    key = opened(chain.locked_key).removeprefix(LABEL)
    seal = seal_of(key, chain.position, chain.digest)
    rows.filter(pk=1).update(locked_key=locked(LABEL + key), seal=seal)


def take_back(apps, schema_editor):
    """The version before knows the key without its label."""
    rows = apps.get_model("licenses", "AuditChain").objects
    for chain in rows.all():
        rows.filter(pk=1).update(locked_key=locked(opened(chain.locked_key).removeprefix(LABEL)))


def seal_of(key, position, digest):
    return hmac.digest(key, f"end {position}:{digest}".encode(), sha256).hex()


def locked(text):
    return vault().encrypt(text)


def opened(token):
    try:
        return vault().decrypt(bytes(token))
    except InvalidToken:
        raise ImproperlyConfigured(UNREADABLE) from None


def vault():
    return MultiFernet([Fernet(key) for key in settings.VAULT_KEYS])


class Migration(migrations.Migration):
    dependencies = [("licenses", "0011_written_all_day")]

    operations = [
        migrations.AddField(
            model_name="auditchain",
            name="seal",
            field=models.CharField(default="", max_length=64),
        ),
        migrations.RunPython(begin, take_back),
    ]
