"""S31 and S32: spreadsheets as programs save them, and as nobody means well with them."""

import io
import zipfile
from datetime import date, datetime, time

import pytest
from django.core.exceptions import ValidationError

from licenses.services.assignment_files import StoredCsv, guess_columns
from licenses.services.assignment_jobs import prepare_upload
from licenses.services.assignment_results import as_csv, as_xlsx
from licenses.services.uploads import MAX_ROWS, read_upload
from tests.bulk import ALL, HEADER, csv_of, xlsx_of
from tests.hostile import CORPUS

pytestmark = [pytest.mark.statement("S31"), pytest.mark.statement("S32")]


def rows_of(data: bytes, columns=ALL) -> list[tuple]:
    prepared = prepare_upload(data)
    rows = StoredCsv(prepared.content, separator=prepared.separator, columns=columns).rows()
    return [(row.line, row.license_key, row.owner_email, row.owner_name, row.reference) for row in rows]


def refusal(data: bytes) -> str:
    with pytest.raises(ValidationError) as error:
        prepare_upload(data)
    return " ".join(error.value.messages)


PLAIN = [(2, "K1", "ann@example.com", "Änn, Lee", "1007")]
TEXT = f'{HEADER}\nK1,ann@example.com,"Änn, Lee",1007\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").replace("Änn;", "Änn,").encode(),
        TEXT.replace(",", "\t").replace("Änn\t", "Änn,").encode("utf-16"),
        xlsx_of(HEADER.split(","), ["K1", "ann@example.com", "Änn, Lee", 1007.0]),
    ],
    ids=["UTF-8", "BOM", "UTF-16", "Windows-1252", "CRLF", "semicolons", "tabs in UTF-16", "XLSX"],
)
def test_it_reads_what_programs_save(data):
    assert rows_of(data) == PLAIN


def test_windows_1252_is_said():
    assert "Windows-1252" in prepare_upload(TEXT.encode("cp1252")).notices[0]
    assert prepare_upload(TEXT.encode()).notices == []


def test_cells_of_a_spreadsheet_become_sensible_text():
    moments = [datetime(2026, 2, 28), datetime(2026, 2, 28, 13, 5), date(2026, 2, 28), time(9, 30)]
    row = [True, 7, 7.5, 1e300, "=1+1", "a\nb", None, *moments]
    text = read_upload(xlsx_of(["a"] * len(row), row)).text.splitlines()[1]
    assert text == ("True,7,7.5,1e+300,,a b,,2026-02-28,2026-02-28 13:05:00,2026-02-28,09:30:00"), (
        "a formula that no program has computed has no value yet"
    )


def test_lines_are_those_of_the_sheet():
    data = xlsx_of(["owner_email"], [None], ["a@example.com"], [None], [None], ["b@example.com"])
    assert [row[0] for row in rows_of(data, {"owner_email": 0})] == [3, 6]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Line 1: The file is empty"),
        (b"\n\n", "Line 1: The first line must name the columns"),
        (HEADER.encode(), "There are no rows"),
        (csv_of('K1,"ann,,'), 'Line 2: A quote (") is opened'),
        (csv_of(",".join("x" * 51), header=",".join("x" * 51)), "more than 50 columns"),
        (b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le") + b"\x00", "Line 3: this is not utf-16"),
        (b"a,b\n1,2\n3,\x81\x8d\n", "Line 3: this is no text in UTF-8"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, "old kind (.xls) or one with a password"),
        (b"PK\x03\x04nonsense", "This XLSX file is damaged"),
        (b"x" * (20 * 2**20 + 1), "larger than 20 MB"),
        (csv_of(*["K"] * (MAX_ROWS + 1), header="license_key"), "more than 200,000 rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_by_line(data, words):
    assert words in refusal(data)


def test_a_line_of_a_megabyte_and_wrong_quotes_are_rows_that_are_wrong():
    long, quotes = f"K1,{'x' * 2**20},,", 'K2,"a"b,,'
    prepared = prepare_upload(csv_of(long, quotes, "K3,c@example.com,,"))
    rows = list(StoredCsv(prepared.content, separator=",", columns=ALL).rows())
    assert [(row.line, bool(row.problem)) for row in rows] == [(2, True), (3, True), (4, False)]
    assert "1,048,582 characters long" in rows[0].problem


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = zipped(**{"xl/worksheets/sheet1.xml": b"0" * (129 * 2**20)})
    assert len(bomb) < 200_000
    assert "Unpacked, this file is larger than 128 MB" in refusal(bomb)
    assert "Unpacked" in refusal(zipped(**{str(n): b"" for n in range(1_001)}))


def replaced(data: bytes, part: str, content: bytes) -> bytes:
    """The XLSX file with another content in one of its parts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped(**parts | {part: content})


SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TYPES = f"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPE}.worksheet+xml"/>
<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPE}.sharedStrings+xml"/></Types>""".encode()
LAUGHS = b"""<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<worksheet><sheetData><row><c t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"""
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'


@pytest.mark.parametrize("content", [LAUGHS, OUTSIDE, b"<worksheet>", b"\x00" * 100, b""])
def test_a_sheet_with_entities_or_nonsense_is_refused(content):
    assert "cannot be read" in refusal(replaced(xlsx_of(["a"], ["b"]), SHEET, content))


def test_one_text_in_many_cells_does_not_fill_the_memory():
    """A shared string of a megabyte, named by a thousand cells: small when packed and unpacked, not as text."""
    strings = f'<sst xmlns="{NAMESPACE}"><si><t>{"x" * 2**20}</t></si></sst>'.encode()
    cells = b"<row>" + b'<c t="s"><v>0</v></c>' * 40 + b"</row>"
    sheet = f'<worksheet xmlns="{NAMESPACE}"><sheetData>'.encode() + cells * 25 + b"</sheetData></worksheet>"
    shared = {"xl/sharedStrings.xml": strings, "[Content_Types].xml": TYPES}
    data = xlsx_of(["a"], ["b"])
    for part, content in {SHEET: sheet, **shared}.items():
        data = replaced(data, part, content)
    assert len(data) < 100_000
    assert "until here the file has 128 MB of text" in refusal(data)


def test_a_cell_at_the_end_of_the_sheet_is_refused_without_counting_to_it():
    sheet = f'<worksheet xmlns="{NAMESPACE}"><sheetData><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    data = replaced(xlsx_of(["a"], ["b"]), SHEET, (sheet + "</sheetData></worksheet>").encode())
    assert "more than 200,000 rows" in refusal(data)


@pytest.mark.parametrize(
    "value", [value for value in CORPUS if isinstance(value, str)], ids=lambda value: repr(value[:12])
)
def test_hostile_texts_are_read_or_refused(value):
    """Each is a text in a cell, or a problem of its row; none of them moves an address to another row."""
    text = f"{HEADER}\n{value},ann@example.com,,\n,bob@example.com,,\n"
    data = text.encode("utf-8", "surrogatepass")
    if value.startswith('"'):
        assert "Line 2: A quote" in refusal(data)
        return
    rows = rows_of(data)
    assert rows[-1][2] == "bob@example.com"
    assert rows[0][2] in ("ann@example.com", "")


def test_results_hold_no_formulas():
    rows = [(2, "=cmd|' /C calc'!A0", "refused", "+1", "-1", "@x", "\tx")]
    text = "".join(as_csv(rows))
    assert text.startswith("\ufeffline,license_key,outcome")
    assert "2,'=cmd|' /C calc'!A0,refused,'+1,'-1,'@x,'\tx" in text
    from openpyxl import load_workbook

    sheet = load_workbook(as_xlsx(rows)).active
    assert [cell.data_type for cell in sheet[2]] == ["n", *["s"] * 6]
    assert sheet["B2"].value == "'=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("names", "guessed"),
    [
        (["E-Mail", "Name", "Order number"], {"owner_email": 0, "owner_name": 1, "reference": 2}),
        (HEADER.split(","), ALL),
        (["Serial", "Customer", "customer_email"], {"license_key": 0, "owner_name": 1, "owner_email": 2}),
        (["Name", "name"], {"owner_name": 0}),
        (["", "x"], {}),
    ],
)
def test_columns_are_guessed_by_their_names(names, guessed):
    assert guess_columns(names) == guessed
