import pytest

from licenses.checks import check_license_server


@pytest.mark.parametrize(
    ("url", "public_key", "warned"),
    [("", "", False), ("https://a.example", "PEM", False), ("https://a.example", "", True), ("", "PEM", True)],
)
def test_half_a_license_server_is_warned_of(settings, url, public_key, warned):
    settings.LICENSE_SERVER_URL, settings.LICENSE_SERVER_PUBLIC_KEY = url, public_key
    assert [message.id for message in check_license_server()] == ["licenses.W002"] * warned
