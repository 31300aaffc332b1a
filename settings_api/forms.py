from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from settings_api.changes import Errors
from settings_api.parameters import NUMBER, TRUTH, Parameter
from settings_api.resolve import Resolved


class MaskedInput(forms.TextInput):
    """Always shows what it was made with, never what was posted: a refused secret is not sent back in the page."""

    def __init__(self, shown: str, attrs: dict[str, Any]) -> None:
        super().__init__(attrs)
        self.shown = shown

    def format_value(self, value: Any) -> str:
        return self.shown


class SettingsForm(forms.Form):
    """The table of settings as a form. It checks nothing itself: `changes.change_settings` does, for every door."""

    def __init__(self, resolved: Mapping[str, Resolved], *, may_change: bool, data: Mapping[str, Any] | None) -> None:
        super().__init__(data)
        self.resolved = resolved
        for name, now in resolved.items():
            self.fields[name] = forms.CharField(
                label=now.parameter.label,
                help_text=now.parameter.help,
                required=False,
                initial=str(now.shown).lower() if now.parameter.kind is TRUTH else now.shown,
                widget=_widget(now, disabled=bool(now.locked_by) or not may_change),
            )

    def sent(self) -> dict[str, object]:
        """What was posted. A locked field is looked at too: a browser does not send it, so somebody tries to get by."""
        return {
            name: now.parameter.from_text(self.data[name]) for name, now in self.resolved.items() if name in self.data
        }

    def show_errors(self, errors: Errors) -> None:
        for name, reasons in errors.items():
            for reason in reasons:
                self.add_error(name, reason)

    def rows(self) -> Iterator[tuple[forms.BoundField, Resolved]]:
        """Each field with what is known about its value."""
        return ((self[name], now) for name, now in self.resolved.items())


def _widget(now: Resolved, *, disabled: bool) -> forms.Widget:
    attrs = {"disabled": disabled, "autocomplete": "off", "spellcheck": "false"}
    if now.parameter.secret:
        return MaskedInput(str(now.shown), attrs | {"class": "vTextField setting-secret"})
    return _plain_widget(now.parameter, attrs)


def _plain_widget(parameter: Parameter, attrs: dict[str, Any]) -> forms.Widget:
    if parameter.kind is TRUTH:
        return forms.Select(attrs, choices=[("true", "Yes"), ("false", "No")])
    if parameter.kind is NUMBER:
        return forms.NumberInput(attrs | {"class": "vIntegerField"})
    return forms.TextInput(attrs | {"class": "vTextField"})
