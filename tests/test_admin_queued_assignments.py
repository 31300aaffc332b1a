"""Queued assignments in the admin: what became of each, without the shop's secret, and sending one again."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from licenses.models import AuditEvent, QueuedAssignment
from licenses.services.queued_assignments import work_on_next
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory, QueuedAssignmentFactory

pytestmark = pytest.mark.django_db
PAGES = "/admin/licenses/queuedassignment/"
SEALED = {"response": {"code": 802}, "response_base64": "", "private_key_used": "global", "signature": ""}


def shown(client, path=""):
    answer = client.get(PAGES + path)
    assert answer.status_code == 200
    return answer.content.decode()


def in_state(state, **fields):
    envelope = None if state == "queued" else SEALED
    return QueuedAssignmentFactory(state=state, envelope=envelope, code=802 if envelope else None, **fields)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("queued", "Waiting"),
        ("delivering", "Done, to be delivered"),
        ("delivered", "Delivered"),
        ("uncertain", "Delivery uncertain"),
        ("failed", "Not delivered"),
    ],
)
def test_it_shows_the_state_on_list_and_page(staff, state, words):
    queued = in_state(state, identifier="order 31", owner_email="jo@example.com", problem="The reason.", attempts=7)
    for path in ("", f"{queued.pk}/change/"):
        html = shown(staff, path)
        for text in (words, "order 31", "jo@example.com", "The reason.", queued.product.name):
            assert text in html
        assert "secret" not in html, "what follows the host is all that the shop checks"
    assert "https://shop.example/…" in html
    assert ("Send again" in html) == (state in ("uncertain", "failed"))


def test_its_page_links_to_the_license_keys(staff, global_key):
    product = ProductFactory()
    keys = LicenseKeyFactory.create_batch(12, product=product)
    queued = QueuedAssignmentFactory(product=product, quantity=12)
    work_on_next(actor=ACTOR)
    html = shown(staff, f"{queued.pk}/change/")
    assert html.count("/admin/licenses/licensekey/") >= 10
    assert keys[0].license_key in html
    assert keys[11].license_key not in html
    assert "and 2 more" in html
    assert "803 License keys assigned" in html


def test_its_page_links_to_few_license_keys_without_showing_html(staff, global_key):
    product = ProductFactory()
    keys = LicenseKeyFactory.create_batch(2, product=product)
    queued = QueuedAssignmentFactory(product=product, quantity=2)
    work_on_next(actor=ACTOR)
    html = shown(staff, f"{queued.pk}/change/")
    assert all(f'change/">{key.masked}</a>' in html or f'change/">{key}</a>' in html for key in keys)
    assert "&lt;" not in html


def test_a_delivered_answer_that_assigned_nothing_is_told_from_one_that_did(staff):
    """Delivered says only that the shop has its answer."""
    nothing, waiting = in_state("delivered"), in_state("queued")
    done = QueuedAssignmentFactory(state="delivered", envelope=SEALED, code=803)
    html = shown(staff)
    assert '<span class="badge badge-warn">802 ' in html
    assert '<span class="badge badge-good">803 License keys assigned</span>' in html
    for value, rows in (("assigned", [done]), ("nothing", [nothing]), ("", [done, waiting, nothing])):
        assert list(staff.get(PAGES, {"result": value}).context["cl"].result_list) == rows


def test_its_list_needs_no_query_per_row(staff, django_assert_max_num_queries):
    for _ in range(15):
        in_state("failed")
    with django_assert_max_num_queries(12):
        html = shown(staff)
    assert html.count("Not delivered") >= 15


def test_it_finds_by_identifier_and_owner_and_filters_by_state(staff):
    wanted = in_state("failed", identifier="31", owner_email="jo@example.com")
    in_state("delivered", identifier="32")
    for query in ({"q": "31"}, {"q": "JO@example.com"}, {"state__exact": "failed"}):
        assert list(staff.get(PAGES, query).context["cl"].result_list) == [wanted]


def test_it_sends_again_what_is_uncertain_or_given_up(staff):
    rows = {state: in_state(state) for state in ("queued", "delivered", "uncertain", "failed")}
    form = {"action": "send_again", "_selected_action": [row.pk for row in rows.values()]}
    asked = staff.post(PAGES, form).content.decode()
    assert "stores the license keys a second time" in asked
    assert not AuditEvent.objects.filter(kind="assignment.sent_again").exists()
    answer = staff.post(PAGES, form | {"confirmed": "1"}, follow=True).content.decode()
    assert "2 queued assignments will be sent again" in answer
    assert "2 queued assignments were left as before, delivered already, or still to be delivered" in answer
    states = {state: QueuedAssignment.objects.get(pk=row.pk).state for state, row in rows.items()}
    assert states == {"queued": "queued", "delivered": "delivered", "uncertain": "delivering", "failed": "delivering"}
    events = AuditEvent.objects.filter(kind="assignment.sent_again")
    assert {(event.actor, event.door, event.object_id) for event in events} == {
        ("root", "admin", rows["uncertain"].pk),
        ("root", "admin", rows["failed"].pk),
    }
    assert QueuedAssignment.objects.get(pk=rows["failed"].pk).due_at <= timezone.now()
    assert "Assignment sent again" in shown(staff, f"{rows['failed'].pk}/change/")


@pytest.mark.statement("S12")
def test_sending_again_needs_the_right_to_change(client):
    queued = in_state("failed")
    user = get_user_model().objects.create_user("viewer", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_queuedassignment"))
    client.force_login(user)
    form = {"action": "send_again", "_selected_action": queued.pk, "confirmed": "1"}
    client.post(PAGES, form)
    assert QueuedAssignment.objects.get().state == "failed"
    assert "Send again" not in shown(client, f"{queued.pk}/change/")
    user.user_permissions.set(Permission.objects.filter(codename="change_queuedassignment"))
    assert client.post(PAGES, form).status_code == 302
    assert QueuedAssignment.objects.get().state == "delivering"


@pytest.mark.parametrize("path", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_nobody_writes_or_deletes_one(staff, path):
    queued = in_state("failed")
    answer = staff.post(PAGES + path.format(pk=queued.pk), {"state": "delivered", "post": "yes"})
    assert answer.status_code == 403
    assert QueuedAssignment.objects.get().state == "failed"
