"""licenses.license_files: what is written is read, by us, by PHP and by Node; what is spliced or damaged is not."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licenses import signing
from licenses.license_files import (
    MAX_BLOCKS,
    Facts,
    _blocks,
    _encrypt,
    read_chunked,
    verify_document,
    write_chunked,
    write_document,
)
from tests import offline

PRIVATE_KEY = signing.generate_private_key()
PEM = signing.public_pem(PRIVATE_KEY)
OTHER_PEM = signing.public_pem(signing.generate_private_key())
SIZE = 256
EXPIRES = datetime(2035, 1, 2, 3, 4, 5, tzinfo=UTC)
ISSUED = datetime(2026, 11, 21, 14, 0, 0, 123456, tzinfo=UTC)
SMALL = Facts(
    license_key="5b1f6f6e-50f4-4b8b-9d61-b6f1c9a3c5d1",
    identifier="host.example.com",
    expires_at=EXPIRES,
    product_uuid="0c7d2b0e-6a3e-4f8f-8f3b-51a3c0b9d7aa",
)
TEXTS = {"Größe/日本": 'quotes " and \\ and </script>', "tab\tline\n": "\x7f\u00a0\ufffd😀", "é": "/"}
BIG = replace(
    SMALL,
    identifier="f" * 64,
    features={
        "export": True,
        "seats": 5,
        "ratio": 1.5,
        "plan": "Größe/日本",
        **{f"module-{n}": True for n in range(12)},
    },
    metadata={**TEXTS, "7": "dropped", "1.5": "dropped", "__proto__": "dropped", "line": "a\u2028b\u2029c"},
    strict_expiry=False,
    product_id=7,
    product_name="Größe/日本",
    product_version="1.0.2",
    activation_limit=2**31,
    activations_count=1,
)
NOTHING = Facts("K", "i", None, "u")
ALL = pytest.mark.parametrize("facts", [SMALL, BIG, NOTHING], ids=["small", "big", "nothing"])


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "public.pem"
    path.write_text(PEM)
    return path


def document_of(facts):
    return write_document(facts, PRIVATE_KEY, grace_period_days=30, environment="production", issued_at=ISSUED)


@lru_cache
def chunked_of(facts_name):
    return write_chunked({"small": SMALL, "big": BIG}[facts_name], PRIVATE_KEY)


def raw_blocks(text):
    data = base64.b64decode(text)
    return [data[start : start + SIZE] for start in range(0, len(data), SIZE)]


def joined(blocks):
    return base64.b64encode(b"".join(blocks)).decode()


# The chunked form


def test_it_writes_one_block_where_one_is_enough():
    text = chunked_of("small")
    assert len(raw_blocks(text)) == 1
    assert list(read_chunked(text, PEM).items())[1:] == [
        ("license_key", SMALL.license_key),
        ("expires_at", "2035-01-02 03:04:05"),
        ("hardware_id", "host.example.com"),
        ("product_uuid", SMALL.product_uuid),
        ("status", "active"),
    ]


def test_metadata_is_there_where_one_block_holds_it():
    facts = replace(NOTHING, metadata={"name": "value"}, features={"export": True})
    read = read_chunked(write_chunked(facts, PRIVATE_KEY), PEM)
    assert (read["expires_at"], read["features"], read["metadata"]) == (None, {"export": True}, {"name": "value"})


def test_it_writes_several_blocks_for_many_features():
    text = chunked_of("big")
    read = read_chunked(text, PEM)
    assert len(raw_blocks(text)) > 2
    assert read["features"] == BIG.features | {"ratio": "1.5"}
    assert "metadata" not in read


def test_features_that_are_too_many_are_left_out_whole():
    facts = replace(SMALL, features={f"{n:0100}x": "y" * 20 for n in range(100)})
    text = write_chunked(facts, PRIVATE_KEY)
    assert len(raw_blocks(text)) <= MAX_BLOCKS
    assert "features" not in read_chunked(text, PEM)


@pytest.mark.parametrize("bits", [3072, 4096])
def test_larger_keys_have_larger_blocks(bits, tmp_path):
    private_key = signing.generate_private_key(bits)
    public_key = signing.public_pem(private_key)
    (tmp_path / "public.pem").write_text(public_key)
    text = write_chunked(BIG, private_key)
    assert len(base64.b64decode(text)) % (bits // 8) == 0
    assert offline.php_reads_chunked(text, tmp_path / "public.pem")["hardware_id"] == BIG.identifier
    assert read_chunked(text, public_key)["hardware_id"] == BIG.identifier


def test_it_says_so_when_a_block_is_too_small():
    with pytest.raises(ValueError, match="too long for a block"):
        write_chunked(replace(SMALL, identifier="x" * 255), PRIVATE_KEY)


@ALL
@pytest.mark.parametrize("reader", [offline.php_reads_chunked, offline.node_reads_chunked])
def test_php_and_node_read_it(facts, reader, pem):
    text = write_chunked(facts, PRIVATE_KEY)
    found = reader(text, pem)
    found.pop("", None)
    if "features" in found:
        found["features"].pop("", None)
    assert found == read_chunked(text, PEM)


def test_white_space_in_it_does_no_harm():
    text = chunked_of("big")
    assert read_chunked("\r\n".join([text[:76], text[76:], ""]), PEM) == read_chunked(text, PEM)


def splices():
    """Of files for two license keys, for two devices and of two times: the first blocks of one, the rest of another."""
    blocks = raw_blocks(chunked_of("big"))
    others = [
        replace(BIG, license_key="another"),
        replace(BIG, identifier="e" * 64),
        replace(BIG, expires_at=None),
        replace(BIG, features={**BIG.features, "export": "more"}),
    ]
    for other in others:
        foreign = raw_blocks(write_chunked(other, PRIVATE_KEY))
        for cut in range(1, min(len(blocks), len(foreign))):
            yield joined([*blocks[:cut], *foreign[cut:]])
            yield joined([*foreign[:cut], *blocks[cut:]])
            yield joined([*blocks[:cut], foreign[cut], *blocks[cut + 1 :]])


def rearrangements():
    blocks = raw_blocks(chunked_of("big"))
    yield from (joined(blocks[:cut]) for cut in range(1, len(blocks)))
    yield from (joined([*blocks[:one], *blocks[one + 1 :]]) for one in range(len(blocks)))
    yield from (joined([*blocks[: one + 1], *blocks[one:]]) for one in range(len(blocks)))
    yield joined(blocks[::-1])
    yield joined([*blocks, *blocks])
    yield joined([*raw_blocks(chunked_of("small")), *blocks])
    yield joined([*blocks, *raw_blocks(chunked_of("small"))])


@pytest.mark.statement("S23")
def test_blocks_of_two_files_are_no_license_file():
    for text in (*splices(), *rearrangements()):
        with pytest.raises(ValueError, match="not a license file"):
            read_chunked(text, PEM)


@pytest.mark.statement("S23")
@pytest.mark.parametrize("reader", [offline.php_reads_chunked, offline.node_reads_chunked])
def test_not_even_readers_that_only_parse_json_take_them(reader, pem):
    for text in [*list(splices())[::4], *rearrangements()]:
        assert reader(text, pem) is None


def test_a_lock_that_fits_by_chance_does_not_open_the_file():
    """As if somebody had found two files whose brackets fit: every block still names its own file."""
    members = {"id": "a" * 16, "license_key": "k" * 100, "hardware_id": "h" * 100}
    first, second = _blocks(members, 245)
    forged = second.replace(b"a" * 16, b"b" * 16)
    assert json.loads(first + forged)["hardware_id"] == "h" * 100
    assert read_chunked(joined([_encrypt(first, PRIVATE_KEY), _encrypt(second, PRIVATE_KEY)]), PEM) == members
    with pytest.raises(ValueError, match="not a license file"):
        read_chunked(joined([_encrypt(first, PRIVATE_KEY), _encrypt(forged, PRIVATE_KEY)]), PEM)


def test_the_same_contents_have_the_same_id_and_metadata_does_not_count():
    first, again = (read_chunked(write_chunked(SMALL, PRIVATE_KEY), PEM)["id"] for _ in range(2))
    noted = read_chunked(write_chunked(replace(NOTHING, metadata={"a": "b"}), PRIVATE_KEY), PEM)["id"]
    assert first == again
    assert noted == read_chunked(write_chunked(NOTHING, PRIVATE_KEY), PEM)["id"] != first


@pytest.mark.statement("S23")
def test_it_refuses_every_flipped_bit_of_the_chunked_form():
    text = chunked_of("small").encode()
    for position in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[position // 8] ^= 1 << (position % 8)
        with pytest.raises(ValueError, match="not a license file"):
            read_chunked(flipped.decode("latin-1"), PEM)


@pytest.mark.statement("S24")
@pytest.mark.parametrize("key", ["", "no key", OTHER_PEM, None, 7])
def test_another_key_or_none_reads_and_verifies_nothing(key):
    with pytest.raises(ValueError, match="not a license file"):
        read_chunked(chunked_of("small"), key)
    assert not verify_document(document_of(SMALL), key)


@pytest.mark.parametrize("text", ["", "   ", "AAAA", "=", "é", "A" * 10_000, None, 7, [], "\ud800"])
def test_it_reads_nothing_else(text):
    with pytest.raises(ValueError, match="not a license file"):
        read_chunked(text, PEM)


FEATURES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(FEATURES)
def test_it_reads_whatever_it_writes(features):
    facts = replace(SMALL, features=features)
    text = write_chunked(facts, PRIVATE_KEY)
    assert read_chunked(text, PEM)["license_key"] == SMALL.license_key
    document = document_of(facts)
    assert verify_document(document, PEM)
    assert verify_document(json.loads(json.dumps(document)), PEM)


# The document


@ALL
def test_the_document_is_sorted_at_every_level(facts):
    document = document_of(facts)
    assert json.dumps(document) == json.dumps(document, sort_keys=True)
    assert list(document) == [
        *("environment", "generator", "id", "issued_at", "last_verified_at", "license", "product", "security"),
        *("signature", "type", "validation_rules", "version"),
    ]
    assert "{}" not in json.dumps(document)


def test_the_document_says_what_the_protocol_lists():
    document = document_of(BIG)
    assert (document["type"], document["version"], document["environment"]) == ("license-file", "1.0", "production")
    assert document["issued_at"] == document["last_verified_at"] == "2026-11-21T14:00:00Z"
    license = document["license"]
    assert {name: license[name] for name in license if name not in ("features", "metadata")} == {
        "activations_count": 1,
        "activations_limit": 2**31,
        "domain": None,
        "expires_at": "2035-01-02T03:04:05Z",
        "hardware_id": BIG.identifier,
        "key": BIG.license_key,
        "license_key": BIG.license_key,
        "status": "active",
    }
    assert license["features"] == BIG.features | {"ratio": "1.5"}
    assert license["metadata"] == TEXTS | {"line": "a b c"}
    assert document["product"] == {
        "id": 7,
        "name": "Größe/日本",
        "uuid": BIG.product_uuid,
        "version": "1.0.2",
    }
    assert document["generator"] == {"algorithm": None, "id": None, "pattern": None}
    assert document["validation_rules"] == {
        "allow_grace_after_expiry": True,
        "grace_period_days": 30,
        "max_clock_drift_hours": 24,
        "offline_validation_enabled": True,
        "require_usb_connected": False,
        "strict_expiry": False,
    }
    assert {**document["security"], "anti_tampering_hash": None} == {
        "anti_tampering_hash": None,
        "issued_by": "licensing-portal",
        "signature_algorithm": "RSA-SHA256",
        "usb_serial_number": None,
    }


def test_the_hash_is_over_what_matters():
    hashes = {
        document_of(facts)["security"]["anti_tampering_hash"]
        for facts in (SMALL, replace(SMALL, license_key="x"), replace(SMALL, expires_at=None), BIG)
    }
    assert len(hashes) == 4
    assert document_of(SMALL)["security"]["anti_tampering_hash"] in hashes
    assert all(len(found) == 64 for found in hashes)


def test_every_document_has_an_id_of_its_own():
    assert document_of(SMALL)["id"] != document_of(SMALL)["id"]


@ALL
@pytest.mark.parametrize("verifies", [offline.php_verifies_document, offline.node_verifies_document])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_php_and_node_verify_it(facts, verifies, ascii_only, pem, tmp_path):
    document = document_of(facts)
    text = json.dumps(document, ensure_ascii=ascii_only, indent=2)
    assert verifies(text, pem)
    (tmp_path / "other.pem").write_text(OTHER_PEM)
    assert not verifies(text, tmp_path / "other.pem")
    assert not verifies(text.replace('"active"', '"Active"'), pem)


@pytest.mark.statement("S23")
def test_it_refuses_every_flipped_bit_of_the_document():
    text = signing.encode_portable(document_of(BIG)).encode()
    tried = 0
    for position in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[position // 8] ^= 1 << (position % 8)
        try:
            damaged = json.loads(bytes(flipped))
        except ValueError:
            continue  # no JSON any more
        tried += 1
        assert not verify_document(damaged, PEM), flipped
    assert tried > 1000


@pytest.mark.parametrize(
    "other",
    [
        {"signature": ""},
        {"signature": None},
        {"signature": "Private key not set"},
        {"added": 1},
        {"7": 1},
        {7: 1},
        {"type": "answer"},
        {"license": None},
        {"version": 1.0},
    ],
)
def test_it_refuses_what_is_not_as_it_was_signed(other):
    document = document_of(SMALL)
    assert verify_document(document, PEM)
    assert not verify_document(document | other, PEM)


@pytest.mark.parametrize("value", [None, [], "text", 7, {}])
def test_it_refuses_what_is_no_document(value):
    assert not verify_document(value, PEM)


def test_the_order_of_the_names_means_nothing():
    assert verify_document(dict(reversed(document_of(BIG).items())), PEM)


# S22: one type of document is never taken for another


def signed_as_sdk_answer(**envelope):
    sealed = signing.portable(envelope)
    signature = signing.sign_text(signing.encode_portable(sealed), private_key=PRIVATE_KEY)
    return sealed | {"signature": signature}


@pytest.mark.statement("S22")
def test_a_license_file_is_no_answer():
    document, text = document_of(SMALL), chunked_of("small")
    answer = signing.seal({"code": 200}, private_key=PRIVATE_KEY, label="product")
    assert not signing.verify(document, PEM)
    assert not signing.verify(answer | {"signature": document["signature"]}, PEM)
    assert not signing.verify(answer | {"signature": text}, PEM)
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    assert not signing.verify_text(signing.encode_portable(unsigned), text, PEM)


@pytest.mark.statement("S22")
def test_an_answer_is_no_license_file():
    answer = signing.seal({"code": 200, "license": {}}, private_key=PRIVATE_KEY, label="product")
    license = document_of(SMALL)["license"]
    sdk_answer = signed_as_sdk_answer(code=200, valid=True, license=license, response={}, response_base64="e30=")
    for signed in (answer, sdk_answer):
        assert not verify_document(signed, PEM)
        assert not verify_document(document_of(SMALL) | {"signature": signed["signature"]}, PEM)
        with pytest.raises(ValueError, match="not a license file"):
            read_chunked(signed["signature"], PEM)


@pytest.mark.statement("S22")
def test_the_chunked_form_is_no_document_and_the_document_no_chunked_form():
    document, text = document_of(SMALL), chunked_of("small")
    assert not verify_document(read_chunked(text, PEM) | {"signature": text}, PEM)
    assert not verify_document(document | {"signature": text}, PEM)
    with pytest.raises(ValueError, match="not a license file"):
        read_chunked(document["signature"], PEM)


@pytest.mark.statement("S22")
def test_no_block_can_be_the_digest_that_a_signature_holds():
    """Such a block would be a signature over whatever has that digest."""
    hostile = "".join(map(chr, bytes.fromhex("3031300d060960864801650304020105000420"))) + "x" * 32
    facts = replace(NOTHING, identifier=hostile, metadata={hostile: hostile}, features={hostile: hostile})
    read = read_chunked(write_chunked(facts, PRIVATE_KEY), PEM)
    assert read["hardware_id"] == hostile
    for block in _blocks(read, SIZE - 11):
        assert all(byte >= 0x20 for byte in block)
