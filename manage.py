#!/usr/bin/env python
"""Run the portal's management commands: `.venv/bin/python manage.py help` lists them."""

import os
import sys
from typing import NoReturn


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        stop("This Python has no Django. Use the one that `make run` set up: .venv/bin/python manage.py …")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        stop(str(error))


def stop(problem: str) -> NoReturn:
    """One line for the operator, and the exit code of "nothing was done"."""
    sys.stderr.write(f"{problem}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
