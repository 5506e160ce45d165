"""What is remembered of one run of an alert, and what its rule is asked about it."""

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from engine.alerts.budget import Budget
from engine.alerts.rest import Flapping
from engine.model.change import Transition

if TYPE_CHECKING:
    from engine.operators.base import EventCodec


class Phase(IntEnum):
    """Where an episode stands. Silenced and acknowledged are not phases: they belong to people."""

    PENDING = 0
    FIRING = 1
    CLEARING = 2


SAVED = 13
"""How many values a saved episode has."""


class Episode:
    """One run of an alert about one key (and one cycle of it).

    Attributes:
        id: Its identity, once it was asked for.
        part: Which cycle of the key; empty where there is only one.
        since: Start of the episode, frozen; part of its identity.
        hold_from: When the condition began to hold; `for` counts from here.
        clear_from: When it ceased; `keep_firing_for` counts from here.
        by_clear: Whether the rule's `clear` ended it (not the operator).
        rank: Severity last announced, 1 blue to 4 red; 0 before it fired.
        floor: Least severity the operator asks for.
        ordinal: Number of the next transition.
        said: When the last transition happened; none is dated before it.
        wake: Instant of the timer that counts, or 0.
        facts: What the operator knows: anchor, size, start, ...; plain values.
        event: The newest event of the episode, for its words and evidence; its feed is a fact.

    """

    __slots__ = (
        "by_clear",
        "clear_from",
        "event",
        "facts",
        "floor",
        "hold_from",
        "id",
        "ordinal",
        "part",
        "phase",
        "rank",
        "said",
        "since",
        "wake",
    )

    def __init__(self, part: str, since: int, hold_from: int, floor: int) -> None:
        self.id = ""
        self.part = part
        self.since = since
        self.hold_from = hold_from
        self.floor = floor
        self.phase = Phase.PENDING
        self.clear_from = 0
        self.by_clear = False
        self.rank = 0
        self.ordinal = 0
        self.said = since
        self.wake = 0
        self.facts: dict[str, Any] = {}
        self.event: Any = None

    def save(self, codec: "EventCodec") -> list[Any]:
        """Plain values, in a fixed order."""
        event = None if self.event is None else codec.plain(self.event)
        return [
            self.part,
            self.since,
            self.hold_from,
            self.floor,
            int(self.phase),
            self.clear_from,
            self.by_clear,
            self.rank,
            self.ordinal,
            self.said,
            self.wake,
            self.facts,
            event,
        ]

    @classmethod
    def load(cls, saved: list[Any], codec: "EventCodec") -> "Episode":
        """The episode that `save` wrote down."""
        episode = cls(saved[0], saved[1], saved[2], saved[3])
        episode.phase = Phase(saved[4])
        episode.clear_from, episode.by_clear = saved[5], saved[6]
        episode.rank, episode.ordinal, episode.said, episode.wake = saved[7:11]
        episode.facts = saved[11]
        if saved[12] is not None:
            episode.event = codec.event(episode.facts["feed"], saved[12])
        return episode


class Judge(Protocol):
    """The rule's own words about an episode, compiled: exceptions, levels, clear, texts."""

    for_ms: int
    keep_ms: int
    has_clear: bool
    asks: bool
    """Whether a level depends on the event, so that a firing alert must see every one."""
    base_rank: int
    budget: Budget
    steps: tuple[tuple[int, int], ...]
    """(held for ms, rank) of the levels that climb by time."""
    cooldown_ms: int
    flapping: Flapping | None
    verify_ms: int | None
    """How long what proves the matter over has to hold; None where the rule declares nothing."""
    by_part: bool
    """Whether the parts of a key are things of their own, such as zones."""

    def closed_until(self, at_ms: int) -> int:
        """When the schedule opens again; 0 where it is open now."""

    def excepted(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool:
        """Whether an exception keeps this quiet now."""

    def level(self, key: str, episode: Episode, event: Any, at_ms: int) -> int:
        """The highest rank that a level expression asks for now, or 0."""

    def cleared(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool:
        """Whether the rule's `clear` holds now."""

    def verified(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool | None:
        """Whether the rule's `verify` holds now; None where it cannot be told."""

    def announce(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, event: Any
    ) -> None:
        """Put the transition into words and hand it out."""
