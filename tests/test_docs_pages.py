"""The documentation in the admin: every file is a page, every link arrives, nothing in it becomes HTML by itself."""

import re

import pytest
from django.contrib import admin
from django.urls import reverse

from licensing_portal import docs_pages
from licensing_portal.docs_pages import DOCS, PICTURES, README, SCREENSHOTS, files, find_page
from tests.test_roles import staff_in

pytestmark = pytest.mark.django_db
BEGINNINGS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8"}
NAMES = sorted(path.stem for path in docs_pages.folder().glob("*.md"))


def put(tmp_path, settings, text: str, name: str = "odd") -> None:
    (tmp_path / "docs").mkdir(exist_ok=True)
    (tmp_path / "docs" / f"{name}.md").write_text(text)
    settings.BASE_DIR = tmp_path


def anchors_of(name: str) -> set[str]:
    return {heading.anchor for heading in find_page(name).headings}


def test_every_file_is_a_page_and_is_in_the_list(staff):
    index = {SCREENSHOTS} if (docs_pages.folder() / SCREENSHOTS / "README.md").exists() else set()
    assert set(files()) == {*NAMES, README, *index}
    listed = staff.get(reverse("admin:docs")).content.decode()
    for name in files():
        url = reverse("admin:docs_page", args=[name])
        assert f'href="{url}"' in listed
        answer = staff.get(url)
        page = find_page(name)
        assert answer.status_code == 200
        assert f"<h1>{page.title}</h1>" in answer.content.decode()
        assert page.summary and page.html.strip()
        for heading in page.contents:
            assert f'<a href="#{heading.anchor}">' in answer.content.decode()
            assert f'id="{heading.anchor}"' in page.html


@pytest.mark.parametrize("name", [*NAMES, README])
def test_every_link_arrives(staff, name):
    for href in re.findall(r'<a href="([^"]+)"', find_page(name).html):
        if href.startswith(("http://", "https://")):
            continue
        path, _, anchor = href.partition("#")
        target = path.removeprefix("/admin/docs/").strip("/") or name
        assert target in files() or target.removeprefix("pictures/") in docs_pages.pictures(), href
        assert not anchor or anchor in anchors_of(target), href
    for source in re.findall(r'<img src="([^"]+)"', find_page(name).html):
        answer = staff.get(source)
        content_type = PICTURES[source[source.rindex(".") :]]
        assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
        assert b"".join(answer.streaming_content).startswith(BEGINNINGS[content_type])


def test_every_page_of_the_admin_has_its_place_in_the_documentation():
    registered = {f"{model._meta.app_label}.{model._meta.model_name}" for model in admin.site._registry}
    assert set(DOCS) == registered
    for model, target in DOCS.items():
        name, _, anchor = target.partition("#")
        assert anchor in anchors_of(name), model


def test_lists_and_forms_lead_there(staff):
    for model, target in DOCS.items():
        name, _, anchor = target.partition("#")
        url = f'href="{reverse("admin:docs_page", args=[name])}#{anchor}"'
        page = model.replace(".", "_")
        assert url in staff.get(reverse(f"admin:{page}_changelist")).content.decode(), model
        added = staff.get(reverse(f"admin:{page}_add"))
        assert added.status_code == 403 or url in added.content.decode(), model
    assert f'href="{reverse("admin:docs")}">Help</a>' in staff.get(reverse("admin:index")).content.decode()


def test_every_role_reads_it_and_strangers_do_not(client):
    paths = [reverse("admin:docs"), reverse("admin:docs_page", args=["admin"])]
    for role in ("Support", "License manager", "Auditor", "Administrator"):
        reader = staff_in(role)
        assert [reader.get(path).status_code for path in paths] == [200, 200]
    assert [client.get(path).status_code for path in paths] == [302, 302]


def test_it_shows_html_as_text(staff, tmp_path, settings):
    put(tmp_path, settings, "# Odd <b>\n\n<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=y>\n")
    source = staff.get(reverse("admin:docs_page", args=["odd"])).content.decode()
    assert "<script>alert" not in source
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert 'href="javascript' not in source
    assert "<img src=x" not in source
    assert "<h1>Odd &lt;b&gt;</h1>" in source


def test_a_link_to_a_file_that_is_no_page_keeps_its_words(tmp_path, settings):
    put(tmp_path, settings, "# Odd\n\n[the license](../LICENSE), ![gone](screenshots/gone.png) [up](../../x.md#a)\n")
    html = find_page("odd").html
    assert "<a>the license</a>" in html
    assert "<a>up</a>" in html
    assert "<img" not in html


def test_the_index_of_the_screenshots_is_a_page(staff, tmp_path, settings):
    put(tmp_path, settings, "# Odd\n\n[all of them](screenshots/README.md)\n")
    (tmp_path / "docs" / "screenshots").mkdir()
    (tmp_path / "docs" / "screenshots" / "list.jpg").write_bytes(b"\xff\xd8 a picture")
    (tmp_path / "docs" / "screenshots" / "README.md").write_text("# Pictures\n\n[wide](list.jpg) [gone](gone.jpg)\n")
    assert f'href="{reverse("admin:docs_page", args=["screenshots"])}"' in find_page("odd").html
    source = staff.get(reverse("admin:docs_page", args=["screenshots"])).content.decode()
    picture = reverse("admin:docs_picture", args=["list.jpg"])
    assert f'<a href="{picture}">wide</a> <a>gone</a>' in source
    answer = staff.get(picture)
    assert (answer["Content-Type"], b"".join(answer.streaming_content)) == ("image/jpeg", b"\xff\xd8 a picture")


def test_headings_of_one_text_have_anchors_of_their_own(tmp_path, settings):
    put(tmp_path, settings, "# Odd\n\n## Same `name_x`, twice\n\n## Same `name_x`, twice\n")
    assert anchors_of("odd") == {"odd", "same-name_x-twice", "same-name_x-twice-1"}


def test_it_reads_a_file_again_when_it_has_changed(tmp_path, settings):
    import os

    put(tmp_path, settings, "# Before\n")
    assert find_page("odd").title == "Before"
    put(tmp_path, settings, "# After\n")
    os.utime(tmp_path / "docs" / "odd.md", ns=(1, 1))
    assert find_page("odd").title == "After"


@pytest.mark.parametrize("name", ["settings", "nothing", "ADMIN"])
def test_there_is_no_other_page(staff, name):
    assert staff.get(reverse("admin:docs_page", args=[name])).status_code == 404


@pytest.mark.parametrize("name", ["nothing.png", "..%2f..%2fREADME.md", "%2e%2e", "../commands.md"])
def test_there_is_no_other_picture(staff, name):
    assert staff.get(f"/admin/docs/pictures/{name}").status_code == 404


def test_it_says_so_where_the_documentation_is_not_installed(staff, tmp_path, settings):
    settings.BASE_DIR = tmp_path
    source = staff.get(reverse("admin:docs")).content.decode()
    assert "The documentation is not installed here." in source
    assert str(tmp_path) not in source
    assert staff.get(reverse("admin:docs_page", args=["admin"])).status_code == 404


def test_it_needs_no_inline_script_or_style(staff):
    for name in files():
        source = staff.get(reverse("admin:docs_page", args=[name])).content.decode()
        inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|<[^>]+\s(?:style|on[a-z]+)=\"", source)
        assert [tag for tag in inline if "application/json" not in tag] == [], name
