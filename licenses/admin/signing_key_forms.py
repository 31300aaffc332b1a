"""What staff fill in to make, import, replace or cut off a signing key. Nothing secret comes back in a page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone

from licenses.admin.verbs import Verb
from licenses.models import Product, SigningKey
from licenses.models.signing_keys import RSA_BITS
from licenses.services.signing_keys import mark_compromised, use_signing_key

Status = SigningKey.Status
LONGEST_PEM = 64 * 1024  # characters; the largest key takes four thousand
MINUTES = "%Y-%m-%dT%H:%M"  # as browsers send a datetime-local
HOW = {
    Status.ACTIVE: "Put it in use at once",
    Status.UPCOMING: "Publish it first, put it in use later",
    Status.RETIRED: "Only publish it, for what it has signed elsewhere",
}


class ProductField(forms.ModelChoiceField):
    def __init__(self) -> None:
        help_text = "Leave it empty for the global signing key."
        super().__init__(Product.objects.all(), required=False, help_text=help_text)


class NewSigningKeyForm(forms.Form):
    product = ProductField()
    bits = forms.TypedChoiceField(
        choices=[(bits, f"{bits} bits") for bits in RSA_BITS],
        coerce=int,
        help_text="2048 is the v1 protocol's usual size; larger keys sign 6 to 14 times slower.",
    )
    status = forms.ChoiceField(
        label="When",
        choices=[(status.value, HOW[status]) for status in (Status.ACTIVE, Status.UPCOMING)],
        initial=Status.ACTIVE,
        required=False,
        help_text="Published first, software can fetch the new public key before anything is signed with it.",
    )

    def clean_status(self) -> str:
        return self.cleaned_data["status"] or Status.ACTIVE


class SecretTextarea(forms.Textarea):
    """Never shows what was typed, also when the form comes back with an error."""

    def format_value(self, value: Any) -> None:
        return None


class ImportSigningKeyForm(forms.Form):
    product = ProductField()
    status = forms.ChoiceField(
        label="When",
        choices=[(status.value, text) for status, text in HOW.items()],
        initial=Status.ACTIVE,
        help_text="In use at once, it replaces the active one, which retires and stays published.",
    )
    file = forms.FileField(required=False, help_text="A PEM file, PKCS#1 or PKCS#8, of 2048 to 4096 bits.")
    pem = forms.CharField(
        label="Or its text",
        required=False,
        max_length=LONGEST_PEM,
        widget=SecretTextarea(attrs={"rows": 6, "autocomplete": "off", "spellcheck": "false"}),
        help_text="From -----BEGIN … PRIVATE KEY----- to -----END … PRIVATE KEY-----.",
    )
    passphrase = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Only if the file is encrypted.",
    )

    def add_problem(self, error: ValidationError) -> None:
        """What the service found wrong, beside the field that the private key came in."""
        found: dict[str, Any] = dict(getattr(error, "error_dict", {})) or {NON_FIELD_ERRORS: error}
        if "pem" in found and self.files.get("file"):
            found["file"] = found.pop("pem")
        self.add_error(None, ValidationError(found))

    def clean(self) -> dict[str, Any]:
        """The private key as bytes under `pem`, wherever it came from."""
        file, text = self.cleaned_data.pop("file", None), self.cleaned_data.get("pem", "")
        if file and file.size > LONGEST_PEM:
            self.add_error("file", "This file is too large to be a private key.")
        elif bool(file) == bool(text) and not self.errors:
            raise ValidationError("Choose a file or paste its text, one of both.")
        else:
            self.cleaned_data["pem"] = file.read() if file else text.encode()
        return self.cleaned_data


class CompromisedForm(forms.Form):
    since = forms.DateTimeField(
        label="Since when (UTC)",
        initial=timezone.now,
        input_formats=[MINUTES],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES),
        help_text="What it signed from then on is not to be trusted. When in doubt, the earlier time.",
    )


def _what_use_replaces(rows: Sequence[SigningKey]) -> str:
    active = [SigningKey.objects.active_of(row.product) for row in rows if row.status == Status.UPCOMING]
    names = ", ".join(str(key) for key in active if key)
    if not names:
        return ""
    return (
        f"It replaces the {names}, which retires. Software that has not fetched the new public key yet refuses new "
        "answers."
    )


def _what_takes_over(rows: Sequence[SigningKey]) -> str:
    """What happens to answers in the same moment."""
    sentences = ["It never signs again. This cannot be undone, only its date can be changed."]
    for row in rows:
        if row.status == Status.ACTIVE:
            upcoming = SigningKey.objects.upcoming_of(row.product)
            successor = f"The upcoming {upcoming}" if upcoming else "A new signing key"
            sentences.append(
                f"{successor} takes over from the {row} at once. Software that trusts only the old public key refuses "
                "new answers."
            )
    return " ".join(sentences)


USE = Verb(
    name="use",
    label="Put in use",
    service=use_signing_key,
    done="is in use and signs from now on",
    unchanged="in use already",
    explanation="It signs from now on, on every node. The active signing key before it retires and stays published: "
    "what it has signed stays valid.",
    permission="replace",
    applies=lambda signing_key: signing_key.status == Status.UPCOMING,
    consequence=_what_use_replaces,
)

COMPROMISED = Verb(
    name="compromised",
    label="Mark as compromised",
    service=mark_compromised,
    done="was marked as compromised",
    unchanged="marked so already",
    explanation="Somebody else may have the private half. The published keys will say from when on what it signed is "
    "not to be trusted.",
    form=CompromisedForm,
    permission="replace",
    dangerous=True,
    previewed=False,
    consequence=_what_takes_over,
)
