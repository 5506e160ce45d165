"""pulse: the part of a rule about a whole feed that says, now and then, that the feed lives.

    events     . .. .  .     ..      .
    spans    |------|------|------|------|      the end of each span in which an event lies is told,
    told            x      x      x      x      once, under the name of the feed

Each worker sees some of a feed's events and tells the spans it saw. All together they tell the
spans in which any event lies, however the feed is spread; so the next part, in one place, knows
when the whole feed was heard last.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.alerts.lifecycle import Judge, Life
from engine.operators.base import Event, EventCodec, Host
from engine.operators.near_note import AT, CELL
from engine.ports import Sent

_encode = msgspec.json.Encoder().encode


class PulseLogic:
    """All feeds of one rule in one partition.

    State: none is saved; after a restart a span may be told twice, which is as good as once.
    """

    def __init__(
        self,
        step_ms: int,
        links: tuple[str, Mapping[str, str]],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        """Make an empty partition.

        Args:
            step_ms: Length of a span.
            links: The key space of the next part, and for each feed the derived feed it reads.
            judge: Unused; a part that only sends has no alerts.
            host: Sending.
            codec: As the judge.

        """
        self.step_ms = step_ms
        self.space, self.derived = links
        self.life = Life(judge, host, codec)
        self.host = host
        self.keys: dict[str, Any] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Tell the span in which an event lies, unless it was told."""
        step, space, derived, send = self.step_ms, self.space, self.derived[feed], self.host.send
        told = -1

        def on_event(_key: str, _event: Event, at_ms: int) -> None:
            nonlocal told
            span = at_ms // step
            if span != told:
                told = span
                end = (span + 1) * step
                send(Sent(space, derived, feed, end, _encode({CELL: feed, AT: end})))

        return on_event

    def late(self, feed: str) -> None:
        """A late event says nothing about now."""

    def on_timer(self, key: str, at_ms: int) -> None:
        """Nothing is asked for."""

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first event."""

    def save(self, key: str) -> Any:
        """Nothing is remembered."""
        del key

    def load(self, key: str, saved: Any) -> None:
        """Nothing was."""

    def size(self) -> int:
        """None hold state."""
        return 0
