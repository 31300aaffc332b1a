"""The fields of Params: what a text from outside may be before a service sees it."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from licenses.codes import Code

MAX_NUMBER = 2_147_483_647  # what an integer column holds
MOST_AT_ONCE = 1_000  # license keys of one call, rows of one page


def has_control_characters(text: str, *, allowed: str = "") -> bool:
    return any(unicodedata.category(character) == "Cc" and character not in allowed for character in text)


class TextField(serializers.CharField):
    """An optional text or number of one line, trimmed, empty when missing or null. No control characters."""

    allowed_controls = ""

    default_error_messages = {
        "invalid": "This must be a text.",
        "control": "Control characters are not allowed.",
        "surrogate_characters_not_allowed": "This is not valid Unicode.",
    }

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        super().__init__(required=False, allow_blank=True, allow_null=True, default="", **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(data) or ""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if has_control_characters(text, allowed=self.allowed_controls):
            self.fail("control")
        return text


class LongTextField(TextField):
    """A text kept as it was sent, of up to 65,535 characters and several lines."""

    allowed_controls = "\t\r\n"

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=65_535, trim_whitespace=False, **options)


class LicenseKeyField(TextField):
    """A license key. What no key can look like is no error here: it becomes empty, and is answered as unknown."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        try:
            return super().run_validation(data)
        except serializers.ValidationError:
            return ""


class NumberField(serializers.IntegerField):
    """An optional whole number or its text; `default` (None) when missing, null or empty."""

    default_error_messages = {"invalid": "This must be a whole number."}

    def __init__(self, *, default: int | None = None, low: int = 0, high: int = MAX_NUMBER, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, default=default, min_value=low, max_value=high, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        found = super().run_validation(serializers.empty if data is None or data == "" else data)
        return self.default if found is None else found

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool | float) or not str(data).strip().isascii():
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """An optional 0 or 1, as number, text or JSON boolean; `default` when missing, null or empty."""

    default_error_messages = {"invalid": "This must be 1 for true or 0 for false."}

    def __init__(self, *, default: bool | None = None, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, default=default, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        found = super().run_validation(serializers.empty if data is None or data == "" else data)
        return self.default if found is None else found


class Params(serializers.Serializer[Any]):
    """What an endpoint takes; unknown names are ignored. `aliases` maps a canonical name to others clients send.

    `invalid` is the answer to parameters that cannot be; its `errors` are as `shown` makes them. `needed` is for the
    reference: what the endpoint does nothing without, and then answers with a code of its own.
    """

    aliases: Mapping[str, tuple[str, ...]] = {}
    invalid: Code = Code.MALFORMED_REQUEST
    needed: tuple[str, ...] = ()

    @classmethod
    def read_names(cls) -> list[str]:
        """The parameters as handlers know them."""
        return [str(field.source or name) for name, field in cls._declared_fields.items()]

    @classmethod
    def shown(cls, errors: Any) -> Any:
        """The errors of an answer from `{parameter: [text, …]}`."""
        return errors

    def to_internal_value(self, data: Any) -> Any:
        sent = {name: value for name, value in data.items() if value is not None}  # null is the same as missing
        aliased = {
            name: next(sent[other] for other in others if other in sent)
            for name, others in self.aliases.items()
            if any(other in sent for other in others)
        }
        return super().to_internal_value(aliased | sent)  # the canonical name wins


LICENSE_ALIASES: dict[str, tuple[str, ...]] = {
    "license_key": ("entitlement_key",),
    "identifier": ("hardwareId", "hardware_id", "domain", "server_domain", "server_ip"),
}


OWNER_ALIASES: dict[str, tuple[str, ...]] = {
    "owner_name": ("customer_name",),
    "owner_email": ("email", "customer_email"),
}
PRODUCT_ALIASES: dict[str, tuple[str, ...]] = {"product_id": ("product_uuid", "product_slug", "slug")}


class ProductParams(Params):
    """A product by its id, its UUID or its slug, whichever name the parameter has."""

    aliases = PRODUCT_ALIASES
    needed: tuple[str, ...] = ("product_id",)

    product_id = TextField()


class PageParams(Params):
    """One page of a list (D11)."""

    page = NumberField(default=1, low=1)
    items_per_page = NumberField(default=100, low=1, high=MOST_AT_ONCE)


class LicenseParams(Params):
    """A license key and where it runs: what most endpoints take."""

    aliases = LICENSE_ALIASES
    needed: tuple[str, ...] = ("license_key", "identifier")

    license_key = LicenseKeyField()
    identifier = TextField()
