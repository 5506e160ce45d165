"""A world: its records in order of arrival, its tables, and the truth of what should be noticed.

Truth comes from the script of a story, before any noise is laid over its records. Every story is
a `hit` (a rule must fire), a `near-miss` (it stops just short of a boundary) or a `never`
(ordinary life). All instants are UTC milliseconds of event time.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from heapq import merge
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CITY_TIME = ZoneInfo("Asia/Shanghai")


class Kind(StrEnum):
    """Whether a rule must fire because of a story, nearly has to, or has nothing to do with it."""

    HIT = "hit"
    NEAR_MISS = "near-miss"
    NEVER = "never"


class Item(NamedTuple):
    """One record on the wire: when it arrives, when it happened, and its bytes.

    The order of the fields is the order of arrival. An empty key marks a heartbeat, which is for
    every partition of its feed.
    """

    arrival_ms: int
    time_ms: int
    feed: str
    key: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened to one key, and what one rule should have made of it.

    Attributes:
        story: The name of the plot, such as `secret-stop` or `deposit-one-yuan-short`.
        what: One sentence on why it is a hit, a near miss or ordinary.
        begin_ms: When the situation begins.
        end_ms: When it ends, if it does: the vehicle leaves, the money comes.
        fire_ms: When the rule must fire; None unless a hit.
        since_ms: The start the alert must name.
        severity: The level at which it fires.
        climbs: Later levels, as (instant, level).
        clear_ms: When the alert must be cleared; None while it stays open.
        retract_ms: When a record that came late takes the alert back.

    """

    rule: str
    key: str
    kind: Kind
    story: str
    what: str
    begin_ms: int
    end_ms: int | None = None
    fire_ms: int | None = None
    since_ms: int | None = None
    severity: str = ""
    climbs: tuple[tuple[int, str], ...] = ()
    clear_ms: int | None = None
    retract_ms: int | None = None
    place: tuple[float, float] | None = None
    also: Mapping[str, object] = field(default_factory=dict)

    def line(self) -> bytes:
        """The story as a line of `truth.jsonl`."""
        return json.dumps(asdict(self), ensure_ascii=False).encode() + b"\n"


class Feed(NamedTuple):
    """A feed of a world, with the lateness it promises to its readers."""

    name: str
    lateness_ms: int
    heartbeat_ms: int


class World(Protocol):
    """Anything that can be simulated; everything may be read again and is the same each time."""

    @property
    def start_ms(self) -> int:
        """The first instant of the world."""

    @property
    def end_ms(self) -> int:
        """The first instant after it."""

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds its records belong to."""

    def items(self) -> Iterator[Item]:
        """The records in order of arrival, heartbeats included."""

    def stories(self) -> Iterator[Story]:
        """The truth, one story after the other."""

    def tables(self) -> Mapping[str, Iterator[Mapping[str, object]]]:
        """The rows of its look-up tables, by table name."""


def heartbeats(feed: Feed, start_ms: int, end_ms: int) -> Iterator[Item]:
    """Say now and then, and at the end, that nothing older than an instant will follow.

    A heartbeat arrives when the promised lateness has passed since the instant it names, so it
    is true under every noise that stays within that lateness.
    """
    for instant in range(start_ms + feed.heartbeat_ms, end_ms, feed.heartbeat_ms):
        yield _heartbeat(feed, instant)
    yield _heartbeat(feed, end_ms)


def _heartbeat(feed: Feed, instant: int) -> Item:
    value = b'{"$watermark": %d}' % instant
    return Item(instant + feed.lateness_ms, instant, feed.name, "", value)


def in_order(*streams: Iterator[Item]) -> Iterator[Item]:
    """Merge streams that are each in order of arrival; holds one record of each."""
    return merge(*streams)


def instant(text: str) -> int:
    """An ISO date or date-time as UTC milliseconds; without offset it is city time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=CITY_TIME)
    return int(moment.timestamp() * SECOND)


def clock(at_ms: int) -> str:
    """City time as vehicle terminals and ledgers write it: `2026-03-02 06:00:00`."""
    return datetime.fromtimestamp(at_ms / SECOND, CITY_TIME).strftime("%Y-%m-%d %H:%M:%S")
