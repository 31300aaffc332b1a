"""What every noun's spreadsheet has in common: columns, and rows that go through the services, all or none."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import Resource

from licenses.admin.porting.cells import TextCell
from licenses.admin.porting.sheets import Sheet, SheetProblem
from licenses.codes import Refused
from licenses.events import Kind, record_file
from licenses.models import Actor
from licenses.services.records import save_record

MOST_ALONE = 500  # rows that no bulk service stores; customers' calls about them wait meanwhile
SHOWN = 50  # rows whose changes a preview shows


class Column(Field):
    """A column of a noun's spreadsheet, called as its attribute where no other name is given.

    `identity`: it says which record is meant, and never changes one. `fixed`: it is exported, and not read back.
    `right`: who does not have it neither exports nor sees the column.
    """

    def __init__(
        self,
        attribute: str,
        text: str = "",
        widget: TextCell | None = None,
        *,
        name: str = "",
        identity: bool = False,
        fixed: bool = False,
        right: str = "",
    ) -> None:
        super().__init__(attribute, name or attribute.replace("__", "_"), widget or TextCell(), readonly=fixed)
        self.text, self.identity, self.right = text, identity, right

    def save(self, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        """An empty cell empties a text; of anything else it leaves what is there, or the default of what is new."""
        text = row[self.column_name]
        if self.readonly or (self.identity and not instance._state.adding):
            return
        if text or self.widget.empties:
            setattr(instance, self.attribute, self.widget.clean(text))


class PortableResource(Resource):
    """Fields of import-export without its own writing: a subclass finds a record and saves it through its service."""

    needs: ClassVar[tuple[str, ...]] = ()  # columns without which no row can be read
    identity: ClassVar[tuple[str, ...]] = ()  # columns that name a record together; empty: rows are not imported
    related: ClassVar[tuple[str, ...]] = ()  # for select_related
    hidden: ClassVar[tuple[str, ...]] = ()  # fields of the model that an export never loads
    note: ClassVar[str] = ""  # above the columns on the page of the import
    most_rows: ClassVar[int] = 1_000  # each is checked and stored by itself, in a request; bulk services take more
    larger: ClassVar[str] = ""  # what to do with more rows than these

    class Meta:
        instance_loader_class = BaseInstanceLoader  # `find` does it
        skip_diff = True
        skip_unchanged = True
        use_transactions = True

    def __init__(self, *, actor: Actor | None = None, sheet: Sheet | None = None, name: str = "", **kw: Any) -> None:
        super().__init__(**kw)
        self.actor, self.lines, self.file_name = actor, [row.line for row in sheet.rows] if sheet else [], name
        self.row_number = 0
        self.seen: dict[tuple[str, ...], int] = {}
        self.before: dict[str, str] = {}
        self.shown: list[dict[str, Any]] = []
        self.stored_alone = 0

    @classmethod
    def columns(cls, request: HttpRequest) -> dict[str, Column]:
        """The columns that whoever asks may see, by name."""
        may = request.user.has_perm
        return {field.column_name: field for field in cls.fields.values() if not field.right or may(field.right)}

    @property
    def model(self) -> Any:
        return self._meta.model

    # What a noun says itself

    def find(self, row: dict[str, str]) -> Model | None:
        raise NotImplementedError

    def save(self, instance: Any, changed: list[str], *, dry_run: bool) -> None:
        """Through the noun's service; `changed` is empty for a new record."""
        save_record(instance, changed_fields=changed, actor=self._actor)

    # What import-export calls

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        name = tuple(row.get(column, "").strip().lower() for column in self.identity)
        self.row_number = kwargs["row_number"]
        line = self.lines[self.row_number - 1]
        if any(name) and self.seen.setdefault(name, line) != line:
            raise ValidationError(f"The same is on line {self.seen[name]} already.")

    def get_or_init_instance(self, instance_loader: Any, row: Any) -> tuple[Any, bool]:
        found = self.find(row)
        return (found, False) if found else (self.model(), True)

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        self.before = {} if new else self._texts(instance, row)

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        return not import_validation_errors and not instance._state.adding and not self._changed(instance, row)

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        changed = [] if is_create else [self.fields_by_column[name].attribute for name in self._changed(instance, row)]
        texts, before = self._texts(instance, row), self.before
        self.save(instance, changed, dry_run=kwargs["dry_run"])
        if len(self.shown) < SHOWN:
            changes = [
                (name, before.get(name, ""), text) for name, text in texts.items() if before.get(name, "") != text
            ]
            line = self.lines[kwargs["row_number"] - 1]
            self.shown.append({"line": line, "new": is_create, "changes": changes})

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> Any:
        """What a rule refuses is said of its row; what fails by accident ends the import."""
        result = super().import_row(row, instance_loader, **kwargs)
        for problem in result.errors:
            if not isinstance(problem.error, Refused):
                raise problem.error
        return result

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """In the transaction of the rows: it is there when they are."""
        counts = {"new": result.totals["new"], "updated": result.totals["update"], "unchanged": result.totals["skip"]}
        record_file(
            Kind.IMPORT_MADE,
            str(self.model._meta.verbose_name_plural),
            actor=self._actor,
            after={"file": self.file_name, **counts},
        )

    # Helpers

    def count_alone(self) -> None:
        """One more row that no bulk service stores. SheetProblem for one too many: all stay locked to the end."""
        self.stored_alone += 1
        if self.stored_alone > MOST_ALONE:
            raise SheetProblem(f"The file changes more than {MOST_ALONE:,} records that are there already. Split it.")

    @property
    def _actor(self) -> Actor:
        assert self.actor is not None  # whoever imports says who asks  # noqa: S101
        return self.actor

    @property
    def fields_by_column(self) -> dict[str, Column]:
        return {field.column_name: field for field in self.fields.values()}

    def cleaned(self, name: str, row: dict[str, str]) -> Any:
        """The value in a column that says which record is meant; ValidationError for an empty or a wrong one."""
        if not row.get(name, "").strip():
            raise ValidationError({name: "This cell says which record is meant, so it is not empty."})
        try:
            return self.fields[name].widget.clean(row[name])
        except ValueError as error:
            raise ValidationError({name: str(error)}) from error

    def _texts(self, instance: Any, row: Any) -> dict[str, str]:
        """What the columns that a row can change would export."""
        return {
            field.column_name: field.export(instance)
            for field in self.fields.values()
            if field.column_name in row and not field.readonly and not (field.identity and not instance._state.adding)
        }

    def _changed(self, instance: Any, row: Any) -> list[str]:
        return [name for name, text in self._texts(instance, row).items() if text != self.before.get(name)]
