"""The table of answers: every number, its message, the key that signs it and its HTTP status.

Numbers and messages are constants of the v1 protocol; clients compare them. Adding an answer is adding a row.
"""

import time
from enum import Enum, unique
from http import HTTPStatus
from typing import Any, NamedTuple


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
    ACCESS_DENIED = Answer(150, "Access denied", G, HTTPStatus.FORBIDDEN)

    # The portal's own
    TOO_MANY_REQUESTS = Answer(160, "Too many requests", G, HTTPStatus.TOO_MANY_REQUESTS)
    IDEMPOTENCY_KEY_REUSED = Answer(161, "Idempotency-Key was used with other parameters", G, HTTPStatus.CONFLICT)
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
    ENVATO_PURCHASE_CODE_ADDED = Answer(206, "Envato purchase code added", P)
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

    # Metadata of a product
    CREATE_PRODUCT_METADATA_NAME_REQUIRED = Answer(270, "Meta key is required", P)
    CREATE_PRODUCT_METADATA_VALUE_REQUIRED = Answer(271, "Meta value is required", P)
    CREATE_PRODUCT_METADATA_EXISTS = Answer(272, "Meta key already exists", P)
    PRODUCT_METADATA_CREATED = Answer(273, "Product meta created", P)
    CREATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND = Answer(274, "Product not found", G)
    UPDATE_PRODUCT_METADATA_NAME_REQUIRED = Answer(370, "Meta key is required", P)
    UPDATE_PRODUCT_METADATA_VALUE_REQUIRED = Answer(371, "Meta value is required", P)
    UPDATE_PRODUCT_METADATA_NOT_FOUND = Answer(372, "Meta key doesn't exists", P)  # sic
    PRODUCT_METADATA_UPDATED = Answer(373, "Product meta updated", P)
    UPDATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND = Answer(374, "Product not found", G)
    DELETE_PRODUCT_METADATA_NAME_REQUIRED = Answer(480, "Meta key is required", P)
    DELETE_PRODUCT_METADATA_NOT_FOUND = Answer(481, "Meta key doesn't exist", P)
    PRODUCT_METADATA_DELETED = Answer(482, "Product meta deleted", P)
    DELETE_PRODUCT_METADATA_PRODUCT_NOT_FOUND = Answer(483, "Product not found", G)

    # Activations
    LICENSE_KEY_ACTIVATED = Answer(300, "License key activated", P)
    LICENSE_KEY_ALREADY_ACTIVE = Answer(301, "License key already active", P)
    ACTIVATION_LIMIT_REACHED = Answer(302, "License key reached activation limit", P)
    LICENSE_KEY_DEACTIVATED = Answer("400", "License key deactivated", G)
    LICENSE_KEY_ALREADY_INACTIVE = Answer(401, "License key already inactive", P)
    ACTIVE_LICENSE_KEY_FOUND = Answer(500, "Active license key found", P)
    LICENSE_KEY_DETAILS_NOT_FOUND = Answer(501, "License key not found", G)  # only for the SDK profile, instead of 210

    # License files and downloads
    LICENSE_FILE_RETRIEVED = Answer(502, "License file retrieved successfully", P)
    LICENSE_FILE_FAILED = Answer(503, "Failed to generate license file", P)
    DOWNLOADS = Answer(600, "Downloads", P)
    FILE_NOT_FOUND = Answer(700, "The request file doesn't exist", G)  # sic
    FILE_NOT_PERMITTED = Answer(701, "You don't have permission to access it", G)
    CHANGELOG_RETRIEVED = Answer(1600, "Changelog retrieved successfully", G)
    CHANGELOG_DISABLED = Answer(1601, "Changelog feature is disabled globally", G)
    CHANGELOG_DISABLED_FOR_PRODUCT = Answer(1602, "Changelog not enabled for this product", G)

    # Products
    PRODUCT_DELETED = Answer(550, "Product deleted", G)
    PRODUCT_NOT_FOUND = Answer(551, "Product not found", G)
    PRODUCT_FOUND = Answer(631, "Product information retrieved successfully", G)
    PUBLIC_KEY_FOUND = Answer(632, "Public key retrieved successfully", G)
    PUBLIC_KEY_NOT_FOUND = Answer(633, "Public key not available for product", G)
    PRODUCT_UPDATED = Answer(650, "Product updated", G)
    UPDATE_PRODUCT_INCORRECT = Answer(651, "Incorrect data found", G)
    PRODUCT_CREATED = Answer(750, "Product created", G)
    CREATE_PRODUCT_INCORRECT = Answer(751, "Incorrect data found", G)
    ALL_PRODUCTS = Answer(810, "All products", G)

    # License keys in number
    LICENSE_KEYS = Answer(730, "License keys", G)
    COUNT_PRODUCT_NOT_FOUND = Answer(740, "Product doesn't exist", G)
    AVAILABLE_COUNT = Answer(741, "Available license keys count", G)
    LICENSE_KEY_DELETED = Answer(850, "License key deleted", P)
    DELETE_LICENSE_KEY_NOT_FOUND = Answer(851, "License key not found", G)
    LICENSE_KEYS_CREATED = Answer(900, "License keys creation result", P)
    CREATE_LICENSE_KEYS_INCORRECT = Answer(901, "Incorrect data found", G)
    NO_LICENSE_KEYS_CREATED = Answer(902, "No license keys created", P)
    LICENSE_KEY_UPDATED = Answer(950, "License keys updated", P)  # sic
    UPDATE_LICENSE_KEY_INCORRECT = Answer(951, "Incorrect data found", G)
    UPDATE_LICENSE_KEY_NOT_FOUND = Answer(952, "License key not found", G)

    # Assignment
    LICENSE_KEY_ASSIGNED = Answer(800, "License key assigned", G)
    LICENSE_KEY_NOT_AVAILABLE = Answer(801, "Invalid or already assigned license key", G)
    NOT_ENOUGH_LICENSE_KEYS = Answer(802, "Insufficient license keys", G)
    LICENSE_KEYS_ASSIGNED = Answer(803, "License keys assigned", G)
    ASSIGN_PRODUCT_NOT_FOUND = Answer(805, "Product not found", G)
    GENERATOR_NOT_FOUND = Answer(806, "Generator not found", G)
    REQUEST_QUEUED = Answer(807, "Request Queued", G)

    # Generators
    LICENSE_KEYS_GENERATED = Answer(815, "Generated license keys", P)
    ALL_GENERATORS = Answer(820, "All generators", G)

    # Contracts
    CONTRACT_INCORRECT = Answer(825, "Incorrect data found", G)
    CONTRACT_CREATED = Answer(841, "contract created", G)  # sic: small letters in these three
    CONTRACT_UPDATED = Answer(842, "contract updated", G)
    CONTRACT_DELETED = Answer(843, "contract deleted", G)
    CONTRACT_NOT_FOUND = Answer(844, "Contract not found", G)
    ALL_CONTRACTS = Answer(846, "All contracts", G)
    HOLDER_CONTRACT_NOT_FOUND = Answer(1200, "Contract not found", G)
    HOLDER_PRODUCT_NOT_FOUND = Answer(1202, "Product not found", G)
    HOLDER_GENERATOR_NOT_FOUND = Answer(1203, "Generator not found", G)
    CONTRACT_FOUND = Answer(1204, "Contract found", G)
    CONTRACT_QUOTA_REACHED = Answer(1205, "License keys limit reached", G)
    CONTRACT_QUANTITY_TOO_LARGE = Answer(1206, "Cannot generate this quantity", G)
    CONTRACT_LICENSE_KEYS_GENERATED = Answer(1300, "Contract license keys generated", P)
    CONTRACT_LICENSE_KEY_DELETED = Answer(1400, "License key deleted", P)
    CONTRACT_LICENSE_KEY_NOT_FOUND = Answer(1401, "License key not found", G)
    CONTRACT_LICENSE_KEYS_DELETED = Answer(1500, "License keys deleted", P)
    CONTRACT_HAS_NO_LICENSE_KEYS = Answer(1501, "No license keys found", G)

    # Telemetry
    TELEMETRY_SAVED = Answer(830, "Correct format data saved", G)
    TELEMETRY_SAVED_MALFORMED = Answer(831, "Incorrect format data saved", G)
    TELEMETRY_FOUND = Answer(970, "Telemetry data found", G)


def response_of(code: Code, /, **fields: Any) -> dict[str, Any]:
    """The object that an answer signs, with its extra fields in the protocol's order; `timestamp` in Unix seconds."""
    return {"code": code.value.number, "message": code.value.message, **fields, "timestamp": int(time.time())}


class Refused(Exception):
    """A rule says no. Raised inside a service it undoes the transaction; the door turns it into an answer.

    `product_id` names the product whose key signs the refusal, where the row says so and a product is known.
    `retry_after` says in seconds when the caller may ask again. `fields` are the extra fields of the answer, in order.
    """

    def __init__(self, code: Code, *, product_id: int | None = None, retry_after: float = 0, **fields: object) -> None:
        super().__init__(code.name)
        self.code = code
        self.product_id = product_id
        self.retry_after = retry_after
        self.fields = fields
