"""What staff fill in for a bulk assignment: the file, and what its columns mean."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from openpyxl.utils import get_column_letter

from licenses.models import Product
from licenses.services.assignment_files import FIELDS
from licenses.services.assignment_jobs import Prepared, prepare_upload
from licenses.services.uploads import MAX_MB, MAX_ROWS

LABELS = {
    "license_key": "License key",
    "owner_email": "Owner's e-mail address",
    "owner_name": "Owner's name",
    "reference": "Reference",
}
HELP = {
    "license_key": "Which license key the row is about. Where it is empty, the owner gets any available one of the "
    "product below.",
    "owner_email": "Owners are told apart by it. An owner who is known already keeps the name that is stored.",
    "owner_name": "Needed where there is no e-mail address; each such row makes an owner of its own.",
    "reference": "Your own note, an order number for example. It is found by the search.",
}


class UploadForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text=f"CSV or XLSX, at most {MAX_MB} MB and {MAX_ROWS:,} rows. The first line names the columns.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
    )

    def clean_file(self) -> Prepared:
        """Read to its end: what is wrong with the file as a whole shows here, by line."""
        file = self.cleaned_data["file"]
        self.file_name = str(file.name)
        if file.size > MAX_MB * 2**20:
            raise ValidationError(f"The file is larger than {MAX_MB} MB: split it.")
        return prepare_upload(file.read())


class ColumnsForm(forms.Form):
    product = forms.ModelChoiceField(
        Product.objects.exclude(status=Product.Status.DELETED),
        required=False,
        help_text="Its available license keys, the oldest first, go to rows without a license key.",
    )
    again = forms.BooleanField(
        label="Once more",
        required=False,
        help_text="Rows that an earlier run has assigned already are left as they are. With this, their owners get one "
        "more license key each.",
    )

    def __init__(self, *args: Any, names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = [(str(number), titled(number, name)) for number, name in enumerate(names)]
        for field in FIELDS:
            self.fields[field] = forms.ChoiceField(
                label=LABELS[field],
                choices=[("", "— not in the file —"), *columns],
                required=False,
                help_text=HELP[field],
            )
        self.order_fields(FIELDS)

    @property
    def chosen(self) -> dict[str, int]:
        """The number of the column, by field."""
        return {field: int(number) for field in FIELDS if (number := self.cleaned_data[field])}


def titled(number: int, name: str) -> str:
    """A column as spreadsheets name it, and as its first line does."""
    return f"{get_column_letter(number + 1)}: {name[:60]}" if name else f"Column {get_column_letter(number + 1)}"
