"""The documentation as pages of the admin: docs/*.md and the README, for staff who are signed in.

The files are this repository's own, and still nothing in them becomes HTML of their making: raw HTML is shown as text.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

README = "readme"
SCREENSHOTS = "screenshots"  # the folder of pictures, whose index is a page
# What stands first in the list of pages; any other file of the folder follows by name
ORDER = (
    "admin",
    "bulk-assignment",
    "import-export",
    "roles",
    "staff",
    "commands",
    "integration",
    "settings-api",
    "protocol-decisions",
    "threat-model",
)
# Which page, and which heading of it, says more about what a list or a form of the admin is about
DOCS = {
    "licenses.licensekey": "admin#license-keys",
    "licenses.owner": "admin#owners",
    "licenses.activation": "admin#activations",
    "licenses.product": "admin#products",
    "licenses.generator": "admin#generators",
    "licenses.release": "admin#releases",
    "licenses.downloadable": "admin#releases",
    "licenses.contract": "admin#contracts",
    "licenses.apikey": "admin#api-keys",
    "licenses.signingkey": "admin#signing-keys",
    "licenses.assignment": "admin#bulk-assignments",
    "licenses.assignmentrow": "admin#bulk-assignments",
    "licenses.queuedassignment": "admin#queued-assignments",
    "licenses.telemetryrecord": "admin#telemetry",
    "licenses.blocklistentry": "admin#the-block-list",
    "licenses.auditevent": "admin#the-audit-trail",
    "licenses.productmetadata": "admin#metadata",
    "licenses.licensekeymetadata": "admin#metadata",
    "settings_api.setting": "settings-api#where-a-value-comes-from",
    "auth.user": "roles#accounts",
    "auth.group": "roles#who-may-give-what",
}
PICTURES = {".jpg": "image/jpeg", ".png": "image/png", ".svg": "image/svg+xml"}
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


@dataclass(frozen=True)
class Heading:
    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Page:
    """One file, rendered. `summary` is the text of its first paragraph."""

    name: str
    title: str
    summary: str
    headings: Sequence[Heading]
    html: str

    @property
    def contents(self) -> list[Heading]:
        return [heading for heading in self.headings if heading.level in (2, 3)]


def folder() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def files() -> dict[str, Path]:
    """The pages that there are, by their names in addresses, in the order of the list."""
    found = {path.stem: path for path in folder().glob("*.md")}
    readme = Path(settings.BASE_DIR) / "README.md"
    names = [*(name for name in ORDER if name in found), *sorted(set(found) - set(ORDER))]
    others = {SCREENSHOTS: folder() / SCREENSHOTS / "README.md", README: readme}
    return {name: found[name] for name in names} | {
        name: path for name, path in others.items() if found and path.is_file()
    }


def pictures() -> dict[str, Path]:
    return {path.name: path for path in (folder() / SCREENSHOTS).glob("*") if path.suffix in PICTURES}


def find_page(name: str) -> Page | None:
    path = files().get(name)
    return _rendered(name, path, path.stat().st_mtime_ns) if path else None


def learn_more(request: HttpRequest) -> str:
    """Where more is said about the list or the form that is asked for; empty on other pages."""
    match = request.resolver_match
    names = {f"{model.replace('.', '_')}_{page}": model for model in DOCS for page in ("changelist", "add", "import")}
    model = names.get(match.url_name or "") if match else None
    return _address(DOCS[model]) if model else ""


def _address(target: str) -> str:
    name, _, anchor = target.partition("#")
    return reverse("admin:docs_page", args=[name]) + (f"#{anchor}" if anchor else "")


# Views


def show_list(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    pages = [page for name in files() if (page := find_page(name))]
    return TemplateResponse(request, "admin/docs/list.html", context | {"title": "Documentation", "pages": pages})


def show_page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    page = find_page(name)
    if page is None:
        raise Http404("There is no such page of the documentation.")
    others = [(other, other == name, found.title) for other in files() if (found := find_page(other))]
    return TemplateResponse(
        request, "admin/docs/page.html", context | {"title": page.title, "page": page, "others": others}
    )


def show_picture(request: HttpRequest, name: str) -> FileResponse:
    """One of docs/screenshots, by its name among those that there are: no path of a request is opened."""
    found = pictures()
    if name not in found:
        raise Http404("There is no such picture.")
    return FileResponse(found[name].open("rb"), content_type=PICTURES[found[name].suffix])


# Rendering


@lru_cache(maxsize=64)
def _rendered(name: str, path: Path, changed: int) -> Page:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    for rule in (table_open, table_close, fence, code_block):
        markdown.add_render_rule(rule.__name__, rule)
    tokens = markdown.parse(COMMENT.sub("", path.read_text(encoding="utf-8")))
    headings = list(_name_headings(tokens))
    for token in tokens:
        if token.children:
            token.children = [child for child in token.children if _lead_within(child, name)]
    title = next((heading.text for heading in headings if heading.level == 1), name)
    html = markdown.renderer.render(_without_title(tokens), markdown.options, {})
    return Page(name, title, _first_paragraph(tokens), headings, html)


def _name_headings(tokens: Sequence[Token]) -> Iterator[Heading]:
    """Gives each heading the anchor that it has where the repository is read."""
    taken: dict[str, int] = {}
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open":
            text = _plain(inline)
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            taken[anchor] = taken.get(anchor, 0) + 1
            anchor += f"-{taken[anchor] - 1}" if taken[anchor] > 1 else ""
            token.attrSet("id", anchor)
            yield Heading(int(token.tag[1:]), anchor, text)


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


def _without_title(tokens: Sequence[Token]) -> list[Token]:
    """The page has its title above."""
    first = bool(tokens) and tokens[0].type == "heading_open" and tokens[0].tag == "h1"
    return list(tokens[3:] if first else tokens)


def _first_paragraph(tokens: Sequence[Token]) -> str:
    pairs = itertools.pairwise(tokens)
    return next((_with_spaces(inline) for token, inline in pairs if token.type == "paragraph_open"), "")


def _with_spaces(inline: Token) -> str:
    kinds = {"softbreak": " ", "hardbreak": " "}
    return "".join(kinds.get(child.type, child.content) for child in inline.children or () if child.type != "image")


def _lead_within(token: Token, name: str) -> bool:
    """Points links and pictures at these pages; False for a picture that is not served."""
    if token.type == "image":
        picture = str(token.attrGet("src") or "").rpartition("/")[2]
        token.attrSet("src", reverse("admin:docs_picture", args=[picture]))
        token.attrSet("loading", "lazy")
        return (folder() / SCREENSHOTS / picture).is_file()
    if token.type == "link_open":
        href = _within(str(token.attrGet("href") or ""), name)
        token.attrs = {"href": href} if href else {}  # a file that is no page: its name stays, without a link
        if "//" in href:
            token.attrSet("rel", "noreferrer")
    return True


def _within(href: str, name: str) -> str:
    """Where a link of the file leads on these pages; empty when what it names is none of them."""
    if href.startswith(("https://", "http://", "#")):
        return href
    path, _, anchor = href.partition("#")
    if Path(path).suffix in PICTURES:
        picture = Path(path).name
        return reverse("admin:docs_picture", args=[picture]) if picture in pictures() else ""
    wanted = Path(path).stem.lower() if path else name
    if path.endswith(f"{SCREENSHOTS}/README.md"):
        wanted = SCREENSHOTS
    return _address(f"{wanted}#{anchor}") if path.endswith(".md") and wanted in files() else ""


# What is wider than the page scrolls by itself, also by keyboard


def table_open(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return '<div class="docs-wide" tabindex="0" role="region" aria-label="Table"><table>\n'


def table_close(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return _scrolling(RendererHTML.fence(self, tokens, index, options, env))


def code_block(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return _scrolling(RendererHTML.code_block(self, tokens, index, options, env))


def _scrolling(html: str) -> str:
    return html.replace("<pre>", '<pre class="docs-wide" tabindex="0">', 1)
