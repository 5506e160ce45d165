"""Messages to a peer that takes so many a minute: what waits is folded into one, none is dropped.

While there is room every delivery is a message of its own. When more wait than may still be sent,
all that fit into one message go together, the most urgent first. The outbox hands over one
delivery of an episode at a time, so their order within an episode stays.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from connectors.notice import Notice
from engine.errors import Permanent, Retryable

Post = Callable[[bytes], Awaitable[None]]
One = Callable[[Notice], bytes]
Many = Callable[[Sequence[Notice]], tuple[bytes, int]]
_CLOSED = "closed"


@dataclass(eq=False, slots=True)
class Letter:
    """A delivery that waits for its message; `alone` when it must not be folded again."""

    notice: Notice
    taken: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    alone: bool = False


class Courier:
    """Takes deliveries to a peer with a limit.

    Args:
        post: Sends a message; raises `Retryable` or `Permanent`.
        one: A message about one delivery.
        many: A message about the first of several, and how many of them are in it.
        rates: How many messages in which time; never exceeded in any window of that length.
        clock: Monotonic seconds; `sleep` waits.

    """

    def __init__(
        self,
        post: Post,
        one: One,
        many: Many,
        rates: Sequence[Rate],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._post, self._one, self._many = post, one, many
        self._bucket = InMemoryBucket(list(rates))
        self._most = self._bucket.rates[-1].limit
        self._clock, self._sleep = clock, sleep
        self._shut_until, self._room = 0.0, 0
        self._waiting: list[Letter] = []
        self._worker: asyncio.Task[None] | None = None

    def remember(self, ages_s: Sequence[float]) -> None:
        """Count messages that were sent so many seconds ago, before a restart."""
        now_ms = int(self._clock() * 1000)
        for age_s in sorted(ages_s, reverse=True):
            self._bucket.put(RateItem("message", now_ms - int(age_s * 1000)))

    async def send(self, notice: Notice) -> None:
        """Returns when a message with this delivery in it was taken.

        Raises:
            Retryable: that message was not taken, but may be later.
            Permanent: the peer refuses this delivery, also by itself.

        """
        letter = Letter(notice)
        self._waiting.append(letter)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="courier")
        await letter.taken

    async def close(self) -> None:
        """Send nothing more; what waits is told so. Safe to call twice."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
        for letter in self._waiting:
            _fail(letter, Retryable(_CLOSED))
        self._waiting.clear()

    async def _work(self) -> None:
        while self._prune():
            wait_s = self._wait_s()
            if wait_s > 0:
                await self._sleep(wait_s)
                continue
            batch, message = self._next()
            try:
                await self._post(message)
            except asyncio.CancelledError:
                self._waiting[:0] = batch
                raise
            except Permanent as refusal:
                self._refused(batch, refusal)
            except Retryable as failure:
                self._shut(failure)
                for letter in batch:
                    _fail(letter, failure)
            except Exception as error:  # noqa: BLE001 - the outbox says what raised
                for letter in batch:
                    _fail(letter, error)
            else:
                for letter in batch:
                    if not letter.taken.done():
                        letter.taken.set_result(None)

    def _prune(self) -> bool:
        """Forget whose sender has gone; answers whether anything waits."""
        self._waiting = [letter for letter in self._waiting if not letter.taken.done()]
        return bool(self._waiting)

    def _wait_s(self) -> float:
        """How long nothing may be sent; 0 takes the right to send one message now."""
        now_s = self._clock()
        if now_s < self._shut_until:
            return self._shut_until - now_s
        now_ms = int(now_s * 1000)
        self._bucket.leak(now_ms)
        self._room = self._most - self._bucket.count()
        item = RateItem("message", now_ms)
        if self._bucket.put(item):
            return 0.0
        asked = self._bucket.waiting(item)
        return max(asked if isinstance(asked, int) else 1, 1) / 1000

    def _next(self) -> tuple[list[Letter], bytes]:
        """The message that is sent now and the deliveries in it; they no longer wait."""
        first = self._waiting[0]
        foldable = [letter for letter in self._waiting if not letter.alone]
        if first.alone or len(self._waiting) <= self._room or len(foldable) == 1:
            batch, message = [first], self._one(first.notice)
        else:
            foldable.sort(key=lambda letter: -letter.notice.rank)
            message, count = self._many([letter.notice for letter in foldable])
            batch = foldable[: max(1, count)]
        taken = set(map(id, batch))
        self._waiting = [letter for letter in self._waiting if id(letter) not in taken]
        return batch, message

    def _refused(self, batch: Sequence[Letter], refusal: Permanent) -> None:
        """One refused delivery is told; several go again one by one, to find which it was."""
        if len(batch) == 1:
            _fail(batch[0], refusal)
            return
        for letter in batch:
            letter.alone = True
        self._waiting[:0] = batch

    def _shut(self, failure: Retryable) -> None:
        if failure.retry_after_s:
            self._shut_until = self._clock() + failure.retry_after_s


def _fail(letter: Letter, error: Exception) -> None:
    """Tell the sender, with an error of its own."""
    if letter.taken.done():
        return
    match error:
        case Retryable():
            error = Retryable(error.reason, error.detail, error.retry_after_s)
        case Permanent():
            error = Permanent(error.reason, error.detail)
    letter.taken.set_exception(error)
