"""How often an account and an address may ask: a count over the last minute, in memory."""

import time
from collections import OrderedDict
from collections.abc import Callable

from pyrate_limiter import InMemoryBucket, Rate, RateItem

MINUTE_MS = 60_000
_MOST_NAMES = 10_000


class Limits:
    """Counts requests by name over a sliding minute.

    At most 10,000 names are remembered; those not heard of for longest go first. A name whose
    bucket was forgotten begins anew.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow so many a minute; 0 allows any number."""
        self._rate, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, InMemoryBucket] = OrderedDict()

    def wait_s(self, name: str) -> int:
        """Count one request of an account's id or an address.

        Answers in how many seconds it may ask again; 0 when this one is fine.
        """
        if not self._rate:
            return 0
        now_ms = int(self._clock() * 1000)
        bucket = self._buckets.pop(name, None) or InMemoryBucket([Rate(self._rate, MINUTE_MS)])
        self._buckets[name] = bucket
        if len(self._buckets) > _MOST_NAMES:
            self._buckets.popitem(last=False)
        bucket.leak(now_ms)
        if bucket.put(RateItem(name, now_ms)):
            return 0
        oldest = bucket.peek(self._rate - 1)
        due_ms = MINUTE_MS if oldest is None else oldest.timestamp + MINUTE_MS - now_ms
        return max(1, -(-due_ms // 1000))
