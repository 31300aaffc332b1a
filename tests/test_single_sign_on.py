"""OpenID Connect, end to end against a provider that runs: whom its groups let in, and whom not."""

import html
import re

import pytest
from django.contrib.auth import get_user_model

from licenses.models import AuditEvent
from tests.identity_provider import identity_provider
from tests.staff_door import LOGIN, PASSWORD, SECOND, SECURITY, set_up_app, sign_in

pytestmark = pytest.mark.django_db
WITH = "/admin/login/with/127.0.0.1/"


@pytest.fixture
def provider(settings):
    with identity_provider() as provider:
        use(settings, provider.settings)
        yield provider


def use(settings, oidc) -> None:
    settings.OIDC = oidc
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [oidc.app]}}


def begin(client, **options) -> str:
    """Press the button; the address of the provider to which the page leads."""
    page = client.post(WITH, **options).content.decode()
    return html.unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page)[1])


def come(client, provider, **changes):
    return client.get(provider.authorize(begin(client), **changes))


def user(name: str = "ada"):
    return get_user_model().objects.get(username=name)


def rights(name: str = "ada") -> tuple[bool, bool]:
    return user(name).is_staff, user(name).is_superuser


def test_whom_the_provider_has_in_the_group_gets_in(client, provider):
    assert "Sign in with Example Login" in client.get(LOGIN).content.decode()
    answer = come(client, provider)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get("/admin/").status_code == 200
    assert (rights(), user().has_usable_password()) == ((True, False), False)
    events = AuditEvent.objects.order_by("pk")
    assert [event.kind for event in events] == ["staff.admitted", "staff.signed_in"]
    assert [event.after for event in events] == [{"is_staff": True, "is_superuser": False}, {"by": ["socialaccount"]}]


def test_the_second_time_it_is_the_same_account(client, provider):
    come(client, provider)
    client.post("/admin/logout/")
    provider.person |= {"preferred_username": "renamed"}
    come(client, provider)
    assert get_user_model().objects.count() == 1
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "groups", [[], ["others"], None, "portal-staff-not", {"portal-staff": 1}, 7, [["portal-staff"]]]
)
def test_nobody_else_gets_in_or_leaves_an_account(client, provider, groups):
    provider.person["groups"] = groups
    assert come(client, provider).status_code == 403
    assert client.get("/admin/").status_code == 302
    assert (get_user_model().objects.count(), AuditEvent.objects.count()) == (0, 0)


def test_rights_follow_the_groups_at_each_sign_in(client, provider):
    found = []
    for groups in (["portal-staff"], ["portal-admins"], ["portal-staff"], []):
        provider.person["groups"] = groups
        answer = come(client, provider)
        found.append((answer.status_code, *rights()))
        client.post("/admin/logout/")
    assert found == [(302, True, False), (302, True, True), (302, True, False), (403, False, False)]
    kinds = (
        AuditEvent.objects.exclude(kind__in=["staff.signed_in", "staff.signed_out"])
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert list(kinds) == ["staff.admitted"] * 3 + ["staff.turned_away"]


def test_a_local_account_of_the_same_name_or_address_is_somebody_else(client, provider):
    """Whoever may choose a name or an address at the provider must not become the administrator here."""
    root = get_user_model().objects.create_superuser("root", "root@example.com", PASSWORD)
    provider.person |= {"preferred_username": "root", "email": "root@example.com", "email_verified": True}
    come(client, provider)
    assert get_user_model().objects.count() == 2
    new = get_user_model().objects.exclude(pk=root.pk).get()
    assert new.username != "root" and not new.is_superuser
    assert client.get("/admin/").context["user"] == new


def test_a_token_about_somebody_else_is_nobody_s(client, provider):
    provider.id_token = {"sub": "b2"}
    assert come(client, provider).status_code == 403
    assert get_user_model().objects.count() == 0


@pytest.mark.parametrize("claims", [{"iss": "https://evil.example"}, {"aud": "another-client"}, {"exp": 1}])
def test_a_token_for_somebody_else_is_refused(client, provider, claims):
    provider.id_token = claims
    assert come(client, provider).status_code in (401, 403)
    assert get_user_model().objects.count() == 0


def test_an_answer_that_nobody_asked_for_is_refused(client, provider):
    """Or twice, or begun in another browser, or with the code of somebody else."""
    assert client.get(WITH + "callback/?code=x&state=y").status_code == 401
    address = provider.authorize(begin(client))
    client.get(address)
    client.post("/admin/logout/")
    assert client.get(address).status_code == 401
    assert come(client, provider, code="another").status_code == 401
    assert come(client, provider, error="access_denied", code="").status_code in (302, 401)
    assert client.get("/admin/").status_code == 302


def test_it_never_connects_the_identity_to_whoever_is_signed_in(client, provider, superuser):
    client.force_login(superuser)
    address = provider.authorize(begin(client, query_params={"process": "connect"}))
    client.get(address)
    assert client.get("/admin/").context["user"] == user()
    assert superuser.socialaccount_set.count() == 0


def test_the_provider_asks_for_the_second_factor_and_the_portal_not_again(client, provider, settings):
    settings.SECOND_FACTOR_REQUIRED = "staff"
    come(client, provider)
    assert client.get("/admin/").status_code == 200


def test_a_second_factor_that_was_set_up_here_is_asked_for(client, provider):
    come(client, provider)
    set_up_app(client)
    client.post("/admin/logout/")
    assert come(client, provider)["Location"] == SECOND
    assert client.get("/admin/").status_code == 302


def test_it_goes_on_to_the_page_that_was_asked_for(client, provider):
    address = begin(client, data={"next": "/admin/licenses/product/"})
    assert client.get(provider.authorize(address))["Location"] == "/admin/licenses/product/"
    client.post("/admin/logout/")
    address = begin(client, data={"next": "https://evil.example/"})
    assert client.get(provider.authorize(address))["Location"] == "/admin/"


def test_a_provider_that_is_away_keeps_nobody_with_a_password_out(client, provider, settings, superuser, caplog):
    from dataclasses import replace

    provider.refuse_token = True
    assert come(client, provider).status_code == 401
    use(settings, replace(provider.settings, server_url="http://127.0.0.1:9"))
    assert client.post(WITH).status_code == 502
    assert "did not answer as it should (ConnectionError)" in caplog.text
    assert sign_in(client).status_code == 302


def test_without_configuration_there_is_none_of_it(client, db):
    assert "Sign in with a" in client.get(LOGIN, headers={"host": "localhost"}).content.decode()
    assert client.post(WITH).status_code == 404
    assert client.get(WITH + "callback/").status_code == 404
    assert client.get(WITH).status_code == 405


def test_a_row_in_the_database_is_no_provider(client, db):
    from allauth.socialaccount.models import SocialApp

    SocialApp.objects.create(provider="openid_connect", provider_id="evil", name="Evil", client_id="x")
    assert client.post("/admin/login/with/evil/").status_code == 404


def test_somebody_without_a_password_may_look_after_their_account(client, provider):
    come(client, provider)
    assert client.get(SECURITY).status_code == 200


def test_an_account_of_the_provider_does_not_get_in_past_it(client, provider, settings):
    """Else whoever has left the group would come in by a password or a passkey that was made before."""
    come(client, provider)
    account = user()
    account.set_password(PASSWORD)
    account.save()
    client.post("/admin/logout/")
    assert sign_in(client, "ada")["Location"] == LOGIN
    assert "This account signs in with Example Login." in client.get(LOGIN).content.decode()
    settings.OIDC = None
    assert sign_in(client, "ada")["Location"] == "/admin/"


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": "x" * 400, "given_name": "y" * 400, "family_name": "z" * 400},
        {"preferred_username": "<script>alert(1)</script>", "email": "no address"},
        {"preferred_username": 7, "name": ["a"], "email": {"a": 1}},
        {"preferred_username": ""},
    ],
)
def test_odd_names_at_the_provider_break_nothing(client, provider, claims):
    provider.person |= claims
    assert come(client, provider).status_code in (302, 502)
    assert all(
        len(account.username) <= 150 and "<" not in account.username for account in get_user_model().objects.all()
    )
