"""The spreadsheets of what happens by itself: they go out and never come in."""

from functools import partial

from licenses.admin.porting.cells import FlagCell, JsonCell, LongTextCell, MomentCell
from licenses.admin.porting.columns import product_cell
from licenses.admin.porting.resources import Column, PortableResource
from licenses.models import (
    Activation,
    ApiKey,
    Assignment,
    AssignmentRow,
    AuditEvent,
    Downloadable,
    QueuedAssignment,
    SigningKey,
    TelemetryRecord,
)

Shown = partial(Column, fixed=True)


class ActivationResource(PortableResource):
    identifier = Shown("identifier", "Where it runs.")
    license_key = Shown("license_key__license_key", "The license key.", name="license_key")
    activated_at = Shown("activated_at", "Since when.", MomentCell())
    deactivated_at = Shown("deactivated_at", "Until when; empty while it runs.", MomentCell())
    last_verified_at = Shown("last_verified_at", "The last verification, to the hour.", MomentCell())
    address = Shown("address", "The IP address that activated it.")

    related = ("license_key",)

    class Meta:
        model = Activation


class ApiKeyResource(PortableResource):
    """Never the digest: whoever has it can try texts against it."""

    name = Shown("name", "Who uses it.")
    prefix = Shown("prefix", "How it begins.")
    capabilities = Shown("capabilities", "What it may do.", JsonCell())
    allowed_networks = Shown("allowed_networks", "From where.", JsonCell())
    profile = Shown("profile", "The client profile.")
    contract = Shown("contract__name", "The contract it speaks of.", name="contract")
    is_active = Shown("is_active", "Whether it works.", FlagCell())
    expires_at = Shown("expires_at", "Until when.", MomentCell())
    last_used_at = Shown("last_used_at", "When it was used last.", MomentCell())
    created_at = Shown("created_at", "When it was made.", MomentCell())

    related = ("contract",)
    hidden = ("digest",)

    class Meta:
        model = ApiKey


class AssignmentResource(PortableResource):
    source = Shown("source", "The file's name.")
    rows_total = Shown("rows_total", "Rows in it.")
    started_at = Shown("started_at", "When it began.", MomentCell())
    finished_at = Shown("finished_at", "When it ended.", MomentCell())

    class Meta:
        model = Assignment


class AssignmentRowResource(PortableResource):
    assignment = Shown("assignment__source", "The file's name.", name="assignment")
    line = Shown("line", "Its line in the file.")
    license_key = Shown("license_key__license_key", "What was assigned.", name="license_key")
    outcome = Shown("outcome", "assigned or refused.")
    problem = Shown("problem", "Why it was refused.")

    related = ("assignment", "license_key")

    class Meta:
        model = AssignmentRow


class AuditEventResource(PortableResource):
    occurred_at = Shown("occurred_at", "When.", MomentCell())
    kind = Shown("kind", "What happened.")
    actor = Shown("actor", "Who.")
    door = Shown("door", "Through which door.")
    address = Shown("address", "From which IP address.")
    object_type = Shown("object_type", "To what.")
    object_id = Shown("object_id", "Its number.")
    object_label = Shown("object_label", "What it is called.")
    before = Shown("before", "What was.", JsonCell())
    after = Shown("after", "What is since then.", JsonCell())
    position = Shown("position", "Its place in the chain.")

    hidden = ("digest",)

    class Meta:
        model = AuditEvent


class DownloadableResource(PortableResource):
    file_name = Shown("file_name", "What it is saved under.")
    product = Shown("release__product", "Its product.", product_cell(), name="product")
    version = Shown("release__version", "Its release.", name="version")
    download_counter = Shown("download_counter", "How often it was downloaded.")
    created_at = Shown("created_at", "When it was added.", MomentCell())

    related = ("release__product",)

    class Meta:
        model = Downloadable


class QueuedAssignmentResource(PortableResource):
    """Never the webhook's URL, which is all that the shop checks, nor the answer with its license keys."""

    product = Shown("product", "Of what.", product_cell())
    quantity = Shown("quantity", "How many.")
    state = Shown("state", "What became of it.")
    code = Shown("code", "What the shop was answered.")
    owner_name = Shown("owner_name", "For whom.")
    owner_email = Shown("owner_email", "For whom.")
    identifier = Shown("identifier", "The shop's own.")
    requested_by = Shown("requested_by", "The API key that asked.")
    attempts = Shown("attempts", "How often it was delivered or tried.")
    problem = Shown("problem", "Why the last delivery failed.")
    created_at = Shown("created_at", "When it was asked for.", MomentCell())
    delivered_at = Shown("delivered_at", "When it was delivered.", MomentCell())

    related = ("product",)
    hidden = ("webhook_url", "envelope")

    class Meta:
        model = QueuedAssignment


class SigningKeyResource(PortableResource):
    """Never the private half, not even locked."""

    fingerprint = Shown("fingerprint", "SHA-256 of the public key.")
    product = Shown("product", "For which product it signs; empty: the global one.", product_cell())
    status = Shown("status", "upcoming, active, retired or compromised.")
    bits = Shown("bits", "Its size.")
    public_key = Shown("public_key", "PEM.", LongTextCell())
    created_at = Shown("created_at", "When it was made.", MomentCell())
    activated_at = Shown("activated_at", "When it began to sign.", MomentCell())
    retired_at = Shown("retired_at", "When it ceased to sign.", MomentCell())
    compromised_at = Shown("compromised_at", "From when on it is not trusted.", MomentCell())

    related = ("product",)
    hidden = ("private_key_locked",)

    class Meta:
        model = SigningKey


class TelemetryResource(PortableResource):
    created_at = Shown("created_at", "When it came.", MomentCell())
    data_group = Shown("data_group", "The group it was sent under.")
    data_type = Shown("data_type", "What kind of data.")
    data = Shown("data", "As it was sent.", LongTextCell())
    license_key = Shown("license_key", "As it was sent.")
    activation_identifier = Shown("activation_identifier", "As it was sent.")
    user_identifier = Shown("user_identifier", "As it was sent.")
    product_id = Shown("product_id", "As it was sent.")
    product_version = Shown("product_version", "As it was sent.")
    extras = Shown("extras", "Further fields.", JsonCell())
    errors = Shown("errors", "What was wrong with the format.", JsonCell())
    address = Shown("address", "The sender's IP address.")
    has_red_flags = Shown("has_red_flags", "Whether something was wrong.", FlagCell())

    class Meta:
        model = TelemetryRecord
