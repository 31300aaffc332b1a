"""The table of answers: every number, its message, the key that signs it and its HTTP status.

Numbers and messages are constants of the v1 protocol; clients compare them. Adding an answer is adding a row.
"""

from enum import Enum, unique
from http import HTTPStatus
from typing import NamedTuple


class SignedBy(Enum):
    """Whose key signs an answer; `PRODUCT` falls back to the global key when the product has none."""

    PRODUCT = "product"
    GLOBAL = "global"


class Answer(NamedTuple):
    """One row: `number` is an int in every answer but 400, which the protocol sends as a string."""

    number: int | str
    message: str
    signed_by: SignedBy
    http_status: HTTPStatus = HTTPStatus.OK


P = SignedBy.PRODUCT
G = SignedBy.GLOBAL


@unique
class Code(Enum):
    """What the portal can answer. `Code.X.value` is the `Answer` row."""

    # Who may call
    INVALID_API_KEY = Answer(100, "Invalid API Key", G, HTTPStatus.UNAUTHORIZED)
    INACTIVE_API_KEY = Answer(101, "Inactive API Key", G, HTTPStatus.UNAUTHORIZED)
    INSUFFICIENT_PERMISSIONS = Answer(
        102,
        "The used API key doesn't have the required capability to access this endpoint",
        G,
        HTTPStatus.UNAUTHORIZED,
    )
    IP_NOT_ALLOWED = Answer(103, "API key can't be used from this IP address", G, HTTPStatus.UNAUTHORIZED)

    # The portal's own
    MALFORMED_REQUEST = Answer(162, "Malformed request", G, HTTPStatus.BAD_REQUEST)
    UNSUPPORTED_MEDIA_TYPE = Answer(163, "Unsupported media type", G, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    REQUEST_TOO_LARGE = Answer(164, "Request too large", G, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    METHOD_NOT_ALLOWED = Answer(165, "Method not allowed", G, HTTPStatus.METHOD_NOT_ALLOWED)
    UNKNOWN_ENDPOINT = Answer(166, "Unknown endpoint", G, HTTPStatus.NOT_FOUND)
    SERVICE_UNAVAILABLE = Answer(198, "Service unavailable", G, HTTPStatus.SERVICE_UNAVAILABLE)
    INTERNAL_ERROR = Answer(199, "Internal error", G, HTTPStatus.INTERNAL_SERVER_ERROR)

    # The license key itself
    VALID_LICENSE_KEY = Answer(200, "Valid license key", P)
    LICENSE_KEY_NOT_ASSIGNED = Answer(201, "This license key is not assigned", P)
    NO_ACTIVATION_FOUND = Answer(202, "No activation found for this license key/identifier combination", P)
    PRODUCT_INACTIVE = Answer(203, "The product associated with this license key is not active or doesn't exist", P)
    LICENSE_KEY_BLOCKED = Answer(204, "License key blocked", P)
    LICENSE_KEY_EXPIRED = Answer(205, "License key expired", P)
    LICENSE_KEY_INVALID = Answer(210, "Invalid license key", G)
    IDENTIFIER_REQUIRED = Answer(215, "Identifier is required", P)

    # Metadata of a license key
    DELETE_METADATA_NAME_REQUIRED = Answer(250, "Meta key is required", P)
    DELETE_METADATA_NOT_FOUND = Answer(251, "Meta key doesn't exist", P)
    METADATA_DELETED = Answer(252, "Metadata deleted", P)
    UPDATE_METADATA_NAME_REQUIRED = Answer(350, "Meta key is required", P)
    UPDATE_METADATA_VALUE_REQUIRED = Answer(351, "Meta value is required", P)
    UPDATE_METADATA_NOT_FOUND = Answer(352, "Meta key doesn't exist", P)
    METADATA_UPDATED = Answer(353, "Metadata updated", P)
    CREATE_METADATA_NAME_REQUIRED = Answer(450, "Meta key is required", P)
    CREATE_METADATA_VALUE_REQUIRED = Answer(451, "Meta value is required", P)
    CREATE_METADATA_EXISTS = Answer(452, "Meta key already exists", P)
    METADATA_CREATED = Answer(453, "Metadata created", P)

    # Activations
    LICENSE_KEY_ACTIVATED = Answer(300, "License key activated", P)
    LICENSE_KEY_ALREADY_ACTIVE = Answer(301, "License key already active", P)
    ACTIVATION_LIMIT_REACHED = Answer(302, "License key reached activation limit", P)
    LICENSE_KEY_DEACTIVATED = Answer("400", "License key deactivated", G)
    LICENSE_KEY_ALREADY_INACTIVE = Answer(401, "License key already inactive", P)
    ACTIVE_LICENSE_KEY_FOUND = Answer(500, "Active license key found", P)

    # Assignment
    LICENSE_KEY_ASSIGNED = Answer(800, "License key assigned", G)
    LICENSE_KEY_NOT_AVAILABLE = Answer(801, "Invalid or already assigned license key", G)


class Refused(Exception):
    """A rule says no. Raised inside a service it undoes the transaction; the door turns it into an answer.

    `product_id` names the product whose key signs the refusal, where the row says so and a product is known.
    `fields` are the extra fields of the answer, in order.
    """

    def __init__(self, code: Code, *, product_id: int | None = None, **fields: object) -> None:
        super().__init__(code.name)
        self.code = code
        self.product_id = product_id
        self.fields = fields
