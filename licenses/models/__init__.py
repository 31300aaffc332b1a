"""What the portal stores: one module per noun."""

from licenses.models.activations import Activation
from licenses.models.api_keys import ApiKey, Capability, Profile
from licenses.models.assignments import Assignment, AssignmentFile, AssignmentRow
from licenses.models.audit import Actor, AuditChain, AuditEvent, Door
from licenses.models.block_list import BlockListEntry
from licenses.models.contracts import Contract
from licenses.models.daily_counts import DailyCount
from licenses.models.figures import Figures
from licenses.models.generators import Generator
from licenses.models.idempotency import IdempotencyRecord
from licenses.models.import_files import ImportFile
from licenses.models.license_keys import LicenseKey, LicenseKeyMetadata
from licenses.models.owners import Owner
from licenses.models.products import Product, ProductMetadata
from licenses.models.queued_assignments import QueuedAssignment
from licenses.models.refused_calls import RefusedCall
from licenses.models.releases import Downloadable, Release
from licenses.models.signing_keys import SigningKey
from licenses.models.telemetry import TelemetryRecord
from licenses.models.throttles import ThrottleBucket
from licenses.models.workers import Worker

__all__ = [
    "Activation",
    "Actor",
    "ApiKey",
    "Assignment",
    "AssignmentFile",
    "AssignmentRow",
    "AuditChain",
    "AuditEvent",
    "BlockListEntry",
    "Capability",
    "Contract",
    "DailyCount",
    "Door",
    "Downloadable",
    "Figures",
    "Generator",
    "IdempotencyRecord",
    "ImportFile",
    "LicenseKey",
    "LicenseKeyMetadata",
    "Owner",
    "Product",
    "ProductMetadata",
    "Profile",
    "QueuedAssignment",
    "RefusedCall",
    "Release",
    "SigningKey",
    "TelemetryRecord",
    "ThrottleBucket",
    "Worker",
]
