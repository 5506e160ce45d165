"""What an operator is to the pipeline, and what the pipeline lends it."""

from collections.abc import Callable, Collection
from hashlib import blake2b
from heapq import heappush
from typing import Any, Protocol

from engine.alerts.lifecycle import Life
from engine.model.progress import Progress
from engine.ports import Sent

Event = Any
"""A decoded event: a struct whose attributes are the feed's fields."""


class Turn:
    """The event that is being handled, told apart from all others of its key.

    Attributes:
        rank: Its rank among the events of its key and time, as the reorder buffer has it.
        timeless: Feeds whose event id does not hold the time.

    """

    __slots__ = ("rank", "timeless")

    def __init__(self, timeless: Collection[str] = ()) -> None:
        self.rank = ""
        self.timeless = frozenset(timeless)

    def identity(self, feed: str, at_ms: int, *, late: bool = False) -> int:
        """A fingerprint of 64 bits, the same when the event is told again, in time or late."""
        rank = self.rank if late or feed in self.timeless else place_of(at_ms, self.rank)
        return int.from_bytes(blake2b(f"{feed} {rank}".encode(), digest_size=8).digest())


def place_of(at_ms: int, rank: str) -> str:
    """The rank of an event whose place in the order is not its time."""
    return f"{at_ms:020d}{rank}"


class Host:
    """What one rule may use of its partition.

    Attributes:
        timers: Instants asked for.
        dirty: Keys whose state changed.
        send: Hands an event to another key space.
        tell: Says what an operator of the engine must hear about: kind, detail, event time.
        missed: Says that a try of a key is about to end without firing, while it can be looked at.
        unproved: Says how far the proof of an alert of a key came that is not waited for any more.
        count: Counts what happened under the rule's name.
        turn: The event that is being handled; kept up for operators that ask for it.

    """

    __slots__ = (
        "count",
        "dirty",
        "missed",
        "number",
        "send",
        "tell",
        "timers",
        "turn",
        "unproved",
    )

    def __init__(
        self,
        number: int,
        timers: list[tuple[int, int, str]],
        dirty: set[str],
        send: Callable[[Sent], None] = lambda _sent: None,
        tell: Callable[[str, str, int], None] = lambda _kind, _detail, _at_ms: None,
        count: Callable[[str], None] = lambda _name: None,
        missed: Callable[[str, int], None] = lambda _key, _at_ms: None,
        turn: Turn | None = None,
        unproved: Callable[[str, int, Progress], None] = lambda _key, _at_ms, _how: None,
    ) -> None:
        self.number = number
        self.timers = timers
        self.dirty = dirty
        self.send = send
        self.tell = tell
        self.missed = missed
        self.unproved = unproved
        self.count = count
        self.turn = turn or Turn()

    def wake(self, at_ms: int, key: str) -> None:
        """Ask to be called at an instant of event time, after all events up to it."""
        heappush(self.timers, (at_ms, self.number, key))

    def touch(self, key: str) -> None:
        """Note that this key's state must be saved with the batch."""
        self.dirty.add(key)


class Logic(Protocol):
    """The doer of an operator: all keys of one rule in one partition.

    The pipeline calls `on_event` in the total order of events, and `on_timer` at the instants
    asked for; a timer may be stale and must check its state. `save` answers None for a key that
    needs no memory: it is then forgotten. `keys` holds what is remembered of each key.
    """

    life: Life
    keys: dict[str, Any]

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """The function that takes this feed's events: key, event, event time in ms."""

    def late(self, feed: str) -> Callable[[str, Event, int, int], None] | None:
        """The function that takes late events (key, event, event time, order time), if any."""

    def on_timer(self, key: str, at_ms: int) -> None:
        """An instant this key asked for has passed."""

    def begin(self, since_ms: int) -> None:
        """Called once for a partition that starts or resumes at a watermark, after `load`."""

    def save(self, key: str) -> Any:
        """What must be remembered about a key, as plain values, or None to forget it."""

    def load(self, key: str, saved: Any) -> None:
        """Take up what `save` answered; asks again for its timers."""

    def size(self) -> int:
        """How many keys hold state."""


class EventCodec(Protocol):
    """Turns an event into plain values for the state, and back."""

    def plain(self, event: Event) -> Any:
        """The event's fields as a list of plain values."""

    def fields(self, event: Event) -> dict[str, Any]:
        """The event's fields by name, as plain values."""

    def event(self, feed: str, plain: Any) -> Event:
        """The event that `plain` wrote down."""


def save_event(codec: EventCodec, feed: str, event: Event | None) -> list[Any] | None:
    """The event a key's state holds, with its feed, as plain values."""
    return None if event is None else [feed, codec.plain(event)]


def load_event(codec: EventCodec, saved: list[Any] | None) -> tuple[str, Event | None]:
    """What `save_event` wrote down: the feed and the event."""
    return ("", None) if saved is None else (saved[0], codec.event(saved[0], saved[1]))
