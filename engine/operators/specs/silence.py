"""What `silence` was declared to do."""

from dataclasses import dataclass

from engine.model.period import Period, PeriodUnit
from engine.operators.specs.base import OperatorSpec


@dataclass(frozen=True, slots=True)
class Expected:
    """A table of keys that must report, each between two instants of its row.

    Attributes:
        table: The roster; its key is the rule's key.
        start: Column with the instant from which the key must report.
        end: Column with the instant from which it need not any more; empty for never.

    """

    table: str
    start: str
    end: str = ""


@dataclass(frozen=True, slots=True)
class During:
    """The time that counts towards a silence."""

    calendar: str = "all-days"
    hours: tuple[tuple[int, int], ...] = ((0, 1440),)
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class SilenceSpec(OperatorSpec):
    """Nothing that the rule wants came from a key for `at_least`.

    Attributes:
        at_least: How long nothing may come: an exact duration, or days, working days and months,
            which end at 24:00 of their last day as a legal limit does.
        during: Of an exact duration the time that counts; None when all of it does.
        zone: Time zone of the days.
        calendar: Calendar of the working days.
        expected: Who must report though never seen; None when only keys that were seen are missed.
        forget_ms: A key without roster is given up after so long a silence; 0 for never.
        retract: A late event that shows the key was not silent withdraws the alert.

    """

    at_least: Period
    during: During | None = None
    expected: Expected | None = None
    forget_ms: int = 0
    retract: bool = False
    zone: str = "Asia/Shanghai"
    calendar: str = "cn"

    @property
    def exact_ms(self) -> int:
        """The exact duration, or 0 where days are counted."""
        if any(unit is not PeriodUnit.MS for _, unit in self.at_least.parts):
            return 0
        return sum(amount for amount, _ in self.at_least.parts)

    def awaits_unseen(self) -> bool:
        """Whether keys that no event named have timers: those of the roster."""
        return self.expected is not None

    def tables(self) -> frozenset[str]:
        """The roster."""
        return frozenset() if self.expected is None else frozenset({self.expected.table})

    def of_feed(self) -> bool:
        """Whether it is the feed as a whole that is silent."""
        return False

    def keeps_every_key(self) -> bool:
        """Every key that reported may fall silent; a roster says how many there are."""
        return self.expected is None


@dataclass(frozen=True, slots=True)
class FeedSilenceSpec(SilenceSpec):
    """Nothing that the rule wants came from a whole feed, whatever its keys; it is down."""

    def of_feed(self) -> bool:
        """It is."""
        return True

    def of_keys(self) -> bool:
        """They are about a feed."""
        return False

    def keeps_every_key(self) -> bool:
        """Of all keys only the newest time is remembered."""
        return False

    @property
    def step_ms(self) -> int:
        """How exactly the newest time is known: a tenth of the silence, at least a second."""
        return max(1000, self.exact_ms // 10)
