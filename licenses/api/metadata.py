"""create-license-key-meta, update-license-key-meta and delete-license-key-meta. The protocol calls a name a key."""

from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LICENSE_ALIASES, LicenseParams, LongTextField, TextField
from licenses.codes import Code
from licenses.services.metadata import create_metadata, delete_metadata, update_metadata


class DeleteMetadataParams(LicenseParams):
    aliases = LICENSE_ALIASES | {"key": ("meta_key",)}

    key = TextField(source="name")


class WriteMetadataParams(DeleteMetadataParams):
    aliases = DeleteMetadataParams.aliases | {"value": ("meta_value",)}

    value = LongTextField()


def create_license_key_meta(call: Call) -> Reply:
    metadata = create_metadata(**call.params, actor=call.actor)
    return Reply(Code.METADATA_CREATED, {"meta_id": metadata.pk}, metadata.license_key.product_id)


def update_license_key_meta(call: Call) -> Reply:
    metadata = update_metadata(**call.params, actor=call.actor)
    return Reply(Code.METADATA_UPDATED, {"meta_id": metadata.pk}, metadata.license_key.product_id)


def delete_license_key_meta(call: Call) -> Reply:
    found = delete_metadata(**call.params, actor=call.actor)
    return Reply(Code.METADATA_DELETED, product_id=found.product_id)
