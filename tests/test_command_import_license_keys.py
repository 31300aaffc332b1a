"""import_license_keys: what it stores, what it reports with which line, and that it can be run again."""

import pytest
from django.db import connection

from licenses.models import AuditEvent, LicenseKey
from tests.commands import end, errors, results, run, start, write_csv
from tests.factories import LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db

HEADER = "license_key,activation_limit,validity_days,status,reference"


@pytest.fixture
def product():
    return ProductFactory(name="Photo Editor")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.csv"


def stored() -> list[tuple[str, int, int, str, str]]:
    fields = ("license_key", "activation_limit", "validity_days", "status", "reference")
    return list(LicenseKey.objects.order_by("license_key").values_list(*fields))


def test_it_imports_license_keys(product, path):
    write_csv(path, "K1,5,365,reserved,lot 7", "K2,0,0,available,", "K3,,,,", header=HEADER)
    ran = run("import_license_keys", path, "--product", "Photo Editor")
    assert ran.code == 0
    assert "3 rows, 3 imported, 0 there already, 0 refused" in ran.out
    assert stored() == [
        ("K1", 5, 365, "reserved", "lot 7"),
        ("K2", 0, 0, "available", ""),
        ("K3", 1, 0, "available", ""),
    ]
    assert set(LicenseKey.objects.values_list("product", flat=True)) == {product.pk}
    assert results(path) == [("2", "K1", "imported"), ("3", "K2", "imported"), ("4", "K3", "imported")]
    events = AuditEvent.objects.filter(kind="license_key.created", door="command")
    assert set(events.values_list("object_id", flat=True)) == set(LicenseKey.objects.values_list("pk", flat=True))


def test_it_needs_the_license_key_column_alone(product, path):
    write_csv(path, "K1", "K2", header="license_key")
    assert run("import_license_keys", path, "--product", product.pk).code == 0
    assert [row[0] for row in stored()] == ["K1", "K2"]


def test_it_can_be_run_again(product, path):
    write_csv(path, "K1,5,,,", "K2,,,,", header=HEADER)
    run("import_license_keys", path, "--product", product.pk)
    LicenseKey.objects.filter(license_key="K1").update(status="reserved", reference="changed since")
    write_csv(path, "K1,5,,,", "K2,,,,", "K3,,,,", header=HEADER)
    ran = run("import_license_keys", path, "--product", product.pk)
    assert ran.code == 0
    assert "3 rows, 1 imported, 2 there already, 0 refused" in ran.out
    assert results(path) == [("2", "K1", "exists"), ("3", "K2", "exists"), ("4", "K3", "imported")]
    assert stored()[0] == ("K1", 5, 0, "reserved", "changed since")
    assert AuditEvent.objects.filter(kind="license_key.created").count() == 3


@pytest.mark.statement("S32")
@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("K1,,,,", "This license key is on line 2 already."),
        ("OTHERS,,,,", "This license key exists already, with another product, activation limit or validity."),
        ("OURS,2,,,", "This license key exists already, with another product, activation limit or validity."),
        (",5,,,", "There is no license_key."),
        ("K2,many,,,", "activation_limit “many” is not a whole number from 0 on."),
        ("K2,-1,,,", "activation_limit “-1” is not a whole number from 0 on."),
        ("K2,1.5,,,", "activation_limit “1.5” is not a whole number from 0 on."),
        ("K2,٣,,,", "activation_limit “٣” is not a whole number from 0 on."),
        ("K2,2147483648,,,", "activation_limit must be a whole number from 0 to 2147483647."),
        (
            "K2,99999999999999999999999,,,",
            "activation_limit “99999999999999999999999” is not a whole number from 0 on.",
        ),
        ("K2,,36526,,", "validity_days must be a whole number from 0 to 36525."),
        ("K2,,,assigned,", "status “assigned” is neither available nor reserved."),
        ("K2,,,blocked,", "status “blocked” is neither available nor reserved."),
        (f"{'K' * 256},,,,", "license_key is 256 characters long: 255 is the most."),
        (f"K2,,,,{'x' * 256}", "reference is 256 characters long: 255 is the most."),
        ("K\0,,,,", "license_key has a control character in it"),
        ("K2,5", "2 fields where the header has 5: check commas and quotes."),
        (f"K2,,,,{'x' * 1_048_576}", "Line 3 is 1,048,583 characters long: 65,535 is the most."),
    ],
)
def test_it_refuses_a_bad_row_with_its_line_and_imports_the_others(product, path, row, problem):
    LicenseKeyFactory(license_key="OTHERS")
    LicenseKeyFactory(license_key="OURS", product=product)
    write_csv(path, "K1,,,,", row, "K5,,,,", header=HEADER)
    ran = run("import_license_keys", path, "--product", product.pk)
    assert ran.code == 1
    assert list(errors(path)) == [3]
    assert errors(path)[3].startswith(problem)
    assert [row[0] for row in stored()] == ["K1", "K5", "OTHERS", "OURS"]


def test_it_finds_a_license_key_twice_across_batches_and_runs(product, path):
    write_csv(path, "K1", "K2", "", "K1", header="license_key")
    for _ in range(2):
        assert run("import_license_keys", path, "--product", product.pk, "--batch-size", 1).code == 1
        assert errors(path) == {
            4: "This line is blank and was passed over.",
            5: "This license key is on line 2 already.",
        }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"key\nK1\n", "line 1: The column license_key is missing"),
        (b"license_key\nK1\n\xff\n", "line 3: This is not utf-8."),
        (b'license_key\nK1\n"K2\n', "line 3: A quote"),
    ],
)
def test_it_does_nothing_with_a_file_that_is_wrong_as_a_whole(product, path, content, problem):
    path.write_bytes(content)
    ran = run("import_license_keys", path, "--product", product.pk)
    assert ran.code == 2
    assert problem in ran.err
    assert stored() == []


def test_it_needs_a_product_that_exists(path):
    write_csv(path, "K1", header="license_key")
    assert run("import_license_keys", path, "--product", "Nothing").code == 2
    assert stored() == []


@pytest.mark.django_db(transaction=True)
def test_two_processes_import_the_same_file_at_once(product, path):
    write_csv(path, *(f"K{number:05}" for number in range(3_000)), header="license_key")
    command = ("import_license_keys", path, "--product", product.pk, "--batch-size", 100)
    first, second = start(*command), start(*command, "--results", f"{path}.2", "--errors", f"{path}.3")
    ended = [end(first), end(second)]
    assert [ran.code for ran in ended] == [0, 0], ended
    assert LicenseKey.objects.count() == 3_000
    assert AuditEvent.objects.filter(kind="license_key.created").count() == 3_000


@pytest.mark.django_db(transaction=True)
def test_it_does_the_rest_after_it_was_killed(product, path):
    write_csv(path, *(f"K{number:05}" for number in range(2_000)), header="license_key")
    command = ("import_license_keys", path, "--product", product.pk, "--batch-size", 20)
    process = start(*command)
    while not LicenseKey.objects.exists():
        assert process.poll() is None, end(process)
    process.kill()
    end(process)
    done = LicenseKey.objects.count()
    assert 0 < done < 2_000
    ran = end(start(*command))
    assert ran.code == 0, ran.err
    assert f"{2_000 - done:,} imported, {done:,} there already" in ran.out
    assert LicenseKey.objects.count() == AuditEvent.objects.filter(kind="license_key.created").count() == 2_000
    assert len(results(path)) == 2_000
    connection.close()
