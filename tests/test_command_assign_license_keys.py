"""assign_license_keys: what it assigns, what it reports with which line, its files and its exit codes."""

import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from licenses.management import progress
from licenses.models import Assignment, AuditEvent, LicenseKey, Owner
from tests.commands import end, errors, read_csv, results, run, start, write_csv
from tests.factories import LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def product():
    return ProductFactory(name="Photo Editor")


@pytest.fixture
def stock(product):
    """Five available license keys, K1 to K5."""
    return [LicenseKeyFactory(product=product, license_key=f"K{number}") for number in range(1, 6)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders.csv"


def assigned() -> dict[str, str]:
    keys = LicenseKey.objects.filter(status="assigned").select_related("owner").order_by("license_key")
    return {found.license_key: found.owner.email or found.owner.name for found in keys}


def test_it_assigns_the_license_keys_of_a_file(stock, path):
    write_csv(path, "K1,ada@example.com,Ada,order 1", "K2,bob@example.com,Bob,")
    ran = run("assign_license_keys", path)
    assert ran.code == 0
    assert assigned() == {"K1": "ada@example.com", "K2": "bob@example.com"}
    assert results(path) == [("2", "K1", "assigned"), ("3", "K2", "assigned")]
    assert errors(path) == {}
    assert "2 rows, 2 assigned, 0 refused" in ran.out
    first = LicenseKey.objects.get(license_key="K1")
    assert (first.reference, first.owner.name) == ("order 1", "Ada")
    assert first.assigned_at is not None


def test_it_records_each_assignment_with_the_user_of_the_operating_system(stock, path):
    import getpass

    write_csv(path, "K1,ada@example.com,Ada,order 1")
    run("assign_license_keys", path)
    event = AuditEvent.objects.get(kind="license_key.assigned")
    assert (event.door, event.actor, event.object_id) == ("command", getpass.getuser(), stock[0].pk)
    assert event.before == {"status": "available"}
    assert event.after["owner"] == Owner.objects.get().pk
    assert AuditEvent.objects.filter(kind="owner.created").count() == 1


def test_it_starts_the_clock_of_the_validity(product, path):
    key = LicenseKeyFactory(product=product, validity_days=30)
    write_csv(path, f"{key.license_key},ada@example.com,,")
    run("assign_license_keys", path)
    key.refresh_from_db()
    assert (key.expires_at - key.assigned_at).days == 30


def test_it_takes_the_oldest_available_license_keys_of_the_product(stock, product, path):
    LicenseKeyFactory(license_key="OTHER")
    write_csv(path, ",ada@example.com,Ada,", ",bob@example.com,Bob,")
    assert run("assign_license_keys", path, "--product", "Photo Editor").code == 0
    assert assigned() == {"K1": "ada@example.com", "K2": "bob@example.com"}
    assert results(path) == [("2", "K1", "assigned"), ("3", "K2", "assigned")]


def test_it_needs_no_license_key_column_where_the_stock_serves(stock, product, path):
    write_csv(path, "ada@example.com", header="owner_email")
    assert run("assign_license_keys", path, "--product", product.pk).code == 0
    assert assigned() == {"K1": "ada@example.com"}


def test_it_keeps_a_license_key_for_the_row_that_names_it(stock, product, path):
    write_csv(path, ",ada@example.com,,", ",bob@example.com,,", "K1,cy@example.com,,")
    for options in (("--dry-run",), ()):
        assert run("assign_license_keys", path, "--product", product.pk, "--batch-size", 1, *options).code == 0
    assert assigned() == {"K1": "cy@example.com", "K2": "ada@example.com", "K3": "bob@example.com"}


def test_it_finds_owners_whatever_the_case_and_fills_in_names(stock, path):
    known, nameless = OwnerFactory(email="Ada@Example.com", name="Ada"), OwnerFactory(email="bob@example.com", name="")
    write_csv(
        path, "K1,ADA@example.COM,Other,", "K2,bob@example.com,Bob,", "K3,cy@example.com,,", "K4,CY@example.com,Cy,"
    )
    assert run("assign_license_keys", path).code == 0
    assert [key.owner for key in LicenseKey.objects.filter(license_key__in=("K1", "K2")).order_by("pk")] == [
        known,
        nameless,
    ]
    assert Owner.objects.get(pk=known.pk).name == "Ada"
    assert Owner.objects.get(pk=nameless.pk).name == "Bob"
    assert Owner.objects.get(email="cy@example.com").name == "Cy"
    assert AuditEvent.objects.filter(kind="owner.created").count() == 1
    assert AuditEvent.objects.filter(kind="owner.updated", after={"name": "Bob"}).count() == 1


def test_it_takes_owners_without_an_address_each_as_their_own(stock, path):
    write_csv(path, "K1,,Ada,", "K2,,Ada,")
    assert run("assign_license_keys", path).code == 0
    assert Owner.objects.filter(name="Ada", email="").count() == 2


def test_it_serves_an_address_with_letters_outside_ascii(stock, path):
    owner = OwnerFactory(email="info@bücher.example")
    write_csv(path, "K1,INFO@bücher.example,,", "K2,info@straße.example,,", "K3,info@straße.example,,")
    assert run("assign_license_keys", path).code == 0
    assert LicenseKey.objects.get(license_key="K1").owner == owner
    assert Owner.objects.filter(email="info@straße.example").count() == 1


@pytest.mark.statement("S32")
@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("NOPE,ada@example.com,,", "There is no such license key."),
        ("TAKEN,ada@example.com,,", "This license key is assigned already."),
        ("HELD,ada@example.com,,", "This license key is reserved: make it available first."),
        ("BAD,ada@example.com,,", "This license key is blocked."),
        ("K2,,,", "There is no owner: give an owner_email, an owner_name or both."),
        ("K2,ada@@example.com,,", "owner_email “ada@@example.com” is not an e-mail address (name@example.com)."),
        ("K2,Not set,,", "owner_email “Not set” is not an e-mail address (name@example.com)."),
        (",ada@example.com,,", "There is no license_key, and no product was named to take an available one from."),
        ("K2,ada@example.com,Ada", "3 fields where the header has 4: check commas and quotes."),
        ("K2,ada@example.com,Doe, Jo,", "5 fields where the header has 4: check commas and quotes."),
        ("K2,ada@example.com,A\0da,", "owner_name has a control character in it"),
        ("K\0002,ada@example.com,Ada,", "license_key has a control character in it"),
        ('K2,ada@example.com,"two\nlines",', "owner_name has a control character in it"),
        (f"{'K' * 256},ada@example.com,,", "license_key is 256 characters long: 255 is the most."),
        (f"K2,{'a' * 255}@example.com,,", "owner_email is 267 characters long: 254 is the most."),
        (f"K2,ada@example.com,{'a' * 256},", "owner_name is 256 characters long: 255 is the most."),
        (f"K2,ada@example.com,,{'a' * 256}", "reference is 256 characters long: 255 is the most."),
        ('K2,ada@example.com,"A"da,', "The quotes in this row are not placed as CSV wants them"),
        (f"K2,ada@example.com,{'x' * 1_048_576},", "Line 3 is 1,048,597 characters long: 65,535 is the most."),
        ("K1,bob@example.com,,", "This license key is on line 2 already."),
    ],
)
def test_it_refuses_a_bad_row_with_its_line_and_assigns_the_others(stock, path, row, problem):
    LicenseKeyFactory(license_key="TAKEN", assigned=True)
    LicenseKeyFactory(license_key="HELD", status="reserved")
    LicenseKeyFactory(license_key="BAD", status="blocked")
    write_csv(path, "K1,ada@example.com,Ada,", row, "K5,cy@example.com,Cy,")
    ran = run("assign_license_keys", path)
    assert ran.code == 1
    assert "3 rows, 2 assigned, 1 refused" in ran.err
    assert list(errors(path)) == [3]
    assert errors(path)[3].startswith(problem)
    last = "5" if "\nlines" in row else "4"
    assert [(line, outcome) for line, _, outcome in results(path)] == [
        ("2", "assigned"),
        ("3", "refused"),
        (last, "assigned"),
    ]
    assert set(assigned()) == {"K1", "K5", "TAKEN"}
    assert AuditEvent.objects.filter(kind="license_key.assigned").count() == 2


@pytest.mark.statement("S32")
@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"", 1, "The file is empty"),
        (b"license_key,email\nK1,ada@example.com\n", 1, "The column owner_email is missing"),
        (b"license_key;owner_email\nK1;ada@example.com\n", 1, "separated by semicolons: save it with commas"),
        (b"license_key,owner_email,License_Key\nK1,a@example.com,K2\n", 1, "“license_key” is there twice"),
        (b"license_key,owner_email\nK1,a@example.com\nK2,j\xfcrg@example.com\n", 3, "--encoding cp1252"),
        ("license_key,owner_email\nK1,a@example.com\n".encode("utf-16"), 1, "--encoding utf-16"),
        ("license_key,owner_email\nK1,a@example.com\n".encode("utf-16-le"), 1, "--encoding utf-16"),
        (b'license_key,owner_email\nK1,a@example.com\nK2,"b@example.com\nK3,c@example.com\n', 3, "A quote"),
        (b'license_key,owner_email\nK1,a@example.com\nK2,"b@example.com\nK3,"c@example.com"\n', 3, "A quote"),
        (b'license_key,owner_email\nK1,"' + b"x\n" * 2_000 + b'"\n', 2, "A quote"),
        (b'license_key,owner_email\nK1,a@example.com\nK2,"' + b"x" * 1_048_576 + b"\nK3,c@example.com\n", 3, "A quote"),
    ],
)
def test_it_does_nothing_with_a_file_that_is_wrong_as_a_whole(stock, path, content, line, problem):
    path.write_bytes(content)
    ran = run("assign_license_keys", path)
    assert ran.code == 2
    assert f"orders.csv, line {line}: " in ran.err
    assert problem in ran.err
    assert "Nothing was done" in ran.err
    assert assigned() == {}
    assert [child.name for child in path.parent.iterdir()] == ["orders.csv"]


def test_it_reads_a_quoted_line_break_as_one_row(stock, path):
    """A note that a buyer wrote in a shop must not become a row of its own."""
    write_csv(path, 'K1,ada@example.com,"hello\nK2,eve@example.com,\nbye"', header="license_key,owner_email,note")
    assert run("assign_license_keys", path).code == 0
    assert assigned() == {"K1": "ada@example.com"}


@pytest.mark.statement("S32")
@pytest.mark.parametrize(
    ("encoding", "option"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-8-sig", "utf-8"), ("cp1252", "cp1252"), ("utf-16", "utf-16")],
)
def test_it_reads_encodings_and_line_ends_of_other_systems(stock, path, encoding, option):
    path.write_bytes("license_key,owner_email,owner_name\r\nK1,ada@example.com,Jürgen\r\n".encode(encoding))
    ran = run("assign_license_keys", path, *(["--encoding", option] if option else []))
    assert ran.code == 0, ran.err
    assert Owner.objects.get().name == "Jürgen"


def test_it_tells_of_blank_lines_and_unknown_columns_without_failing(stock, path):
    write_csv(
        path, "K1,ada@example.com,x", "", ",,", "K2,bob@example.com,y", "", header="license_key,owner_email,colour"
    )
    ran = run("assign_license_keys", path)
    assert ran.code == 0
    assert "Warning: line 1: Column 3 (“colour”) is not known and is ignored." in ran.err
    blank = "This line is blank and was passed over."
    assert errors(path) == {1: "Column 3 (“colour”) is not known and is ignored.", 3: blank, 4: blank, 6: blank}
    assert len(assigned()) == 2


@pytest.mark.statement("S32")
def test_it_neutralises_formulas_in_what_it_writes(path):
    LicenseKeyFactory(license_key="=K1")
    write_csv(path, "=K1,ada@example.com,Ada,@SUM(A1)", "+K2,-@,,", "K3,bob@example.com,,\t=1", "-K4,=x,,")
    assert run("assign_license_keys", path).code == 1
    for name in ("results", "errors"):
        for row in read_csv(f"{path}.{name}.csv"):
            assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert read_csv(f"{path}.results.csv")[0] == {
        "line": "2",
        "license_key": "'=K1",
        "outcome": "assigned",
        "owner_email": "ada@example.com",
        "reference": "'@SUM(A1)",
    }


def test_it_writes_files_that_only_their_owner_reads(stock, path):
    write_csv(path, "K1,ada@example.com,,")
    run("assign_license_keys", path)
    for name in ("results", "errors"):
        assert stat.S_IMODE((path.parent / f"orders.csv.{name}.csv").stat().st_mode) == 0o600


def test_it_writes_its_files_where_it_is_told(stock, path, tmp_path):
    write_csv(path, "K1,ada@example.com,,")
    run("assign_license_keys", path, "--results", tmp_path / "r.csv", "--errors", tmp_path / "e.csv")
    assert {child.name for child in tmp_path.iterdir()} == {"orders.csv", "r.csv", "e.csv"}


@pytest.mark.statement("R14")
@pytest.mark.parametrize("batch_size", [1, 2, 500])
def test_the_dry_run_says_what_the_real_run_does(stock, product, path, batch_size):
    """The stock runs dry in the middle, license keys are named before and after others are taken from stock."""
    LicenseKeyFactory(license_key="TAKEN", assigned=True)
    write_csv(
        path,
        ",a@example.com,A,",
        "K2,b@example.com,B,",
        "K4,nonsense,,",
        ",c@example.com,C,",
        "",
        "K2,d@example.com,D,",
        "TAKEN,e@example.com,,",
        "K4,e@example.com,,",
        ",f@example.com,,",
        ",f@example.com,,",
        ",g@example.com,,",
        "K5,h@example.com,,",
        ",i@example.com,,",
    )
    options = ("--product", product.pk, "--batch-size", batch_size)
    planned = run("assign_license_keys", path, "--dry-run", *options)
    assert assigned() == {"TAKEN": LicenseKey.objects.get(license_key="TAKEN").owner.email}
    assert not Assignment.objects.exists()
    assert not Owner.objects.filter(email__in=("a@example.com", "b@example.com")).exists()
    done = run("assign_license_keys", path, *options)
    assert planned.code == done.code == 1
    for name in ("results", "errors"):
        assert read_csv(f"{path}.dry-run.{name}.csv") == read_csv(f"{path}.{name}.csv")
    assert results(path) == [
        ("2", "K1", "assigned"),
        ("3", "K2", "assigned"),
        ("4", "K4", "refused"),
        ("5", "K3", "assigned"),
        ("7", "K2", "refused"),
        ("8", "TAKEN", "refused"),
        ("9", "K4", "refused"),
        ("10", "", "refused"),
        ("11", "", "refused"),
        ("12", "", "refused"),
        ("13", "K5", "assigned"),
        ("14", "", "refused"),
    ]
    assert errors(path)[7] == "This license key is on line 3 already."
    assert errors(path)[9] == "This license key is on line 4 already."
    assert errors(path)[10] == "No license key of Photo Editor is available any more."


@pytest.mark.statement("R14")
def test_it_does_nothing_twice_when_the_same_file_is_run_again(stock, product, path):
    write_csv(path, "K5,ada@example.com,,", ",bob@example.com,,", ",bob@example.com,,")
    first = run("assign_license_keys", path, "--product", product.pk)
    before, audit = assigned(), AuditEvent.objects.count()
    second = run("assign_license_keys", path, "--product", product.pk)
    assert (first.code, second.code) == (0, 0)
    assert "3 assigned (3 of them by an earlier run)" in second.out
    assert assigned() == before
    assert len(before) == 3
    assert AuditEvent.objects.count() == audit
    assert results(path) == [("2", "K5", "assigned"), ("3", "K1", "assigned"), ("4", "K2", "assigned")]


def test_it_knows_the_file_under_another_name_and_batch_size(stock, product, path, tmp_path):
    write_csv(path, ",ada@example.com,,")
    run("assign_license_keys", path, "--product", product.pk)
    copy = tmp_path / "copy.csv"
    copy.write_bytes(path.read_bytes())
    assert run("assign_license_keys", copy, "--product", "Photo Editor", "--batch-size", 7).code == 0
    assert len(assigned()) == 1


def test_it_tries_refused_rows_again_once_their_cause_is_gone(product, path):
    write_csv(path, ",ada@example.com,,", "LATER,bob@example.com,,")
    LicenseKeyFactory(product=product, license_key="K1")
    assert run("assign_license_keys", path, "--product", product.pk).code == 1
    LicenseKeyFactory(product=product, license_key="LATER")
    ran = run("assign_license_keys", path, "--product", product.pk)
    assert ran.code == 0
    assert "2 rows, 2 assigned (1 of them by an earlier run), 0 refused" in ran.out
    assert assigned() == {"K1": "ada@example.com", "LATER": "bob@example.com"}
    assert errors(path) == {}
    assert Assignment.objects.get().rows.count() == 2


def test_it_goes_on_when_a_forgotten_product_is_named(stock, product, path):
    write_csv(path, "K5,ada@example.com,,", ",bob@example.com,,")
    assert run("assign_license_keys", path).code == 1
    assert run("assign_license_keys", path, "--product", product.pk).code == 0
    assert assigned() == {"K1": "bob@example.com", "K5": "ada@example.com"}


def test_it_assigns_a_file_again_where_that_is_meant(stock, product, path):
    write_csv(path, ",ada@example.com,,")
    run("assign_license_keys", path, "--product", product.pk)
    assert run("assign_license_keys", path, "--product", product.pk, "--again").code == 0
    assert assigned() == {"K1": "ada@example.com", "K2": "ada@example.com"}
    assert run("assign_license_keys", path, "--product", product.pk).code == 0
    assert len(assigned()) == 2


def test_it_finishes_an_unfinished_run_before_it_assigns_again(stock, product, path):
    """Someone whose run with --again was killed repeats exactly that command."""
    write_csv(path, ",ada@example.com,,", ",bob@example.com,,")
    run("assign_license_keys", path, "--product", product.pk)
    Assignment.objects.update(finished_at=None)
    run("assign_license_keys", path, "--product", product.pk, "--again")
    assert len(assigned()) == 2


@pytest.mark.statement("R14")
def test_it_asks_before_it_serves_the_rows_of_a_corrected_file_twice(stock, product, path, tmp_path):
    write_csv(path, ",oops@@example.com,,", ",ada@example.com,,", ",bob@example.com,,")
    assert "--corrects" in run("assign_license_keys", path, "--product", product.pk).err
    number = Assignment.objects.get().pk
    corrected = write_csv(tmp_path / "corrected.csv", ",bob@example.com,,", ",new@example.com,,", ",ada@example.com,,")
    for options in ((), ("--dry-run",)):
        ran = run("assign_license_keys", corrected, "--product", product.pk, *options)
        assert ran.code == 2
        assert f"2 rows of {corrected} got their license keys in run {number}" in ran.err
        assert len(assigned()) == 2
    for options in (("--corrects", number, "--dry-run"), ("--corrects", number), ()):
        ran = run("assign_license_keys", corrected, "--product", product.pk, *options)
        assert ran.code == 0, ran.err
    assert assigned() == {"K1": "ada@example.com", "K2": "bob@example.com", "K3": "new@example.com"}
    assert results(corrected) == [("2", "K2", "assigned"), ("3", "K3", "assigned"), ("4", "K1", "assigned")]


def test_a_new_file_of_the_same_name_is_a_new_assignment(stock, product, path):
    write_csv(path, ",ada@example.com,,order 1")
    run("assign_license_keys", path, "--product", product.pk)
    write_csv(path, ",ada@example.com,,order 2")
    assert run("assign_license_keys", path, "--product", product.pk).code == 0
    assert len(assigned()) == 2


def test_it_assigns_one_license_key_from_arguments(stock):
    ran = run(
        "assign_license_keys", "--license-key", "K3", "--owner-email", "ada@example.com", "--reference", "order 9"
    )
    assert (ran.code, ran.out) == (0, "K3\n")
    found = LicenseKey.objects.get(license_key="K3")
    assert (found.owner.email, found.reference) == ("ada@example.com", "order 9")
    again = run("assign_license_keys", "--license-key", "K3", "--owner-email", "ada@example.com")
    assert (again.code, again.err) == (1, "This license key is assigned already.")


def test_it_takes_one_license_key_from_stock_and_prints_it_alone(stock, product):
    dry = run("assign_license_keys", "--product", product.pk, "--owner-name", "Ada", "--dry-run")
    assert (dry.out, assigned()) == ("K1\n", {})
    assert run("assign_license_keys", "--product", product.pk, "--owner-name", "Ada").out == "K1\n"
    assert run("assign_license_keys", "--product", product.pk, "--owner-name", "Ada").out == "K2\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Give a CSV file, or --owner-email"),
        (["nowhere.csv"], "nowhere.csv: there is no such file"),
        (["."], ".: there is no such file"),
        (["{path}", "--owner-email", "a@example.com"], "--owner-email goes without a file"),
        (["{path}", "--product", "Nothing"], "There is no product with the id or exact name “Nothing”."),
        (["{path}", "--product", "9" * 30], "There is no product"),
        (["{path}", "--product", "A\0"], "There is no product"),
        (["{path}", "--encoding", "klingon"], "unknown encoding: klingon"),
        (["{path}", "--corrects", "12345"], "There is no run 12345"),
        (["{path}", "--results", "{path}"], "must be three different files"),
        (["{path}", "--results", "nowhere/r.csv"], "nowhere/r.csv: No such file or directory"),
        (["{path}", "--errors", "."], ".: Is a directory"),
        (["{path}", "--results", "/dev/full"], "No space left on device. Nothing was done."),
    ],
)
def test_it_explains_what_it_cannot_use_and_does_nothing(stock, path, arguments, problem):
    write_csv(path, "K1,ada@example.com,,")
    ran = run("assign_license_keys", *[argument.format(path=path) for argument in arguments])
    assert ran.code == 2
    assert problem in ran.err
    assert assigned() == {}
    assert not Assignment.objects.exists()


def test_it_says_when_a_product_is_ambiguous(product, path):
    other = ProductFactory(name=product.name)
    ran = run("assign_license_keys", "--product", product.name, "--owner-name", "Ada")
    assert ran.code == 2
    assert f"{product.pk} (Photo Editor), {other.pk} (Photo Editor)" in ran.err


def test_it_needs_a_product_where_there_is_no_license_key_column(path):
    write_csv(path, "ada@example.com", header="owner_email")
    ran = run("assign_license_keys", path)
    assert ran.code == 2
    assert "has no column license_key: say with --product" in ran.err


def test_it_accepts_a_file_without_rows(path):
    write_csv(path)
    assert run("assign_license_keys", path).code == 0


SHARDS = some.sampled_from(
    [b"K1", b",", b'"', b"\n", b"\r\n", b"\0", b"\xff", b"\xc3\xa9", b"@x.org", b"=", b" ", b"a"]
)


@pytest.mark.statement("S29")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=some.lists(SHARDS, max_size=40).map(b"".join) | some.binary(max_size=200))
def test_no_content_of_a_file_is_answered_with_a_crash(stock, path, body):
    path.write_bytes(b"license_key,owner_email,owner_name\n" + body)
    ran = run("assign_license_keys", path, "--dry-run")
    assert ran.code in (0, 1, 2)
    if ran.code == 2:
        assert "orders.csv, line " in ran.err
    if ran.code == 1:
        assert errors(path.with_name("orders.csv.dry-run"))


def test_it_shows_its_progress_line_by_line_without_a_terminal(stock, path, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_LINE_EVERY", 0)
    write_csv(path, *(f"K{number},ada@example.com,," for number in range(1, 6)))
    ran = run("assign_license_keys", path, "--batch-size", 2)
    assert ran.err.splitlines() == ["2 of 5 rows", "4 of 5 rows", "5 of 5 rows"]


@pytest.mark.django_db(transaction=True)
def test_it_shows_a_bar_on_a_terminal(path):
    LicenseKeyFactory(license_key="K1")
    write_csv(path, "K1,ada@example.com,,")
    terminal, end_of_process = os.openpty()
    process = start("assign_license_keys", path, stderr=end_of_process)
    process.communicate(timeout=60)
    os.close(end_of_process)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert process.returncode == 0
    assert "━" in shown and "1/1" in shown


@pytest.mark.django_db(transaction=True)
def test_the_process_exits_with_its_code_and_without_a_traceback(path):
    LicenseKeyFactory(license_key="K1")
    write_csv(path, "K1,ada@example.com,,")
    write_csv(path.with_name("bad.csv"), "K2,ada@example.com,,")
    started = [
        start("assign_license_keys", path),
        start("assign_license_keys", path.with_name("bad.csv")),
        start("assign_license_keys", path.with_name("none.csv")),
        start("assign_license_keys", path, "--batch-size", "many"),
        start("assign_license_keys", "--license-key", "K3", "--owner-name", b"\xff".decode(errors="surrogateescape")),
    ]
    ended = [end(process) for process in started]
    assert [ran.code for ran in ended] == [0, 1, 2, 2, 1]
    assert not [ran for ran in ended if "Traceback" in ran.err]


@pytest.mark.django_db(transaction=True)
def test_it_says_so_when_the_database_is_away(path):
    write_csv(path, "K1,ada@example.com,,")
    away = start("assign_license_keys", path, DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    empty = start("assign_license_keys", path, DATABASE_URL=f"sqlite:///{path.parent / 'empty.sqlite3'}")
    ran, without_tables = end(away), end(empty)
    assert ran.code == without_tables.code == 2
    assert "The database does not serve: connection" in ran.err
    assert "run `manage.py migrate`" in without_tables.err
    assert "Traceback" not in ran.err + without_tables.err
