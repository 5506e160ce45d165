"""Records as the rules take them, made straight from what the broker sent.

aiokafka makes an object of eleven fields of every record; we read three. That object and its copy
into a `Record` were an eighth of all the work on a record.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from aiokafka.consumer import fetcher

from engine.ports import Record

Headers = Sequence[tuple[str, bytes]]


class Routed(NamedTuple):
    """A record of a routed topic: what it is and where it came from stand in its first header."""

    offset: int
    value: bytes
    headers: Headers


Fresh = Record | Routed
"""One record of a poll; which of the two, its topic says."""


class Light:
    """Given to a consumer in place of a reader of values: it takes records as they are needed.

    Args:
        routed: Topics whose records carry a header that is read.

    """

    def __init__(self, routed: frozenset[str]) -> None:
        self._routed = routed

    def maker(self, topic: str) -> Callable[[Any, Any], Fresh]:
        """What makes a record of this topic of what aiokafka unpacked."""
        return _routed if topic in self._routed else _record

    def __call__(self, value: bytes | None) -> bytes | None:
        """Read a value where records are made in the usual way."""
        return value


def _record(_place: Any, sent: Any, new: Any = tuple.__new__, kind: Any = Record) -> Record:
    return cast("Record", new(kind, (sent.offset, sent.value or b"", sent.timestamp, None)))


def _routed(_place: Any, sent: Any) -> Routed:
    return Routed(sent.offset, sent.value or b"", sent.headers)


class _LightRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types here
    """What a fetch brought of one partition; other consumers than ours see no difference."""

    def __init__(self, tp: Any, *args: Any) -> None:
        super().__init__(tp, *args)
        if isinstance(self._value_deserializer, Light):
            self._consumer_record = self._value_deserializer.maker(tp.topic)

    def __iter__(self) -> Any:
        """The records themselves, without a call for each."""
        return self._records_iterator


fetcher.PartitionRecords = _LightRecords
