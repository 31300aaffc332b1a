"""Signing keys in the admin: published first, put in use, cut off, brought along from elsewhere."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from licenses import signing
from licenses.models import AuditEvent, SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.factories import ACTOR, ProductFactory
from tests.test_signing_key_import import PASSPHRASE, pem_of

pytestmark = pytest.mark.django_db
URL = "/admin/licenses/signingkey/"
IMPORT = f"{URL}import/"


def signed_in(client, *codenames: str):
    user = get_user_model().objects.create_user("limited", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_signingkey" for name in codenames]))
    client.force_login(user)
    return client


def verb(client, name, row, **fields):
    return client.post(URL, {"action": name, "_selected_action": row.pk, **fields})


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def test_it_publishes_a_key_first_and_puts_it_in_use(staff, global_key):
    form = {"product": "", "bits": "2048", "status": "upcoming"}
    asked = text_of(staff.post(f"{URL}add/", form))
    assert f"signs nothing yet: the active key {global_key.fingerprint[:12]} goes on signing" in asked
    assert 'name="status" value="upcoming"' in asked
    upcoming = SigningKey.objects.get(pk=int(_made(staff.post(f"{URL}add/", form | {"confirmed": "1"}))))
    assert (upcoming.status, SigningKey.objects.active_of(None)) == ("upcoming", global_key)
    page = text_of(staff.get(f"{URL}{upcoming.pk}/change/"))
    assert 'value="use"' in page
    assert f"It replaces the {global_key}, which retires." in text_of(verb(staff, "use", upcoming))
    verb(staff, "use", upcoming, confirmed="1")
    assert SigningKey.objects.active_of(None) == upcoming
    assert 'value="use"' not in text_of(staff.get(f"{URL}{upcoming.pk}/change/"))


def _made(answer) -> str:
    return re.search(r"/(\d+)/change/$", answer.headers["Location"])[1]


def test_a_second_upcoming_key_is_refused_in_words(staff, global_key):
    create_signing_key(product=None, upcoming=True, actor=ACTOR)
    answer = staff.post(f"{URL}add/", {"product": "", "bits": "2048", "status": "upcoming", "confirmed": "1"})
    assert "There is an upcoming signing key already" in text_of(answer)


def test_it_cuts_a_key_off_and_says_before_what_takes_over(staff, global_key):
    since = timezone.now().strftime("%Y-%m-%dT%H:%M")
    asked = text_of(verb(staff, "compromised", global_key))
    assert f"A new signing key takes over from the {global_key} at once." in asked
    assert re.search(r'type="datetime-local" name="since" value="\d{4}-\d\d-\d\dT\d\d:\d\d"', asked)
    verb(staff, "compromised", global_key, confirmed="1", since=since)
    global_key.refresh_from_db()
    assert (global_key.status, f"{global_key.compromised_at:%Y-%m-%dT%H:%M}") == ("compromised", since)
    assert SigningKey.objects.active_of(None) != global_key
    listed = text_of(staff.get(URL))
    assert all(f">{word}</span>" in listed for word in ("Active", "Compromised"))


@pytest.mark.parametrize(
    ("since", "words"), [("", "required"), ("soon", "valid date"), ("2999-01-01T00:00", "to come")]
)
def test_it_says_which_date_cannot_be(staff, global_key, since, words):
    answer = verb(staff, "compromised", global_key, confirmed="1", since=since)
    shown = text_of(answer) if answer.status_code == 200 else text_of(staff.get(answer.headers["Location"]))
    assert words in shown
    assert SigningKey.objects.get().status == "active"


def test_a_retired_key_is_not_put_in_use(staff, global_key):
    create_signing_key(product=None, actor=ACTOR)
    verb(staff, "use", global_key, confirmed="1")
    assert SigningKey.objects.get(pk=global_key.pk).status == "retired"
    assert "only an upcoming signing key can be put in use" in text_of(staff.get(URL))


# Import


@pytest.fixture
def private_key():
    return signing.generate_private_key()


@pytest.mark.parametrize("way", ["file", "text"])
def test_it_imports_a_key_from_a_file_or_its_text(staff, private_key, way):
    product = ProductFactory()
    pem = pem_of(private_key, passphrase=PASSPHRASE)
    sent = {"file": SimpleUploadedFile("vendor.pem", pem)} if way == "file" else {"pem": pem.decode()}
    form = {"product": product.pk, "status": "active", "passphrase": PASSPHRASE, **sent}
    answer = staff.post(IMPORT, form)
    imported = product.signing_keys.get()
    assert answer.headers["Location"] == f"{URL}{imported.pk}/change/"
    assert (imported.status, imported.public_key) == ("active", signing.public_pem(private_key))
    page = text_of(staff.get(f"{URL}{imported.pk}/change/"))
    assert "before it came here" in page
    event = AuditEvent.objects.get(kind="signing_key.imported")
    assert (event.door, event.actor) == ("admin", "root")


@pytest.mark.statement("S26", "S34")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "only the public half"),
        ({"pem": "nonsense"}, "This is no PEM"),
        ({"status": "compromised"}, "Select a valid choice"),
        ({"product": "999"}, "Select a valid choice"),
        ({"passphrase": "open sesame"}, "The passphrase is wrong"),
        ({"pem": ""}, "one of both"),
        ({"pem": "x" * 70_000}, "at most 65536 characters"),
    ],
)
def test_what_was_typed_never_comes_back(staff, private_key, caplog, changes, words):
    pem = pem_of(private_key, passphrase=PASSPHRASE).decode()
    if not changes:
        pem = signing.public_pem(private_key)
    answer = staff.post(IMPORT, {"product": "", "status": "active", "pem": pem, "passphrase": PASSPHRASE} | changes)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert words in page
    for line in (*pem.splitlines()[1:-1], PASSPHRASE, changes.get("passphrase") or PASSPHRASE):
        assert line not in page + caplog.text
    assert "nonsense" not in page
    assert "no-store" in answer.headers["Cache-Control"]
    assert not SigningKey.objects.exists()


def test_what_is_wrong_with_a_file_is_said_beside_it(staff, private_key):
    file = SimpleUploadedFile("x.pem", signing.public_pem(private_key).encode())
    form = staff.post(IMPORT, {"product": "", "status": "active", "file": file}).context["form"]
    assert list(form.errors) == ["file"]
    create_signing_key(product=None, upcoming=False, actor=ACTOR)
    create_signing_key(product=None, upcoming=True, actor=ACTOR)
    pem = pem_of(signing.generate_private_key()).decode()
    form = staff.post(IMPORT, {"product": "", "status": "upcoming", "pem": pem}).context["form"]
    assert "There is an upcoming signing key already" in form.non_field_errors()[0]


def test_a_file_that_is_too_large_or_empty_is_refused(staff):
    for data, words in ((b"x" * 70_000, "too large to be a private key"), (b"", "empty")):
        answer = staff.post(IMPORT, {"product": "", "status": "active", "file": SimpleUploadedFile("x.pem", data)})
        assert words in text_of(answer)


# Permission


@pytest.mark.statement("S12")
def test_who_may_only_look_neither_replaces_nor_imports(client, global_key, private_key):
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    viewer, before = signed_in(client, "view"), AuditEvent.objects.count()
    page = text_of(viewer.get(f"{URL}{upcoming.pk}/change/"))
    assert 'value="use"' not in page
    assert 'value="compromised"' not in page
    assert "import/" not in text_of(viewer.get(URL))
    since = (timezone.now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    for name in ("use", "compromised"):
        verb(viewer, name, upcoming, confirmed="1", since=since)
    form = {"product": "", "status": "active", "pem": pem_of(private_key).decode()}
    assert (viewer.get(IMPORT).status_code, viewer.post(IMPORT, form).status_code) == (403, 403)
    assert list(SigningKey.objects.order_by("pk").values_list("status", flat=True)) == ["active", "upcoming"]
    assert AuditEvent.objects.count() == before


@pytest.mark.statement("S12")
def test_who_may_add_a_key_may_not_cut_one_off(client, global_key):
    adder = signed_in(client, "view", "add")
    verb(adder, "compromised", global_key, confirmed="1", since="2026-01-01T00:00")
    assert SigningKey.objects.get().status == "active"
    assert adder.get(IMPORT).status_code == 200
