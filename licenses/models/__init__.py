"""What the portal stores: one module per noun."""

from licenses.models.activations import Activation
from licenses.models.api_keys import ApiKey, Capability
from licenses.models.assignments import Assignment, AssignmentRow
from licenses.models.audit import Actor, AuditEvent, Door
from licenses.models.license_keys import LicenseKey, LicenseKeyMetadata
from licenses.models.owners import Owner
from licenses.models.products import Product, ProductMetadata
from licenses.models.signing_keys import SigningKey

__all__ = [
    "Activation",
    "Actor",
    "ApiKey",
    "Assignment",
    "AssignmentRow",
    "AuditEvent",
    "Capability",
    "Door",
    "LicenseKey",
    "LicenseKeyMetadata",
    "Owner",
    "Product",
    "ProductMetadata",
    "SigningKey",
]
