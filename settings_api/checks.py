"""What the start-up says about the variables that lock settings."""

from typing import Any

from django.core.checks import CheckMessage, Warning, register

from settings_api.resolve import ignored_variables


@register("settings")
def check_variables(**kwargs: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"The environment variable {variable} is set but empty, so it is ignored and locks nothing.",
            hint=f"Give {variable} a value, or take it away.",
            id="settings_api.W001",
        )
        for variable in ignored_variables()
    ]
