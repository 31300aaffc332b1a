"""Find anything: by any part of it, in any case, for whoever may see it, and no faster than it is right."""

import re
from contextlib import suppress
from itertools import chain

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from licenses.models import LicenseKey, Owner
from licenses.models.search_indexes import SEARCH_INDEXES, missing_search_indexes
from licenses.reports import fragments, search
from licenses.reports.fragments import cleaned, has_trigrams
from licensing_portal.logs import scrub
from tests.factories import (
    ActivationFactory,
    ContractFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
)
from tests.hostile import CORPUS

pytestmark = pytest.mark.django_db
FIND = "/admin/find/"


def found(client, text, **more):
    """{kind: names of its rows}, as the page shows them."""
    answer = client.get(FIND, {"q": text, **more})
    assert answer.status_code == 200, text
    return {group["name"]: [plain(row.name) for row in group["rows"]] for group in answer.context["groups"]}


def plain(html):
    return re.sub(r"<[^>]+>", "", str(html))


def some_of_all():
    """One of everything that is found, and as much that is not."""
    product = ProductFactory(name="Photo Editor", slug="photo-editor", external_reference="SKU-7781")
    owner = OwnerFactory(name="Grace Hopper", email="Grace.Hopper@navy.example")
    key = LicenseKeyFactory(
        license_key="ABCDE-F1234-XYZ99", product=product, owner=owner, assigned=True, reference="Order 4711/2026"
    )
    ActivationFactory(license_key=key, identifier="shop.Nautilus.example")
    ContractFactory(name="Resale Baltic", contract_key="contract-Q9Q8-secret", product=product)
    QueuedAssignmentFactory(identifier="basket-5150", owner_email="buyer@queue.example", product=ProductFactory())
    ActivationFactory()
    ContractFactory()


PIECES = {
    "licensekey": ["ABCDE-F", "F1234", "XYZ99", "Order 47", "4711/", "/2026", "grace.h", "Hopper", "nautilus"],
    "owner": ["Grace.H", "opper@na", "navy.example", "Grace Ho", "ce hop"],
    "activation": ["shop.Nau", "nautilus", "us.example", "F1234"],
    "contract": ["Resale", "sale Bal", "Baltic", "contract-Q", "q9q8", "8-secret"],
    "product": ["Photo E", "to Edi", "Editor", "photo-ed", "SKU-7", "7781"],
    "queuedassignment": ["basket-5", "et-51", "5150", "buyer@q", "@queue"],
}


def sought(text):
    """{kind: rows}, straight from the search."""
    looked = search.Search(text)
    return {
        "licensekey": looked.license_keys.pks,
        "owner": looked.owners.pks,
        "activation": looked.activations.pks,
        "contract": looked.contracts.pks | looked.contracts_by_key.pks,
        "product": looked.products.pks,
        "queuedassignment": looked.queued_assignments.pks,
    }


def test_it_finds_every_noun_by_its_beginning_middle_and_end_in_any_case():
    some_of_all()
    for kind, pieces in PIECES.items():
        for piece in pieces:
            for text in (piece, piece.upper(), piece.lower()):
                assert len(sought(text)[kind]) == 1, (kind, text)


def test_the_page_shows_every_noun(staff):
    some_of_all()
    for kind, pieces in PIECES.items():
        assert len(found(staff, pieces[1])[kind]) == 1


def test_it_finds_letters_beyond_ascii_in_any_case(staff):
    OwnerFactory(name="Jürgen Öztürk-ŁÓDŹ", email="")
    OwnerFactory(name="Jurgen Ozturk", email="")
    for text in ("öztürk", "ÖZTÜRK", "łódź", "ŁÓDŹ", "n öz"):
        assert found(staff, text) == {"owner": ["Jürgen Öztürk-ŁÓDŹ"]}, text


SPECIAL = r"100%_sure\x*?[y]'\";--{0}$^"


@pytest.mark.parametrize(
    "text", ["%_su", r"\x*", "*?[y]", "[y]'", "re\\x", "{0}$^", "--{0}", r"_sure\x", "%_sure", SPECIAL]
)
def test_special_characters_stand_for_themselves(staff, text):
    OwnerFactory(name=SPECIAL, email="")
    OwnerFactory(name="100XYsureAxBBy", email="")
    assert found(staff, text) == {"owner": [plain_text(SPECIAL)]}


def plain_text(text):
    """As a page writes it, and as `plain` leaves it."""
    return text.replace("'", "&#x27;").replace('"', "&quot;")


def test_short_texts_are_beginnings_and_the_page_says_so(staff):
    OwnerFactory(name="Zoe", email="")
    OwnerFactory(name="Inez", email="")
    answer = staff.get(FIND, {"q": "z"})
    assert [plain(row.name) for group in answer.context["groups"] for row in group["rows"]] == ["Zoe"]
    assert "only beginnings were compared" in answer.content.decode()
    assert "<mark>Z</mark>oe" in answer.content.decode()
    assert "only beginnings" not in staff.get(FIND, {"q": "zoe"}).content.decode()
    page = staff.get("/admin/licenses/owner/", {"q": "z"})
    assert "only beginnings were compared" in page.content.decode()


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("abc", True),
        ("12-", True),
        ("-a-", True),
        ("-ab", True),
        ("1-a", False),
        ("ab", False),
        ("---", False),
        ("_%_", False),
        ("öäü", True),
    ],
)
def test_it_knows_what_an_index_can_find(text, has):
    assert has_trigrams(text) == has


def test_what_comes_along_with_a_paste_is_left_out(staff):
    key = LicenseKeyFactory(license_key="PASTE-12345")
    for text in ("\u202bPASTE-12345\u202c", "\ufeff PASTE-12345\u200b\n", "\0PASTE-12345\xa0", "\tpaste-12345 "):
        assert staff.get(FIND, {"q": text})["Location"] == f"/admin/licenses/licensekey/{key.pk}/change/"
    assert len(cleaned("x" * 10_000)) == 255


# Straight to the page


def test_what_is_named_in_full_leads_to_its_page(staff):
    key = LicenseKeyFactory(license_key="ABCDE-12345", assigned=True, owner__email="Ada@example.com")
    LicenseKeyFactory(license_key="ABCDE-12345-6")
    contract = ContractFactory(contract_key="the-contract-key")
    for text, target in (
        ("ABCDE-12345", f"licensekey/{key.pk}"),
        ("abcde-12345", f"licensekey/{key.pk}"),
        ("ada@EXAMPLE.com", f"owner/{key.owner_id}"),
        ("the-contract-key", f"contract/{contract.pk}"),
    ):
        answer = staff.get(FIND, {"q": text})
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/licenses/{target}/change/")
    assert found(staff, "ABCDE-12345", **{"from": "page"})["licensekey"] == ["ABCDE-12345-6", "ABCDE-12345"]


def test_what_several_are_called_is_shown(staff):
    LicenseKeyFactory(license_key="same-key-text")
    ContractFactory(contract_key="same-key-text", name="Twin")
    assert found(staff, "same-key-text") == {"licensekey": ["same-key-text"], "contract": ["Twin"]}


# Who sees what


def signed_in(*codenames):
    user = User.objects.create_user(f"of-{len(codenames)}", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.statement("S12")
def test_each_group_is_for_whoever_may_view_it():
    some_of_all()
    owners = signed_in("view_owner")
    assert found(owners, "Hopper") == {"owner": ["Grace.Hopper@navy.example"]}
    assert found(owners, "ABCDE-F1234-XYZ99") == {}
    source = owners.get(FIND).content.decode()
    assert "owners by e-mail" in source and "contracts" not in source and 'id="find"' in source
    others = signed_in("view_generator", "view_release")
    assert others.get(FIND, {"q": "Hopper"}).status_code == 403
    assert 'id="find"' not in others.get("/admin/").content.decode()


@pytest.mark.statement("S12")
def test_a_contract_key_is_no_riddle_for_those_who_may_not_see_it():
    """They would put it together from answers to its pieces; who knows it in full needs no riddle."""
    some_of_all()
    viewer = signed_in("view_contract")
    for piece in ("contract-Q", "Q9Q8", "secret"):
        assert found(viewer, piece) == {}
        assert viewer.get("/admin/licenses/contract/", {"q": piece}).context["cl"].result_count == 0
    assert viewer.get(FIND, {"q": "contract-Q9Q8-secret"}).status_code == 302
    assert "contract-Q9Q8-secret" not in viewer.get(FIND, {"q": "Baltic"}).content.decode()
    assert (
        "contract-Q9Q8-secret"
        in signed_in("view_contract", "change_contract", "view_owner").get(FIND, {"q": "Baltic"}).content.decode()
    )


# What a row says


def test_a_row_says_what_matters_and_marks_what_matched(staff):
    some_of_all()
    source = staff.get(FIND, {"q": "hopper"}).content.decode()
    assert "Grace.<mark>Hopper</mark>@navy.example" in source and "Grace <mark>Hopper</mark>" in source
    assert "Photo Editor" in source and "badge-good" in source and "1 license key<" in source
    source = staff.get(FIND, {"q": "NAUTILUS"}).content.decode()
    assert source.count("shop.<mark>Nautilus</mark>.example") == 2, "the activation, and why the license key is here"


def test_what_is_marked_stays_text(staff):
    OwnerFactory(name="<b>Ada</b> & <i>Co</i>", email="")
    source = staff.get(FIND, {"q": "b>ADA<"}).content.decode()
    assert "&lt;<mark>b&gt;Ada&lt;</mark>/b&gt; &amp; &lt;i&gt;Co&lt;/i&gt;" in source
    assert "<b>Ada" not in source
    answer = staff.get(FIND, {"q": "<script>alert(1)</script>"})
    assert "<script>alert" not in answer.content.decode()


@pytest.mark.statement("S34")
def test_no_address_holds_what_was_typed_and_no_log_line_either(staff):
    LicenseKeyFactory.create_batch(2)
    for number in range(12):
        LicenseKeyFactory(license_key=f"SECRET-{number:04}-WXYZ", reference="SECRET-")
    source = staff.get(FIND, {"q": "SECRET-"}).content.decode()
    addresses = re.findall(r"""\b(?:href|action|src)=["']([^"']*)["']""", source)
    assert len(addresses) > 20 and not [address for address in addresses if "SECRET" in address]
    assert '<input type="hidden" name="q" value="SECRET-">' in source
    line = '10.0.0.1 - "GET /admin/find/?q=SECRET-0001-WXYZ&from=x HTTP/1.1" 200'
    assert "SECRET" not in scrub(line)


def test_nothing_found_says_what_was_looked_at(staff):
    for text in ("", "nosuchthing", "   ", "\0"):
        source = staff.get(FIND, {"q": text}).content.decode()
        assert "The search looks at license keys and their references, owners" in source
        assert "queued assignments, in capital" in source
    assert "Nothing matches “no &lt;thing" in staff.get(FIND, {"q": "no <thing"}).content.decode()


# Lists and bounds


def test_lists_find_what_the_search_finds(staff):
    some_of_all()
    for piece in ("hopper", "F1234", "q9q8", "EDITOR", "5150", "example"):
        for kind, rows in found(staff, piece).items():
            listed = staff.get(f"/admin/licenses/{kind}/", {"q": piece}).context["cl"]
            assert listed.result_count == len(rows), (kind, piece)


def test_pickers_compare_beginnings():
    OwnerFactory(name="Ada Lovelace", email="ada@example.com")
    assert search.Search("ada", beginnings=True).owners.pks
    assert not search.Search("lovelace", beginnings=True).owners.pks


def test_it_asks_as_often_for_many_as_for_few(staff, django_assert_max_num_queries):
    ActivationFactory(license_key__reference="many-1", license_key__assigned=True, identifier="many-1.example")
    with CaptureQueriesContext(connection) as few:
        staff.get(FIND, {"q": "many-"})
    for number in range(2, 15):
        ActivationFactory(license_key__reference=f"many-{number}", identifier=f"many-{number}.example")
    with django_assert_max_num_queries(len(few)):
        answer = staff.get(FIND, {"q": "many-"})
    groups = {group["name"]: (str(group["count"]), len(group["rows"])) for group in answer.context["groups"]}
    assert groups == {"licensekey": ("14", 10), "activation": ("14", 10)}


def test_it_shows_ten_of_what_it_stopped_at_and_what_begins_so_first(staff):
    product = ProductFactory()
    keys = [LicenseKey(product=product, license_key=f"K-{number}-CRATE") for number in range(fragments.MATCH_CAP + 5)]
    LicenseKey.objects.bulk_create([*keys[:503], LicenseKey(product=product, license_key="CRATE-1"), *keys[503:]])
    answer = staff.get(FIND, {"q": "crate"})
    group = answer.context["groups"][0]
    assert str(group["count"]) in ("500+", "501+")  # whether it was among the first five hundred
    assert (len(group["rows"]), plain(group["rows"][0].name)) == (10, "CRATE-1")
    assert "Show all license keys that match" in answer.content.decode()


@pytest.mark.statement("S29")
def test_hostile_texts_are_texts(staff):
    some_of_all()
    for value in CORPUS:
        with suppress(UnicodeEncodeError):  # half a surrogate pair, which no browser sends
            answer = staff.get(FIND, {"q": value if isinstance(value, str) else repr(value)})
            assert answer.status_code == 200, value
    for query in ("q=%00", "q=%ff%fe", "q=%ed%a0%80", "q=a&q=b", "q[]=1", "q=" + "%F0%9F%98%80" * 300):
        assert staff.get(f"{FIND}?{query}").status_code == 200, query


# Without indexes, and with them


def test_too_slow_is_no_dead_end(staff, monkeypatch):
    """What was found until then stays, beginnings are found, and the page says what to do."""

    def slow(*args):
        raise fragments.TooSlow

    monkeypatch.setattr(search, "pks_with", slow)
    OwnerFactory(name="Ada Lovelace", email="")
    assert found(staff, "ada") == {"owner": ["Ada Lovelace"]}
    for url in (FIND, "/admin/licenses/owner/"):
        source = staff.get(url, {"q": "lovelace"}).content.decode()
        assert "This took too long without search indexes" in source and "make_search_indexes" in source


needs_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="PostgreSQL's own ways")


@needs_postgresql
@pytest.mark.statement("S35")
def test_it_is_stopped_in_time_and_its_limit_is_not_left_behind(monkeypatch):
    monkeypatch.setattr(fragments, "SECONDS", 0.1)
    with pytest.raises(fragments.TooSlow):
        fragments._fetch_until(fragments.Deadline(), "SELECT pg_sleep(20), %s", "x")
    assert fragments._fetch_until(fragments.Deadline(), "SELECT 1 WHERE 'x' = %s", "x") == [1]
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


@needs_postgresql
def test_the_indexes_are_used():
    if missing_search_indexes(connection):
        pytest.skip("this PostgreSQL has no pg_trgm")
    Owner.objects.bulk_create([Owner(name=f"Owner {number}") for number in range(50)])
    with CaptureQueriesContext(connection) as asked:
        looked = search.Search("zzqx")
        _ = (looked.license_keys, looked.contracts, looked.contracts_by_key, looked.queued_assignments)
    statements = [query["sql"] for query in asked if "MATERIALIZED" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plans = ""
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plans += "\n".join(row[0] for row in cursor.fetchall())
    assert {index.name for index in SEARCH_INDEXES} == set(re.findall(r"Bitmap Index Scan on (\w+)", plans))


@needs_postgresql
def test_with_indexes_and_without_it_finds_the_same():
    """Without: the database may use none of them."""
    if missing_search_indexes(connection):
        pytest.skip("this PostgreSQL has no pg_trgm")
    some_of_all()
    OwnerFactory(name=SPECIAL, email="")
    pieces = [*chain.from_iterable(PIECES.values()), "%_su", r"\x*", "*?[y]", "---", "Ö", "öz", "-f1", "9Q8", "e.h"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        indexed = [sought(piece) for piece in pieces]
        cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = on")
        assert [sought(piece) for piece in pieces] == indexed
