"""correlate by place, part one: which events are signals, and where they are.

Each event that is a signal goes on, with its position, under the one key under which the next part
puts the signals of all workers together. Nothing is remembered here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from engine.alerts.lifecycle import Judge, Life
from engine.feeds.alerts import ENDS
from engine.operators.base import Event, EventCodec, Host
from engine.operators.correlate import SignalTest
from engine.operators.near_note import AT, CELL, HERE, KIND, LEFT, THERE, WHO, rest_of
from engine.ports import Sent

_ENDS = frozenset(one.value for one in ENDS)
_encode = msgspec.json.Encoder().encode


class SignalsLogic:
    """The part in the key space of the rule's key: which events are signals, and where they are.

    State: none.
    """

    def __init__(
        self,
        tests: Mapping[str, Sequence[SignalTest]],
        axes: Mapping[str, tuple[str, str]],
        links: tuple[str, Mapping[str, str], str],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        """Make an empty partition.

        Args:
            tests: For each feed, the signals its events may be.
            axes: For each feed, the names of its position's fields.
            links: The key space of the next part, for each feed the derived feed it reads, and
                the one key under which it reads them.
            judge: Unused; a part that only sends has no alerts.
            host: Sending.
            codec: As the judge.

        """
        self.tests = tests
        self.axes = axes
        self.space, self.derived, self.target = links
        self.life = Life(judge, host, codec)
        self.host = host
        self.keys: dict[str, Any] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Tell of an event that is a signal."""
        tests, (lon_of, lat_of) = self.tests[feed], self.axes[feed]
        derived, send, space, target = self.derived[feed], self.host.send, self.space, self.target

        def on_event(key: str, event: Event, at_ms: int) -> None:
            hits = [one for one in tests if one.holds(key, event, at_ms)]
            if not hits or getattr(event, lon_of) is None or getattr(event, lat_of) is None:
                return
            alert = bool(hits[0].rule)
            ends = alert and event.transition in _ENDS
            head = {
                CELL: target,
                WHO: f"{event.episode} {key}" if alert else key,
                HERE: LEFT if ends else THERE,
                AT: at_ms,
                KIND: sum(1 << one.number for one in hits),
            }
            send(Sent(space, derived, target, at_ms, _encode(head)[:-1] + rest_of(event)))

        return on_event

    def late(self, feed: str) -> None:
        """A late event is dropped: what it would have been part of is over."""

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
