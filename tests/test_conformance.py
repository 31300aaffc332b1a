"""The whole protocol over HTTP: every endpoint, every path, every code, and the shape of every documented answer."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from licenses.api.urls import ENDPOINTS
from licenses.codes import Code, SignedBy
from tests.protocol import ANSWERS
from tests.scenes import ANYWHERE, SCENES, World, ask

pytestmark = pytest.mark.django_db

ROWS = {row.paths[0]: row for row in ENDPOINTS}
WRITTEN = {(path, code): scene for path, scenes in SCENES.items() for code, scene in scenes.items() if path in ROWS}
ALIASES = [(path, row) for row in ENDPOINTS for path in row.paths[1:]]
NO_KEY_OF_ITS_OWN = {Code.LICENSE_FILE_FAILED}  # signed with the global key, because that is what is wrong

DOCUMENTED = json.loads((Path(__file__).parent / "documented_examples.json").read_text())["examples"]
DATES = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z", r"\d{4}-\d\d-\d\dT.{15}Z")


@pytest.fixture
def world(portal, settings, monkeypatch, tmp_path) -> World:
    settings.MEDIA_ROOT = tmp_path
    return World(portal, settings, monkeypatch)


def check(world: World, answer, code: Code) -> None:
    """The code and its message, with the HTTP status and the kind of key that its row names."""
    row = code.value
    assert (answer["code"], answer["message"]) == (row.number, row.message)
    assert type(answer["code"]) is type(row.number)
    if code is not Code.LICENSE_KEY_DETAILS_NOT_FOUND:  # 422, so that those SDKs do not take it for a success
        assert world.portal.http.status_code == row.http_status
    expected = SignedBy.GLOBAL if code in NO_KEY_OF_ITS_OWN else row.signed_by
    assert world.portal.label == expected.value


@pytest.mark.parametrize(("path", "code"), list(WRITTEN), ids=lambda part: getattr(part, "name", part))
def test_an_endpoint_gives_each_of_its_answers(world, path, code):
    for method in ROWS[path].methods[:1]:
        check(world, ask(world.portal, path, WRITTEN[path, code](world), method), code)


@pytest.mark.parametrize("code", list(ANYWHERE), ids=lambda code: code.name)
def test_answers_that_do_not_depend_on_the_endpoint(world, code):
    check(world, ANYWHERE[code](world), code)


@pytest.mark.parametrize(("path", "row"), ALIASES, ids=lambda part: part if isinstance(part, str) else "")
def test_every_other_path_reaches_its_endpoint(world, path, row):
    code, scene = next(iter((code, SCENES[row.paths[0]][code]) for code in ANSWERS[row.paths[0]]))
    check(world, ask(world.portal, path, scene(world), row.methods[0]), code)


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if len(row.methods) > 1], ids=lambda row: row.paths[0])
def test_an_endpoint_answers_the_same_in_each_of_its_methods(world, row):
    code = ANSWERS[row.paths[0]][0]
    params = SCENES[row.paths[0]][code](world)
    for method in row.methods:
        check(world, ask(world.portal, row.paths[0], params, method), code)


@pytest.mark.parametrize("path", list(ROWS))
def test_every_answer_that_is_documented_has_a_scene(path):
    """And the other way round: what an endpoint answers is in its documentation."""
    assert set(ANSWERS[path]) - set(ANYWHERE) == set(SCENES.get(path, {}))


def test_every_code_is_produced():
    produced = {code for _, code in WRITTEN} | set(ANYWHERE)
    assert set(Code) - produced == set(), "no test produces these"


def documented_pairs():
    codes = {(code.value.number, type(code.value.number)): code for code in Code}
    for example in DOCUMENTED:
        code = codes[example["response"]["code"], type(example["response"]["code"])]
        yield pytest.param(example, code, id=f"{example['path']} {code.name}")


@pytest.mark.parametrize(("example", "code"), list(documented_pairs()))
def test_an_answer_has_the_documented_shape(world, example, code):
    path = example["path"]
    if code in ANYWHERE:
        answer = ANYWHERE[code](world)
    else:
        answer = ask(world.portal, path, SCENES[path][code](world), ROWS[path].methods[0])
    assert answer["message"] == example["response"]["message"]
    assert world.portal.http.status_code == example["http_status"]
    assert world.portal.label == example["private_key_used"]
    same_shape(answer, example["response"])


def same_shape(found, documented, where="response"):
    """The same fields in the same order, of the same types; dates in the same form, lists of the same items."""
    if documented is None or found is None or found is False:  # where nothing is set
        return
    assert type(found) is type(documented) or documented is False, where
    if isinstance(documented, dict) and where.endswith(".errors"):  # one example of many; each error has the same type
        kinds = {type(value) for value in documented.values()}
        assert {type(value) for value in found.values()} == kinds, where
    elif isinstance(documented, dict):
        assert list(found) == list(documented), where
        for name, value in documented.items():
            same_shape(found[name], value, f"{where}.{name}")
    elif isinstance(documented, list):
        for item in found if documented else ():
            same_shape(item, documented[0], f"{where}[]")
    elif isinstance(documented, str):
        for date in DATES:
            assert bool(re.fullmatch(date, found)) == bool(re.fullmatch(date, documented)), where


OF_EACH_PATH = {pair.values[0]["path"]: pair for pair in documented_pairs() if pair.values[1] not in ANYWHERE}


@pytest.mark.parametrize(("example", "code"), OF_EACH_PATH.values())
def test_a_nonce_adds_three_fields_and_changes_nothing_else(world, example, code):
    path = example["path"]
    params = SCENES[path][code](world) | {"nonce": "a nonce"}
    answer = ask(world.portal, path, params, ROWS[path].methods[0])
    added = [name for name in ("nonce", "license_key_fingerprint", "identifier") if name not in example["response"]]
    assert list(answer) == [*list(example["response"])[:-1], *added, "timestamp"]
    assert answer["nonce"] == "a nonce"
    license_key = str(params.get("license_key", "")).strip()
    assert answer["license_key_fingerprint"] == (sha256(license_key.encode()).hexdigest() if license_key else None)
    assert answer["identifier"] == params.get("identifier", params.get("activation_identifier"))
