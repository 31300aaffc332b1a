"""Names of fields for those who do not see where on the page a field stands."""

from typing import Any

from django.contrib.admin.widgets import AdminSplitDateTime


def capitalized(name: object) -> str:
    return f"{str(name)[:1].upper()}{str(name)[1:]}"


def named(field: Any, *, name: str = "") -> Any:
    """The field, each half of a date and time with a name of its own, as the label of the two names neither.

    `name` is for a field of a table, which has no label but the heading of a column.
    """
    if field is None:
        return None
    if isinstance(field.widget, AdminSplitDateTime):
        for half, part in zip(field.widget.widgets, ("date", "time"), strict=True):
            half.attrs["aria-label"] = f"{capitalized(field.label)}, {part}"
    elif name:
        field.widget.attrs.setdefault("aria-label", name)
    return field
