"""What axe finds wrong with a page for people who see, hear or point differently."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

GRAVE = {"serious", "critical"}
# `preload` would read style sheets again, into elements that the pages' policy refuses
RUN = "rules => axe.run({preload: false, resultTypes: ['violations'], ...(rules && {runOnly: rules})})"
OF_COLOR = ["color-contrast", "link-in-text-block"]


@cache
def script() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def flaws(page: Page) -> list[str]:
    """Grave ones in light, and those of colors in dark, each with what it is about."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate(script())
    found = _run(page, None)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return found + [f"dark: {flaw}" for flaw in _run(page, OF_COLOR)]


def _run(page: Page, rules: list[str] | None) -> list[str]:
    grave = [it for it in page.evaluate(RUN, rules)["violations"] if it["impact"] in GRAVE]
    return [f"{it['id']}: {_about(node)}" for it in grave for node in it["nodes"]]


def _about(node: dict[str, Any]) -> str:
    return re.sub(r"\s+", " ", f"{node['target']} {node['html'][:160]} {node['failureSummary']}")
