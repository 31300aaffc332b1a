"""The spreadsheets of what happens by itself: they go out and never come in."""

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


class ActivationResource(PortableResource):
    identifier = Column("identifier", "Where it runs.", fixed=True)
    license_key = Column("license_key__license_key", "The license key.", name="license_key", fixed=True)
    activated_at = Column("activated_at", "Since when.", MomentCell(), fixed=True)
    deactivated_at = Column("deactivated_at", "Until when; empty while it runs.", MomentCell(), fixed=True)
    last_verified_at = Column("last_verified_at", "The last verification, to the hour.", MomentCell(), fixed=True)
    address = Column("address", "The IP address that activated it.", fixed=True)

    related = ("license_key",)

    class Meta:
        model = Activation


class ApiKeyResource(PortableResource):
    """Never the digest: whoever has it can try texts against it."""

    name = Column("name", "Who uses it.", fixed=True)
    prefix = Column("prefix", "How it begins.", fixed=True)
    capabilities = Column("capabilities", "What it may do.", JsonCell(), fixed=True)
    allowed_networks = Column("allowed_networks", "From where.", JsonCell(), fixed=True)
    profile = Column("profile", "The client profile.", fixed=True)
    contract = Column("contract__name", "The contract it speaks of.", name="contract", fixed=True)
    is_active = Column("is_active", "Whether it works.", FlagCell(), fixed=True)
    expires_at = Column("expires_at", "Until when.", MomentCell(), fixed=True)
    last_used_at = Column("last_used_at", "When it was used last.", MomentCell(), fixed=True)
    created_at = Column("created_at", "When it was made.", MomentCell(), fixed=True)

    related = ("contract",)
    hidden = ("digest",)

    class Meta:
        model = ApiKey


class AssignmentResource(PortableResource):
    source = Column("source", "The file's name.", fixed=True)
    rows_total = Column("rows_total", "Rows in it.", fixed=True)
    started_at = Column("started_at", "When it began.", MomentCell(), fixed=True)
    finished_at = Column("finished_at", "When it ended.", MomentCell(), fixed=True)

    class Meta:
        model = Assignment


class AssignmentRowResource(PortableResource):
    assignment = Column("assignment__source", "The file's name.", name="assignment", fixed=True)
    line = Column("line", "Its line in the file.", fixed=True)
    license_key = Column("license_key__license_key", "What was assigned.", name="license_key", fixed=True)
    outcome = Column("outcome", "assigned or refused.", fixed=True)
    problem = Column("problem", "Why it was refused.", fixed=True)

    related = ("assignment", "license_key")

    class Meta:
        model = AssignmentRow


class AuditEventResource(PortableResource):
    occurred_at = Column("occurred_at", "When.", MomentCell(), fixed=True)
    kind = Column("kind", "What happened.", fixed=True)
    actor = Column("actor", "Who.", fixed=True)
    door = Column("door", "Through which door.", fixed=True)
    address = Column("address", "From which IP address.", fixed=True)
    object_type = Column("object_type", "To what.", fixed=True)
    object_id = Column("object_id", "Its number.", fixed=True)
    object_label = Column("object_label", "What it is called.", fixed=True)
    before = Column("before", "What was.", JsonCell(), fixed=True)
    after = Column("after", "What is since then.", JsonCell(), fixed=True)
    position = Column("position", "Its place in the chain.", fixed=True)

    hidden = ("digest",)

    class Meta:
        model = AuditEvent


class DownloadableResource(PortableResource):
    file_name = Column("file_name", "What it is saved under.", fixed=True)
    product = Column("release__product", "Its product.", product_cell(), name="product", fixed=True)
    version = Column("release__version", "Its release.", name="version", fixed=True)
    download_counter = Column("download_counter", "How often it was downloaded.", fixed=True)
    created_at = Column("created_at", "When it was added.", MomentCell(), fixed=True)

    related = ("release__product",)

    class Meta:
        model = Downloadable


class QueuedAssignmentResource(PortableResource):
    """Never the webhook's URL, which is all that the shop checks, nor the answer with its license keys."""

    product = Column("product", "Of what.", product_cell(), fixed=True)
    quantity = Column("quantity", "How many.", fixed=True)
    state = Column("state", "What became of it.", fixed=True)
    code = Column("code", "What the shop was answered.", fixed=True)
    owner_name = Column("owner_name", "For whom.", fixed=True)
    owner_email = Column("owner_email", "For whom.", fixed=True)
    identifier = Column("identifier", "The shop's own.", fixed=True)
    requested_by = Column("requested_by", "The API key that asked.", fixed=True)
    attempts = Column("attempts", "How often it was delivered or tried.", fixed=True)
    problem = Column("problem", "Why the last delivery failed.", fixed=True)
    created_at = Column("created_at", "When it was asked for.", MomentCell(), fixed=True)
    delivered_at = Column("delivered_at", "When it was delivered.", MomentCell(), fixed=True)

    related = ("product",)
    hidden = ("webhook_url", "envelope")

    class Meta:
        model = QueuedAssignment


class SigningKeyResource(PortableResource):
    """Never the private half, not even locked."""

    fingerprint = Column("fingerprint", "SHA-256 of the public key.", fixed=True)
    product = Column("product", "For which product it signs; empty: the global one.", product_cell(), fixed=True)
    status = Column("status", "upcoming, active, retired or compromised.", fixed=True)
    bits = Column("bits", "Its size.", fixed=True)
    public_key = Column("public_key", "PEM.", LongTextCell(), fixed=True)
    created_at = Column("created_at", "When it was made.", MomentCell(), fixed=True)
    activated_at = Column("activated_at", "When it began to sign.", MomentCell(), fixed=True)
    retired_at = Column("retired_at", "When it ceased to sign.", MomentCell(), fixed=True)
    compromised_at = Column("compromised_at", "From when on it is not trusted.", MomentCell(), fixed=True)

    related = ("product",)
    hidden = ("private_key_locked",)

    class Meta:
        model = SigningKey


class TelemetryResource(PortableResource):
    created_at = Column("created_at", "When it came.", MomentCell(), fixed=True)
    data_group = Column("data_group", "The group it was sent under.", fixed=True)
    data_type = Column("data_type", "What kind of data.", fixed=True)
    data = Column("data", "As it was sent.", LongTextCell(), fixed=True)
    license_key = Column("license_key", "As it was sent.", fixed=True)
    activation_identifier = Column("activation_identifier", "As it was sent.", fixed=True)
    user_identifier = Column("user_identifier", "As it was sent.", fixed=True)
    product_id = Column("product_id", "As it was sent.", fixed=True)
    product_version = Column("product_version", "As it was sent.", fixed=True)
    extras = Column("extras", "Further fields.", JsonCell(), fixed=True)
    errors = Column("errors", "What was wrong with the format.", JsonCell(), fixed=True)
    address = Column("address", "The sender's IP address.", fixed=True)
    has_red_flags = Column("has_red_flags", "Whether something was wrong.", FlagCell(), fixed=True)

    class Meta:
        model = TelemetryRecord
