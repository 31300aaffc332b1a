"""The table of endpoints: adding one is one function with its Params, one row here and a test file."""

from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLPattern, path, re_path

from licenses.api import activations, license_keys, metadata
from licenses.api.endpoint import Endpoint, Handler, UnknownEndpoint
from licenses.api.fields import Params
from licenses.models import Capability

READ = ("get",)
EITHER = ("get", "post")


class Row(NamedTuple):
    """One endpoint.

    The capability is the API key's right to call it and, by its value, the path; `aliases` are further paths, whose
    `<name>`s are parameters. Without a capability it is public. `changes`: an Idempotency-Key counts.
    """

    capability: Capability | None
    params: type[Params]
    handle: Handler
    methods: tuple[str, ...] = ("post",)
    changes: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.capability.value, *self.aliases) if self.capability else self.aliases

    def patterns(self) -> Iterator[URLPattern]:
        class View(Endpoint):
            capability, params, handle, changes = self.capability, self.params, self.handle, self.changes
            http_method_names = list(self.methods)

        for route in self.paths:
            yield path(route, View.as_view(), name=route)


C = Capability
ENDPOINTS = (
    # License keys as customers' software sees them
    Row(C.VERIFY, activations.VerifyParams, activations.verify, aliases=("licenses/verify", "licenses/validate")),
    Row(C.ACTIVATE, activations.ActivateParams, activations.activate, changes=True, aliases=("licenses/activate",)),
    Row(
        C.DEACTIVATE,
        activations.DeactivateParams,
        activations.deactivate,
        changes=True,
        aliases=("licenses/deactivate",),
    ),
    Row(C.GET_LICENSE_KEY_DETAILS, license_keys.LicenseKeyDetailsParams, license_keys.get_license_key_details),
    # Assignment
    Row(C.ASSIGN_LICENSE_KEY, license_keys.AssignLicenseKeyParams, license_keys.assign_license_key, changes=True),
    # Management of license keys
    Row(C.CREATE_LICENSE_KEY_META, metadata.WriteMetadataParams, metadata.create_license_key_meta, changes=True),
    Row(C.UPDATE_LICENSE_KEY_META, metadata.WriteMetadataParams, metadata.update_license_key_meta, changes=True),
    Row(C.DELETE_LICENSE_KEY_META, metadata.DeleteMetadataParams, metadata.delete_license_key_meta, changes=True),
    # Products
    # Generators
    # Contracts
    # Releases and downloads
    # Telemetry
)

urlpatterns = [*(pattern for row in ENDPOINTS for pattern in row.patterns()), re_path("", UnknownEndpoint.as_view())]
