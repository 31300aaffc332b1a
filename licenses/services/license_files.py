"""License files for offline use: made with the product's own key, for a device that the license key runs on."""

from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.db import transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.events import Kind, record
from licenses.license_files import Facts, write_chunked, write_document
from licenses.models import Actor, LicenseKey, SigningKey
from licenses.services.activations import find_running
from licenses.services.signing_keys import unlock
from licenses.signing import encode_portable

GRACE_PERIOD_DAYS = 30
MAX_GRACE_PERIOD_DAYS = 365
ENVIRONMENT = "production"


class LicenseFile(NamedTuple):
    """One license file in its forms: `chunked` is the text of form A, `document` the JSON of forms B and C.

    `chunked` is None when the license key or the identifier is too long for a block of the signing key.
    """

    chunked: str | None
    document: dict[str, Any]

    @property
    def document_text(self) -> str:
        """The document as a file holds it: the text that is signed, with its signature."""
        return encode_portable(self.document)


@transaction.atomic
def get_license_file(
    *,
    license_key: str,
    identifier: str,
    grace_period_days: int = GRACE_PERIOD_DAYS,
    environment: str = "",
    actor: Actor,
) -> tuple[LicenseKey, LicenseFile]:
    """The license file of a live activation, recorded; refuses 202 without one, 503 when none can be made."""
    found, _ = find_running(license_key=license_key, identifier=identifier)
    made = make_license_file(
        found, identifier=identifier, grace_period_days=grace_period_days, environment=environment or ENVIRONMENT
    )
    if made is None:
        raise Refused(Code.LICENSE_FILE_FAILED, product_id=found.product_id)
    after = {"identifier": identifier, "license_file": made.document["id"], "grace_period_days": grace_period_days}
    record(Kind.LICENSE_FILE_MADE, found, actor=actor, after=after)
    return found, made


def make_license_file(
    found: LicenseKey,
    *,
    identifier: str,
    grace_period_days: int = GRACE_PERIOD_DAYS,
    environment: str = ENVIRONMENT,
) -> LicenseFile | None:
    """The license file of an activation, in both forms and unrecorded.

    None when its product has no signing key of its own.
    """
    private_key = _private_key(found)
    if private_key is None:
        return None
    newest = found.product.releases.filter(is_published=True).first()
    facts = _facts(
        found,
        identifier,
        product_version=newest.version if newest else None,
        activations_count=found.activations.live().count(),
    )
    document = write_document(
        facts, private_key, grace_period_days=grace_period_days, environment=environment, issued_at=timezone.now()
    )
    return LicenseFile(_chunked(facts, private_key), document)


def make_chunked(found: LicenseKey, *, identifier: str) -> str | None:
    """Form A alone, for answers that carry it beside other things; None without a key, or when it cannot be."""
    private_key = _private_key(found)
    return _chunked(_facts(found, identifier), private_key) if private_key else None


def _chunked(facts: Facts, private_key: RSAPrivateKey) -> str | None:
    try:
        return write_chunked(facts, private_key)
    except ValueError:
        return None


def _private_key(found: LicenseKey) -> RSAPrivateKey | None:
    signing_key = SigningKey.objects.active_of(found.product)
    return unlock(bytes(signing_key.private_key_locked)) if signing_key else None


def _facts(found: LicenseKey, identifier: str, **more: Any) -> Facts:
    """A feature that is off is left out: readers ask whether there is one of this name."""
    return Facts(
        license_key=found.license_key,
        identifier=identifier,
        expires_at=found.expires_at,
        product_uuid=str(found.product.uuid),
        features={name: value for name, value in found.allowed_features.items() if value is not False},
        metadata={row.name: row.value for row in found.metadata.all()},
        strict_expiry=found.product.require_non_expired,
        product_id=found.product_id,
        product_name=found.product.name,
        activation_limit=found.activation_limit,
        **more,
    )
