"""When a failed delivery is tried again, when it is given up, when a sink is left in peace."""

from dataclasses import dataclass, replace


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

    """

    first_s: float = 1.0
    most_s: float = 300.0
    asked_most_s: float = 3600.0
    give_up_s: float = 86_400.0
    attempts: int = 0
    spread: float = 0.2

    def wait_s(self, failures: int, chance: float, asked_s: float | None = None) -> float:
        """How long to wait after the n-th failure in a row.

        Args:
            failures: 1 after the first failure.
            chance: A number in [0, 1) that spreads the waits.
            asked_s: What the peer asked for (`Retry-After`), never undercut.

        """
        doubled = self.first_s * 2.0 ** min(failures - 1, 40)
        wait = min(self.most_s, doubled) * (1.0 - self.spread + 2.0 * self.spread * chance)
        if asked_s is not None:
            wait = max(wait, min(asked_s, self.asked_most_s))
        return wait

    def is_over(self, attempts: int, age_s: float) -> bool:
        """Whether a delivery that just failed again is given up."""
        return age_s >= self.give_up_s or (self.attempts > 0 and attempts >= self.attempts)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Leaves a failing sink in peace: after `trips` failures in a row only one try at a time.

    Attributes:
        trips: Failures in a row that open it.
        failures: Failures in a row so far.
        until_s: Before this instant (monotonic seconds) nothing is sent while it is open.

    """

    trips: int = 5
    failures: int = 0
    until_s: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the sink failed so often that it is only probed."""
        return self.failures >= self.trips

    def rest_s(self, now_s: float) -> float:
        """How long the sink is still left in peace; 0 when something may be sent."""
        return max(0.0, self.until_s - now_s) if self.is_open else 0.0

    def failed(self, now_s: float, wait_s: float) -> "Breaker":
        """After a failure that may pass; an open breaker rests for `wait_s`."""
        return replace(self, failures=self.failures + 1, until_s=now_s + wait_s)

    def answered(self) -> "Breaker":
        """After the peer answered at all, be it with a refusal of one delivery."""
        return Breaker(self.trips)
