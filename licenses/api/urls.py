"""The table of endpoints: adding one is one function with its Params, one row here and a test file."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.urls import URLPattern, path, re_path

from licenses.api import (
    activations,
    changelog,
    contract_holders,
    contracts,
    downloads,
    features,
    generators,
    license_files,
    license_key_creation,
    license_key_management,
    license_keys,
    metadata,
    product_metadata,
    products,
    queued_assignments,
    random_assignment,
    telemetry,
)
from licenses.api.endpoint import Call, Endpoint, Handler, Reply, UnknownEndpoint
from licenses.api.fields import Params, ProductParams
from licenses.api.schema import EndpointSchema
from licenses.models import Capability

READ = ("get",)
EITHER = ("get", "post")


class Row(NamedTuple):
    """One endpoint.

    The capability is the API key's right to call it and, by its value, the path; `aliases` are further paths, whose
    `<name>`s are parameters. Without a capability it is public. `changes`: an Idempotency-Key counts.
    `prepare` comes before the transaction that this begins, and may answer already.
    """

    capability: Capability | None
    params: type[Params]
    handle: Handler
    methods: tuple[str, ...] = ("post",)
    changes: bool = False
    aliases: tuple[str, ...] = ()
    prepare: Callable[[Call], Reply | None] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.capability.value, *self.aliases) if self.capability else self.aliases

    def patterns(self) -> Iterator[URLPattern]:
        class View(Endpoint):
            capability, params, handle, changes = self.capability, self.params, self.handle, self.changes
            prepare = self.prepare
            http_method_names = list(self.methods)
            schema = EndpointSchema(self)

        for route in self.paths:
            yield path(route, View.as_view(), name=route)


C = Capability
ENDPOINTS = (
    # License keys as customers' software sees them
    Row(
        C.VERIFY,
        activations.VerifyParams,
        activations.verify,
        aliases=("licenses/verify", "licenses/validate"),
        prepare=activations.add_purchase_code,
    ),
    Row(
        C.ACTIVATE,
        activations.ActivateParams,
        activations.activate,
        changes=True,
        aliases=("licenses/activate",),
        prepare=activations.add_purchase_code,
    ),
    Row(
        C.DEACTIVATE,
        activations.DeactivateParams,
        activations.deactivate,
        changes=True,
        aliases=("licenses/deactivate",),
    ),
    Row(
        C.DEACTIVATE_ALL,
        activations.DeactivateAllParams,
        activations.deactivate_all,
        changes=True,
        aliases=("licenses/<license_key>/deactivate-all",),
    ),
    Row(C.GET_LICENSE_KEY_DETAILS, license_keys.LicenseKeyDetailsParams, license_keys.get_license_key_details),
    Row(
        C.GET_LICENSE_KEY_FEATURE,
        features.FeatureParams,
        features.get_license_key_feature,
        READ,
        aliases=("licenses/<license_key>/features/<feature>",),
    ),
    Row(
        C.GET_LICENSE_FILE,
        license_files.LicenseFileParams,
        license_files.get_license_file,
        aliases=("licenses/<license_key>/offline-file",),
    ),
    # Assignment
    Row(C.ASSIGN_LICENSE_KEY, license_keys.AssignLicenseKeyParams, license_keys.assign_license_key, changes=True),
    Row(
        C.ASSIGN_AND_ACTIVATE,
        license_keys.AssignAndActivateParams,
        license_keys.assign_and_activate_license_key,
        changes=True,
    ),
    Row(
        C.RANDOM_ASSIGN,
        random_assignment.RandomAssignParams,
        random_assignment.random_assign_license_keys,
        changes=True,
    ),
    Row(
        C.RANDOM_ASSIGN_QUEUED,
        queued_assignments.QueuedAssignParams,
        queued_assignments.random_assign_license_keys_queued,
        changes=True,
    ),
    # Management of license keys
    Row(
        C.CREATE_LICENSE_KEYS,
        license_key_creation.CreateLicenseKeysParams,
        license_key_creation.create_license_keys,
        changes=True,
    ),
    Row(
        C.UPDATE_LICENSE_KEY,
        license_key_management.UpdateLicenseKeyParams,
        license_key_management.update_license_key,
        changes=True,
    ),
    Row(
        C.DELETE_LICENSE_KEY,
        license_key_management.DeleteLicenseKeyParams,
        license_key_management.delete_license_key,
        changes=True,
    ),
    Row(
        C.GET_LICENSE_KEYS,
        license_key_management.GetLicenseKeysParams,
        license_key_management.get_license_keys,
        READ,
    ),
    Row(C.GET_AVAILABLE_COUNT, ProductParams, license_key_management.get_available_license_keys_count, READ),
    Row(C.CREATE_LICENSE_KEY_META, metadata.WriteMetadataParams, metadata.create_license_key_meta, changes=True),
    Row(C.UPDATE_LICENSE_KEY_META, metadata.WriteMetadataParams, metadata.update_license_key_meta, changes=True),
    Row(C.DELETE_LICENSE_KEY_META, metadata.DeleteMetadataParams, metadata.delete_license_key_meta, changes=True),
    # Products
    Row(C.CREATE_PRODUCT, products.CreateProductParams, products.create_product, changes=True),
    Row(C.UPDATE_PRODUCT, products.UpdateProductParams, products.update_product, changes=True),
    Row(C.DELETE_PRODUCT, ProductParams, products.delete_product, changes=True),
    Row(C.GET_ALL_PRODUCTS, Params, products.get_all_products, READ),
    Row(C.GET_PRODUCT, ProductParams, products.get_product, READ),
    Row(C.GET_PRODUCT_PUBLIC_KEY, ProductParams, products.get_product_public_key, READ),
    Row(C.GET_PRODUCT_META, product_metadata.ProductMetadataParams, product_metadata.get_product_meta, READ),
    Row(
        C.CREATE_PRODUCT_META,
        product_metadata.WriteProductMetadataParams,
        product_metadata.create_product_meta,
        changes=True,
    ),
    Row(
        C.UPDATE_PRODUCT_META,
        product_metadata.WriteProductMetadataParams,
        product_metadata.update_product_meta,
        changes=True,
    ),
    Row(
        C.DELETE_PRODUCT_META,
        product_metadata.DeleteProductMetadataParams,
        product_metadata.delete_product_meta,
        changes=True,
    ),
    # Generators
    Row(C.GET_ALL_GENERATORS, generators.GetAllGeneratorsParams, generators.get_all_generators, READ),
    Row(C.GENERATE, generators.GenerateParams, generators.generate, changes=True),
    # Contracts
    Row(C.GET_ALL_CONTRACTS, contracts.ContractsParams, contracts.get_all_contracts, READ),
    Row(C.CREATE_CONTRACT, contracts.CreateContractParams, contracts.create, changes=True),
    Row(C.UPDATE_CONTRACT, contracts.UpdateContractParams, contracts.update, changes=True),
    Row(C.DELETE_CONTRACT, contracts.ContractParams, contracts.delete, changes=True),
    Row(C.CONTRACT_GET_INFO, contract_holders.HolderParams, contract_holders.get_info, EITHER),
    Row(
        C.CONTRACT_GENERATE,
        contract_holders.GenerateParams,
        contract_holders.generate,
        changes=True,
        aliases=("contracts/<contract_key>/generate",),
    ),
    Row(C.CONTRACT_DESTROY, contract_holders.DestroyParams, contract_holders.destroy, changes=True),
    Row(C.CONTRACT_DESTROY_ALL, contract_holders.HolderParams, contract_holders.destroy_all, changes=True),
    # Releases and downloads
    Row(C.ACCESS_DOWNLOADABLES, downloads.AccessDownloadablesParams, downloads.access_downloadables, EITHER),
    Row(None, downloads.DownloadParams, downloads.download, READ, aliases=("download/<token>",)),
    Row(C.GET_PRODUCT_CHANGELOG, changelog.ProductChangelogParams, changelog.get_product_changelog, READ),
    Row(
        None,
        changelog.PublicChangelogParams,
        changelog.get_product_changelog,
        READ,
        aliases=("products/<slug>/changelog",),
    ),
    # Telemetry
    Row(
        C.SEND_TELEMETRY_DATA,
        telemetry.SendTelemetryParams,
        telemetry.send_telemetry_data,
        changes=True,
        aliases=("send-telemetry-date", "send-telemetry", "telemetry"),
    ),
    Row(
        C.GET_TELEMETRY_DATA,
        telemetry.GetTelemetryParams,
        telemetry.get_telemetry_data,
        READ,
        aliases=("get-telemetry-date", "get-telemetry"),
    ),
)

urlpatterns = [*(pattern for row in ENDPOINTS for pattern in row.patterns()), re_path("", UnknownEndpoint.as_view())]
