import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class SettingsThrottle(SimpleRateThrottle):
    """So many requests a minute per API key, or per address for callers without one.

    Counts by an atomic step of the cache, exact with several processes; REST framework's own reads first and writes
    later, and lets a burst through.
    """

    scope = "settings"
    num_requests: int  # both are read from the rate by the class above
    duration: int  # seconds

    def get_cache_key(self, request: Request, view: APIView) -> str:
        ident = f"key-{request.user.pk}" if request.user else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}

    def allow_request(self, request: Request, view: APIView) -> bool:
        window = int(time.time() // self.duration)
        name = f"{self.get_cache_key(request, view)}-{window}"
        try:
            cache.add(name, 0, timeout=self.duration)
            return bool(cache.incr(name) <= self.num_requests)
        except ValueError:  # a full cache dropped the counter that was just made
            return True
        except RedisError as error:  # without a counter, an operator at work comes before the limit
            logger.error("The cache does not answer, so nobody is counted: %s", error)
            return True

    def wait(self) -> float:
        """Seconds until the window ends."""
        return self.duration - time.time() % self.duration
