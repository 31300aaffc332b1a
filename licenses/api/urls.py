"""The table of endpoints: adding one is one function with its Params, one row here and a test file."""

from typing import NamedTuple

from django.urls import URLPattern, path, re_path

from licenses.api import activations, license_keys, metadata
from licenses.api.endpoint import Endpoint, Handler, UnknownEndpoint
from licenses.api.fields import Params
from licenses.models import Capability


class Row(NamedTuple):
    """One endpoint. The capability is the API key's right to call it and, by its value, the path."""

    capability: Capability
    params: type[Params]
    handle: Handler
    methods: tuple[str, ...] = ("post",)

    def pattern(self) -> URLPattern:
        class View(Endpoint):
            capability, params, handle = self.capability, self.params, self.handle
            http_method_names = list(self.methods)

        return path(self.capability.value, View.as_view(), name=self.capability.value)


ENDPOINTS = (
    Row(Capability.VERIFY, activations.VerifyParams, activations.verify),
    Row(Capability.ACTIVATE, activations.ActivateParams, activations.activate),
    Row(Capability.DEACTIVATE, activations.DeactivateParams, activations.deactivate),
    Row(
        Capability.GET_LICENSE_KEY_DETAILS,
        license_keys.LicenseKeyDetailsParams,
        license_keys.get_license_key_details,
    ),
    Row(Capability.ASSIGN_LICENSE_KEY, license_keys.AssignLicenseKeyParams, license_keys.assign_license_key),
    Row(Capability.CREATE_LICENSE_KEY_META, metadata.WriteMetadataParams, metadata.create_license_key_meta),
    Row(Capability.UPDATE_LICENSE_KEY_META, metadata.WriteMetadataParams, metadata.update_license_key_meta),
    Row(Capability.DELETE_LICENSE_KEY_META, metadata.DeleteMetadataParams, metadata.delete_license_key_meta),
)

urlpatterns = [*(row.pattern() for row in ENDPOINTS), re_path("", UnknownEndpoint.as_view())]
