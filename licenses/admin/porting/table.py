"""THE TABLE of spreadsheets: one row per noun. What has an `identity` comes in too."""

from django.db.models import Model

from licenses.admin.porting import catalog, customers, records
from licenses.admin.porting.resources import PortableResource
from licenses.models import (
    Activation,
    ApiKey,
    Assignment,
    AssignmentRow,
    AuditEvent,
    BlockListEntry,
    Contract,
    Downloadable,
    Generator,
    LicenseKey,
    LicenseKeyMetadata,
    Owner,
    Product,
    ProductMetadata,
    QueuedAssignment,
    Release,
    SigningKey,
    TelemetryRecord,
)

RESOURCES: dict[type[Model], type[PortableResource]] = {
    Activation: records.ActivationResource,
    ApiKey: records.ApiKeyResource,
    Assignment: records.AssignmentResource,
    AssignmentRow: records.AssignmentRowResource,
    AuditEvent: records.AuditEventResource,
    BlockListEntry: customers.BlockListResource,
    Contract: customers.ContractResource,
    Downloadable: records.DownloadableResource,
    Generator: catalog.GeneratorResource,
    LicenseKey: customers.LicenseKeyResource,
    LicenseKeyMetadata: customers.LicenseKeyMetadataResource,
    Owner: customers.OwnerResource,
    Product: catalog.ProductResource,
    ProductMetadata: catalog.ProductMetadataResource,
    QueuedAssignment: records.QueuedAssignmentResource,
    Release: catalog.ReleaseResource,
    SigningKey: records.SigningKeyResource,
    TelemetryRecord: records.TelemetryResource,
}
