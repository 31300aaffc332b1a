from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import badge, link, list_link, mono
from licenses.admin.verbs import Verb, actor_of
from licenses.models import Actor, Generator, LicenseKey, Product
from licenses.models.generators import ENOUGH_BITS
from licenses.models.license_keys import NEVER_EXPIRES, UNLIMITED
from licenses.services.generators import drawer, generate_with, save_generator, share_taken
from licenses.services.stock import NotGenerated

SMALL_BITS = 40  # of a space that could ever be used up; a billion license keys take a thousandth of it
MAX_QUANTITY = 1_000
NAMED = 5  # products that a question names
SCARCE = 0.5  # from this share on the space counts as scarce
CHUNKS = ("charset", "number_of_chunks", "chunk_length", "separator")


def _generate(*, generator: Generator, quantity: int, actor: Actor) -> bool:
    try:
        return bool(generate_with(generator=generator, quantity=quantity, actor=actor))
    except NotGenerated as refused:
        raise ValidationError(refused.reason) from refused


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(
        label="How many",
        min_value=1,
        max_value=MAX_QUANTITY,
        initial=10,
        help_text=f"At most {MAX_QUANTITY:,} at a time; all are stored or, when something is wrong, none.",
    )


def _which_stock(generators: Sequence[Generator]) -> str:
    products = sorted({generator.product.name for generator in generators})
    others = " and others" if len(products) > NAMED else ""
    return f"They go into the stock of {', '.join(products[:NAMED])}{others}."


def _what_was_made(generators: Sequence[Generator], fields: dict[str, Any]) -> str:
    """How many, with a link to the stock of each product."""
    if not generators:
        return ""
    made = len(generators) * fields["quantity"]
    products = {generator.product_id: generator.product for generator in generators}
    links = format_html_join(", ", "{}", ((_stock_of(product),) for product in list(products.values())[:NAMED]))
    return format_html("{} in stock: {}", "1 license key is" if made == 1 else f"{made:,} license keys are", links)


def _stock_of(product: Product) -> SafeString:
    return list_link(
        f"available license keys of {product}",
        LicenseKey,
        product=product.pk,
        status__exact=LicenseKey.Status.AVAILABLE,
    )


GENERATE = Verb(
    name="generate",
    label="Generate license keys",
    service=_generate,
    done="was used",
    unchanged="nothing to make",
    explanation="New available license keys, with the activation limit and the validity of the generator.",
    form=QuantityForm,
    permission="generate",
    previewed=False,
    consequence=_which_stock,
    outcome=_what_was_made,
    applies=lambda generator: generator.is_active,
)


class GeneratorForm(forms.ModelForm):
    class Meta:
        help_texts = {
            "method": "It cannot be changed later. UUID: 122 random bits. Chunks: as described below. "
            "Custom function: a function of your own.",
            "prefix": "Before every license key: PRO-. May stay empty.",
            "suffix": "After every license key. May stay empty.",
            "charset": "The characters of a chunk, each once. Leave out those that people confuse: 0 and O, 1 and I.",
            "number_of_chunks": "Eight chunks of four characters out of sixteen have 128 random bits.",
            "chunk_length": "Characters in each chunk.",
            "is_active": "An inactive generator makes nothing. Of several active ones the oldest is the product's own.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "function_name" in self.fields:
            self.fields["function_name"] = _function_field(self.instance.function_name)


def _function_field(current: str) -> forms.ChoiceField:
    """The functions that the settings allow, and the one in use even when they no longer do."""
    allowed = settings.LICENSE_KEY_FUNCTIONS
    choices = [("", "—"), *((name, name) for name in allowed)]
    if current and current not in allowed:
        choices.append((current, f"{current} (not allowed any more)"))
    none = "" if allowed else " None is allowed now."
    help_text = f"Called without arguments; gives the text of one license key. LICENSE_KEY_FUNCTIONS names them.{none}"
    return forms.ChoiceField(label="Function", choices=choices, required=False, help_text=help_text)


@admin.register(Generator)
class GeneratorAdmin(PortalModelAdmin):
    form = GeneratorForm
    verbs = (GENERATE,)
    list_display = ("title", "product_link", "method", "limit", "validity", "bits", "state")
    list_filter = ("method", "is_active")
    link_filters = ("product__id__exact",)
    list_select_related = ("product",)
    search_fields = ("product__name", "prefix")
    search_help_text = "Part of the product's name or of the prefix."
    sortable_by = ()
    autocomplete_fields = ("product",)
    empty_text = (
        "Create a generator for each product whose license keys the portal makes: for your stock, or for a shop that "
        "asks for new ones."
    )
    readonly_fields = ("example", "strength", "taken", "license_keys_link")
    terms = ("activation_limit", "validity_days", "is_active")

    def arguments_for(self, row: Generator) -> dict[str, Any]:
        return {"generator": row}

    def has_generate_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("licenses.add_licensekey")

    def get_readonly_fields(self, request: HttpRequest, obj: Generator | None = None) -> Any:
        return ("product", "method", *self.readonly_fields) if obj else self.readonly_fields

    def get_fieldsets(self, request: HttpRequest, obj: Generator | None = None) -> Any:
        if obj is None:
            return (
                (None, {"fields": ("product", "method", "prefix", "suffix")}),
                ("Terms of its license keys", {"fields": self.terms}),
                ("Method Chunks", {"fields": CHUNKS}),
                ("Method Custom function", {"fields": ("function_name",)}),
            )
        taken = ("taken",) if _is_small(obj) else ()
        own = {Generator.Method.CHUNK_SYSTEM: CHUNKS, Generator.Method.CUSTOM: ("function_name",)}
        return (
            (None, {"fields": ("example", "strength", *taken, "license_keys_link"), "classes": ("facts",)}),
            ("How", {"fields": ("product", "method", "prefix", "suffix", *own.get(Generator.Method(obj.method), ()))}),
            ("Terms of its license keys", {"fields": self.terms}),
        )

    def save_model(self, request: HttpRequest, obj: Generator, form: Any, change: bool) -> None:
        save_generator(obj, changed_fields=form.changed_data, actor=actor_of(request))

    @admin.display(description="generator")
    def title(self, generator: Generator) -> str:
        return f"Generator {generator.pk}"

    @admin.display(description="product")
    def product_link(self, generator: Generator) -> str:
        return link(generator.product)

    @admin.display(description="activation limit")
    def limit(self, generator: Generator) -> str:
        return "unlimited" if generator.activation_limit == UNLIMITED else str(generator.activation_limit)

    @admin.display(description="validity")
    def validity(self, generator: Generator) -> str:
        days = generator.validity_days
        return "for ever" if days == NEVER_EXPIRES else f"{days:,} {'day' if days == 1 else 'days'}"

    @admin.display(description="random bits")
    def bits(self, generator: Generator) -> SafeString:
        found = generator.random_bits
        if found is None:
            return badge("Its function decides", "quiet")
        return badge(f"{found} random bits", "good" if found >= ENOUGH_BITS else "warn")

    @admin.display(description="how random")
    def strength(self, generator: Generator) -> SafeString:
        found = generator.random_bits
        weak = found is not None and found < ENOUGH_BITS
        warning = f"Shorter than {ENOUGH_BITS} bits: can be guessed sooner." if weak else ""
        return format_html("{} {}", self.bits(generator), warning)

    @admin.display(description="status")
    def state(self, generator: Generator) -> str:
        return badge("Active", "good") if generator.is_active else badge("Inactive", "quiet")

    @admin.display(description="example")
    def example(self, generator: Generator) -> SafeString:
        """A text that it might make, which is not stored."""
        try:
            return mono(drawer(generator)())
        except NotGenerated as refused:
            return format_html("{} {}", badge("Does not work", "bad"), refused.reason)

    @admin.display(description="space taken")
    def taken(self, generator: Generator) -> SafeString:
        share = share_taken(generator)
        scarce = "Make another generator with longer chunks before it is used up." if share >= SCARCE else ""
        return format_html("{} {}", badge(f"About {share:.0%}", "warn" if scarce else "info"), scarce)

    @admin.display(description="license keys")
    def license_keys_link(self, generator: Generator) -> str:
        return list_link("Show its product's license keys", LicenseKey, product=generator.product_id)


def _is_small(generator: Generator) -> bool:
    return generator.random_bits is not None and generator.random_bits <= SMALL_BITS
