"""S13's last words: what is revoked on one node is refused by every node within one second."""

import pytest

from licenses.models import ApiKey
from licenses.services.api_keys import revoke_api_key
from tests.factories import ACTOR, api_key_text
from tests.server import running_portal

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.server,
    pytest.mark.once,
    pytest.mark.statement("S13"),
]

ROUNDS = 10  # more than any of the processes needs to have seen it


def test_a_revoked_api_key_is_refused_by_every_node_within_a_second(server, global_key):
    """Two servers, one of them with two processes, which have all answered it just before."""
    text = api_key_text("verify")
    with running_portal(workers=2, threads=2) as other:
        nodes = (server, other)
        assert {node.code("verify", text, license_key="x") for node in nodes for _ in range(ROUNDS)} == {210}
        revoke_api_key(api_key=ApiKey.objects.get(), actor=ACTOR)
        assert {node.code("verify", text, license_key="x") for node in nodes for _ in range(ROUNDS)} == {101}  # at once
