"""create-license-key-meta, update-license-key-meta and delete-license-key-meta. The protocol calls a name a key."""

from licenses.api.answers import GATE, answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LICENSE_ALIASES, LicenseParams, LongTextField, TextField
from licenses.codes import Code
from licenses.services.metadata import create_metadata, delete_metadata, update_metadata


class DeleteMetadataParams(LicenseParams):
    aliases = LICENSE_ALIASES | {"key": ("meta_key",)}
    needed: tuple[str, ...] = (*LicenseParams.needed, "key")

    key = TextField(source="name")


class WriteMetadataParams(DeleteMetadataParams):
    aliases = DeleteMetadataParams.aliases | {"value": ("meta_value",)}
    needed: tuple[str, ...] = (*DeleteMetadataParams.needed, "value")

    value = LongTextField()


@answers(
    Code.METADATA_CREATED,
    *GATE,
    Code.CREATE_METADATA_NAME_REQUIRED,
    Code.CREATE_METADATA_VALUE_REQUIRED,
    Code.CREATE_METADATA_EXISTS,
)
def create_license_key_meta(call: Call) -> Reply:
    metadata = create_metadata(**call.params, actor=call.actor)
    return Reply(Code.METADATA_CREATED, {"meta_id": metadata.pk}, metadata.license_key.product_id)


@answers(
    Code.METADATA_UPDATED,
    *GATE,
    Code.UPDATE_METADATA_NAME_REQUIRED,
    Code.UPDATE_METADATA_VALUE_REQUIRED,
    Code.UPDATE_METADATA_NOT_FOUND,
)
def update_license_key_meta(call: Call) -> Reply:
    metadata = update_metadata(**call.params, actor=call.actor)
    return Reply(Code.METADATA_UPDATED, {"meta_id": metadata.pk}, metadata.license_key.product_id)


@answers(Code.METADATA_DELETED, *GATE, Code.DELETE_METADATA_NAME_REQUIRED, Code.DELETE_METADATA_NOT_FOUND)
def delete_license_key_meta(call: Call) -> Reply:
    found = delete_metadata(**call.params, actor=call.actor)
    return Reply(Code.METADATA_DELETED, product_id=found.product_id)
