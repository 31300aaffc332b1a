import math

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from licenses.models.license_keys import MAX_VALIDITY_DAYS, NEVER_EXPIRES
from licenses.models.products import Product

UUID_BITS = 122  # random bits of a UUID of version 4
FEWEST_CHARACTERS = 2
LONGEST = 255  # characters of a license key
NOT_PRINTABLE = "Only characters that can be seen."
ENOUGH_BITS = 120  # a license key with fewer can be guessed sooner than this portal promises (S19)


class Generator(models.Model):
    """How new license keys of a product are made, and on which terms."""

    class Method(models.TextChoices):
        UUID = "uuid", "UUID"
        CHUNK_SYSTEM = "chunk-system", "Chunks"
        CUSTOM = "custom", "Custom function"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="generators")
    method = models.CharField(max_length=16, choices=Method, default=Method.UUID)
    charset = models.CharField(
        max_length=255, default="0123456789ABCDEF", help_text="The characters of a chunk, each once."
    )
    number_of_chunks = models.PositiveSmallIntegerField(default=8)
    chunk_length = models.PositiveSmallIntegerField(default=4)
    separator = models.CharField(max_length=8, default="-", blank=True, help_text="Between two chunks.")
    prefix = models.CharField(max_length=64, blank=True)
    suffix = models.CharField(max_length=64, blank=True)
    function_name = models.CharField(
        max_length=255, blank=True, help_text="One of the names in LICENSE_KEY_FUNCTIONS, for the custom method."
    )
    activation_limit = models.PositiveIntegerField(
        default=1, help_text="Of the license keys it makes; 0 means unlimited."
    )
    validity_days = models.PositiveIntegerField(
        "validity", default=NEVER_EXPIRES, help_text="Of the license keys it makes, in days; 0: they never expire."
    )
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("product", "pk")
        constraints = [
            models.CheckConstraint(
                condition=Q(method__in=("uuid", "chunk-system", "custom")),
                name="generator_method_valid",
                violation_error_message="A generator's method is uuid, chunk-system or custom.",
            ),
            models.CheckConstraint(
                condition=Q(validity_days__lte=MAX_VALIDITY_DAYS),
                name="generator_validity_at_most_a_century",
                violation_error_message=f"The validity is at most {MAX_VALIDITY_DAYS} days.",
            ),
            models.CheckConstraint(
                condition=~Q(method="chunk-system") | Q(number_of_chunks__gte=1, chunk_length__gte=1),
                name="generator_chunks_not_empty",
                violation_error_message="A license key has at least one chunk of at least one character.",
            ),
            models.CheckConstraint(
                condition=~Q(method="custom") | ~Q(function_name=""),
                name="generator_custom_has_a_function",
                violation_error_message="The custom method needs a function.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} generator {self.pk} of {self.product}"

    def clean(self) -> None:
        """What the database does not check: that every text it can make may be a license key."""
        problems = self._problems()
        if self.method == self.Method.CHUNK_SYSTEM:
            problems |= self._chunk_problems()
        elif self.method == self.Method.CUSTOM and self.is_active:
            problems |= self._function_problems()
        if problems:
            raise ValidationError(problems)

    def _problems(self) -> dict[str, str]:
        texts = {"prefix": self.prefix, "suffix": self.suffix, "separator": self.separator}
        problems = {name: NOT_PRINTABLE for name, text in texts.items() if not text.isprintable()}
        if self.prefix != self.prefix.lstrip():
            problems["prefix"] = "A license key does not begin with a space."
        if self.suffix != self.suffix.rstrip():
            problems["suffix"] = "A license key does not end with a space."
        return problems

    def _chunk_problems(self) -> dict[str, str]:
        if not (self.charset.isascii() and self.charset.isprintable()) or " " in self.charset:
            return {"charset": "Only letters from A to Z, digits and signs that a keyboard has; no spaces."}
        if twice := sorted({character for character in self.charset if self.charset.count(character) > 1}):
            return {"charset": f"Each character once; there more often: {' '.join(twice)}"}
        if len(self.charset) < FEWEST_CHARACTERS:
            return {"charset": f"At least {FEWEST_CHARACTERS} characters, or all license keys are the same."}
        if not self.number_of_chunks or not self.chunk_length:
            return {}  # a field of the form says so already, or the constraint will
        separators = len(self.separator) * (self.number_of_chunks - 1)
        length = self.number_of_chunks * self.chunk_length + separators + len(self.prefix) + len(self.suffix)
        if length > LONGEST:
            return {"number_of_chunks": f"A license key would be {length:,} characters long: {LONGEST} is the most."}
        return {}

    def _function_problems(self) -> dict[str, str]:
        if self.function_name in settings.LICENSE_KEY_FUNCTIONS:
            return {}
        return {"function_name": "Choose one of the functions that LICENSE_KEY_FUNCTIONS names."}

    @property
    def random_bits(self) -> int | None:
        """How many random bits a license key of it has, rounded down; None when only its function knows."""
        if self.method == self.Method.UUID:
            return UUID_BITS
        if self.method == self.Method.CUSTOM:
            return None
        characters = len(set(self.charset))
        return int(math.log2(characters) * self.number_of_chunks * self.chunk_length) if characters else 0
