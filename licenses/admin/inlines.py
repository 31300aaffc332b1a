"""Tables on an object's page: its newest rows, and a link to all of them."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from licenses.admin.display import list_url
from licenses.admin.help_texts import with_help
from licenses.admin.names import capitalized, named

INLINE_CAP = 20


class NewestFormSet(BaseInlineFormSet):
    """The newest rows alone on the page; a form that comes back may name any row of its parent."""

    more = False

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        row = capitalized(form._meta.model._meta.verbose_name)
        for name, field in form.fields.items():
            named(field, name=f"{row}: {field.label or name}")

    def get_queryset(self) -> Any:
        if self.is_bound:
            return super().get_queryset()
        if not hasattr(self, "_newest"):
            rows = list(super().get_queryset().order_by("-pk")[: INLINE_CAP + 1])
            self._newest, self.more = rows[:INLINE_CAP], len(rows) > INLINE_CAP
        return self._newest

    def clean(self) -> None:
        """Django's inline forms leave out every constraint that names the parent; here they are checked."""
        super().clean()
        for form in self.forms:
            if form.has_changed() and not form.errors and not form.cleaned_data.get(DELETION_FIELD_NAME):
                try:
                    form.instance.validate_constraints()
                except ValidationError as error:
                    form.add_error(None, error)

    @property
    def all_url(self) -> str:
        return list_url(self.fk.model, **{f"{self.fk.name}__id__exact": self.instance.pk})


class ReadOnlyFormSet(NewestFormSet):
    """Rows that a page shows and never takes back: nothing that is posted for them is read."""

    new_objects: list[Any] = []
    changed_objects: list[Any] = []
    deleted_objects: list[Any] = []

    def __init__(self, data: Any = None, files: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def is_valid(self) -> bool:
        return True

    def save(self, commit: bool = True) -> list[Any]:
        return []


class NewestInline(admin.TabularInline):
    """A table of the newest rows of an object, with a link to the list of all of them."""

    formset: type[BaseInlineFormSet] = NewestFormSet
    template = "admin/edit_inline/newest.html"
    extra = 0
    empty_text = ""  # what to do when the table is empty

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        return with_help(field, db_field.model._meta.model_name, db_field.name, kwargs)


class ReadOnlyInline(NewestInline):
    formset = ReadOnlyFormSet
    max_num = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
