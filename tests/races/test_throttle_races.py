"""S20 and S36 over HTTP: four server processes, many callers at once, and no one of them too many."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from licenses.models import ApiKey, ThrottleBucket
from tests.factories import ActivationFactory, api_key_text
from tests.redis import own_redis
from tests.server import Server, running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

LIMIT = 50  # a minute: one more each 1.2 seconds


def verify(server: Server, api_key: str, license_key: str, address: str, **headers: str) -> int:
    """The code of a `verify` from this address, as the proxy in front says."""
    headers = {"X-Forwarded-For": address, "Authorization": f"Bearer {api_key}", **headers}
    http = server.request(
        "POST", "/api/v1/verify", json={"license_key": license_key, "identifier": "host"}, headers=headers
    )
    envelope = json.loads(http.data)
    if envelope["response"]["code"] == 160:
        assert http.status == 429
        assert 1 <= int(http.headers["Retry-After"]) == envelope["retry_after"] <= 60
    return envelope["response"]["code"]


@pytest.mark.statement("S36")
def test_four_processes_that_share_a_redis_answer_exactly_the_limit(global_key):
    api_key = api_key_text()
    ApiKey.objects.update(requests_per_minute=LIMIT)
    right = ActivationFactory(identifier="host").license_key.license_key
    with (
        own_redis() as redis,
        running_portal(workers=4, threads=4, CACHE_URL=redis.url) as server,
        ThreadPoolExecutor(16) as pool,
    ):
        started = time.monotonic()
        codes = Counter(pool.map(lambda n: verify(server, api_key, right, f"203.0.113.{n % 250}"), range(400)))
        came_back = int((time.monotonic() - started) / (60 / LIMIT))
    assert set(codes) == {200, 160}
    assert LIMIT <= codes[200] <= LIMIT + came_back
    assert not ThrottleBucket.objects.exists()


@pytest.mark.statement("S20")
def test_the_twentieth_wrong_license_key_from_one_address_is_throttled(global_key):
    api_key, right = api_key_text(), ActivationFactory(identifier="host").license_key.license_key
    variables = {"WRONG_KEYS_PER_MINUTE": "1", "TRUSTED_PROXY_COUNT": "1"}
    with running_portal(workers=4, threads=4, **variables) as server, ThreadPoolExecutor(16) as pool:
        at_once = pool.map(lambda n: verify(server, api_key, f"guess-{n}", "203.0.113.7"), range(60))
        assert Counter(at_once) == {210: 19, 160: 41}
        one_by_one = [verify(server, api_key, f"guess-{n}", "2001:db8::7") for n in range(22)]
        assert one_by_one == [210] * 19 + [160] * 3
        assert verify(server, api_key, right, "2001:db8::8") == 160, "the same /64"
        assert verify(server, api_key, right, "203.0.113.7") == 160, "or the guesser would know by it"
        assert verify(server, api_key, right, "203.0.113.8") == 200
        api_keys = pool.map(lambda n: verify(server, f"lp_guess-{n}", right, "203.0.113.9"), range(60))
        assert Counter(api_keys) == {100: 19, 160: 41}
        assert verify(server, api_key, right, "203.0.113.9") == 200, "who has an API key pays for nobody's guesses"
