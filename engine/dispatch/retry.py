"""When a failed delivery is tried again, when it is given up, when a sink is left in peace."""

from dataclasses import dataclass, replace

_FULL = 30
"""Doublings after which any sink has all the requests at once that it may have."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a sink's outbox is. Times in seconds.

    Attributes:
        first_s: Wait after the first failure; it doubles with every further one.
        most_s: Longest wait between two tries, unless the peer asks for more.
        asked_most_s: Longest wait a peer may ask for.
        give_up_s: Age at which a delivery is given up.
        attempts: Tries after which it is given up; 0 for no limit but age.
        spread: Share of the wait that varies, so that many deliveries do not return at once.
        hang_s: A send that has not ended by then is taken for failed, whatever the sink thinks.

    """

    first_s: float = 1.0
    most_s: float = 300.0
    asked_most_s: float = 3600.0
    give_up_s: float = 86_400.0
    attempts: int = 0
    spread: float = 0.2
    hang_s: float = 600.0

    def wait_s(self, failures: int, chance: float, asked_s: float | None = None) -> float:
        """How long to wait after the n-th failure in a row.

        Args:
            failures: 1 after the first failure.
            chance: A number in [0, 1) that spreads the waits.
            asked_s: What the peer asked for (`Retry-After`), never undercut.

        """
        doubled = self.first_s * 2.0 ** min(failures - 1, 40)
        wait = min(self.most_s, doubled) * (1.0 - self.spread + 2.0 * self.spread * chance)
        if asked_s is not None:  # all who were asked the same must not come back together
            wait = max(wait, self.bounded_s(asked_s) * (1.0 + self.spread * chance))
        return wait

    def bounded_s(self, asked_s: float) -> float:
        """What a peer asked for, as far as it is heeded."""
        return max(0.0, min(asked_s, self.asked_most_s))

    def is_over(self, attempts: int, age_s: float) -> bool:
        """Whether a delivery that just failed again is given up."""
        return age_s >= self.give_up_s or (self.attempts > 0 and attempts >= self.attempts)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Leaves a failing sink in peace, probes it with one delivery, and comes back slowly.

    After `trips` failures in a row it is open: one try at a time, with rests between them. One
    delivery that fails again and again opens nothing, so what nobody can take delays nobody else.
    After an answer the number of requests at once doubles with every further one. Instants are
    monotonic seconds.

    Attributes:
        trips: Failures in a row that open it.
        failures: Failures in a row so far.
        failing: Deliveries among them; two are enough to know that it is not the delivery.
        until_s: While it is open, nothing is sent before this instant.
        asked_until_s: Before this instant nothing is sent, because the peer asked for it.
        doublings: How often the number of requests at once has doubled since it was open.

    """

    trips: int = 5
    failures: int = 0
    failing: frozenset[str] = frozenset()
    until_s: float = 0.0
    asked_until_s: float = 0.0
    doublings: int = _FULL

    @property
    def is_troubled(self) -> bool:
        """Whether nothing has succeeded for so many tries that people must know."""
        return self.failures >= self.trips

    @property
    def is_open(self) -> bool:
        """Whether the sink fails whatever it is sent, and is only probed."""
        return self.is_troubled and len(self.failing) > 1

    def rest_s(self, now_s: float) -> float:
        """How long the sink is still left in peace; 0 when something may be sent."""
        until_s = max(self.asked_until_s, self.until_s if self.is_open else 0.0)
        return max(0.0, until_s - now_s)

    def width(self, most: int) -> int:
        """How many requests the sink is sent at once, of those that it takes at once."""
        return 1 if self.is_open else min(most, 2**self.doublings)

    def failed(
        self, now_s: float, wait_s: float, delivery: str, asked_s: float | None = None
    ) -> "Breaker":
        """After a failure that may pass.

        Args:
            now_s: The instant.
            wait_s: How long an open breaker rests.
            delivery: Which delivery failed.
            asked_s: How long the peer asked to be left in peace.

        """
        known = self.failing if len(self.failing) > 1 else self.failing | {delivery}
        asked_until_s = self.asked_until_s if asked_s is None else now_s + asked_s
        after = replace(
            self, failures=self.failures + 1, failing=known, until_s=now_s + wait_s,
            asked_until_s=max(self.asked_until_s, asked_until_s),
        )  # fmt: skip
        return replace(after, doublings=0) if after.is_open or asked_s is not None else after

    def rested(self) -> "Breaker":
        """After somebody asked for a try at once; an open breaker stays open."""
        return replace(self, until_s=0.0, asked_until_s=0.0)

    def answered(self) -> "Breaker":
        """After the peer answered at all, be it with a refusal of one delivery."""
        doublings = min(self.doublings + 1, _FULL)
        return Breaker(self.trips, asked_until_s=self.asked_until_s, doublings=doublings)
