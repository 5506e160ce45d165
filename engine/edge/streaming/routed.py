"""The records of a routed topic: a raw record with where it came from, or a marker.

One header holds it all: feed, partition, offset and arrival there, and the watermark of that
source before the record. The routed record's own timestamp is the time of routing, so that
retention counts from then even when a recording of last year is replayed. A marker has no value:
it says how far its source is complete, or that it is idle.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from engine.edge.streaming.ledger import Line
from engine.edge.streaming.light import Routed
from engine.ports import Record, SourceId

ORIGIN = "fw-origin"
REACHED = "fw-reached"
IDLE = "fw-idle"

_pack = msgspec.msgpack.Encoder().encode
_unpack_origin = msgspec.msgpack.Decoder(tuple[str, int, int, int, int]).decode
_unpack_reached = msgspec.msgpack.Decoder(tuple[str, int, int]).decode


class Run(NamedTuple):
    """Records of one source that follow each other in the routed topic."""

    source: SourceId
    records: list[Record]


class Reached(NamedTuple):
    """No record of this source older than `watermark_ms` follows; `idle` if it is quiet."""

    source: SourceId
    watermark_ms: int
    idle: bool


def routed_line(key: str, source: SourceId, record: Record, before_ms: int) -> Line:
    """A raw record on its way to the partition of its key."""
    arrived_ms = record.arrived_ms or 0
    origin = _pack((source.feed, source.partition, record.offset, arrived_ms, before_ms))
    return Line(key.encode(), record.value, ((ORIGIN, origin),))


def marker_line(source: SourceId, watermark_ms: int, *, idle: bool) -> Line:
    """How far a source is, for every partition of the routed topic."""
    reached = _pack((source.feed, source.partition, watermark_ms))
    return Line(None, b"", ((IDLE if idle else REACHED, reached),))


def read_routed(records: Sequence[Routed]) -> Iterator[Run | Reached]:
    """What a poll of a routed partition says, in order; neighbours of one source come together."""
    run: Run | None = None
    for record in records:
        name, packed = record.headers[0]
        if name == ORIGIN:
            feed, partition, _, arrived_ms, before_ms = _unpack_origin(packed)
            if run is None or run.source != (feed, partition):
                if run is not None:
                    yield run
                run = Run(SourceId(feed, partition), [])
            run.records.append(Record(record.offset, record.value, arrived_ms, before_ms))
        else:
            if run is not None:
                yield run
                run = None
            feed, partition, watermark_ms = _unpack_reached(packed)
            yield Reached(SourceId(feed, partition), watermark_ms, name == IDLE)
    if run is not None:
        yield run
