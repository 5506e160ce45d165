"""What an outcome becomes on Kafka: alerts, dead letters, late events, state rows, positions."""

from collections.abc import Iterable, Sequence

import msgspec

from engine.decode.generate import LARGEST_RECORD
from engine.edge.streaming.changelog import META, row_key
from engine.edge.streaming.ledger import Line, Parcel
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.routed import marker_line, routed_line
from engine.edge.streaming.topics import Layout
from engine.feeds.derived import source_of
from engine.model.change import Change
from engine.ports import Outcome, Record, Rejected
from engine.state.watermark import NEVER

DELIVERY = "delivery-id"
LENGTH = "length"
"""Header of a dead letter that was cut: how many bytes the record had."""

_json = msgspec.json.Encoder().encode


def alert_parcels(layout: Layout, changes: Iterable[Change]) -> list[Parcel]:
    """Transitions of one episode share a partition, so that they are read in their order."""
    topic = layout.names.alerts
    partitions = layout.counts[topic]
    parcels: dict[int, Parcel] = {}
    for change in changes:
        partition = partition_of(change.episode_id, partitions)
        parcel = parcels.setdefault(partition, Parcel(topic, partition))
        headers = ((DELIVERY, change.delivery_id.encode()),)
        parcel.lines.append(Line(change.episode_id.encode(), _json(change), headers))
    return list(parcels.values())


def rejected_parcels(layout: Layout, topic: str, rejected: Iterable[Rejected]) -> list[Parcel]:
    """Records as they came; the headers say from where and why.

    Of a record that is longer than any event may be only the beginning is kept, and a header says
    how long it was. Squeezed, such a record passes every limit of the feed's topic; whole it would
    pass none of ours, and would be read again for ever.
    """
    partitions = layout.counts[topic]
    parcels: dict[int, Parcel] = {}
    for one in rejected:
        value, length = one.value, len(one.value)
        partition = one.source.partition % partitions
        headers: tuple[tuple[str, bytes], ...] = (
            ("feed", one.source.feed.encode()),
            ("partition", str(one.source.partition).encode()),
            ("offset", str(one.offset).encode()),
            ("reason", one.reason.encode()),
            ("detail", one.detail.encode()),
        )
        if length > LARGEST_RECORD:
            value, headers = value[:LARGEST_RECORD], (*headers, (LENGTH, str(length).encode()))
        parcel = parcels.setdefault(partition, Parcel(topic, partition))
        parcel.lines.append(Line(one.source.feed.encode(), value, headers))
    return list(parcels.values())


def outcome_parcels(layout: Layout, space: str, partition: int, outcome: Outcome) -> list[Parcel]:
    """Everything that must be saved or must leave because of one batch."""
    parcels = alert_parcels(layout, outcome.changes)
    parcels += rejected_parcels(layout, layout.names.dead_letter, outcome.rejected)
    parcels += rejected_parcels(layout, layout.names.late, outcome.late)
    state = Parcel(layout.names.state(space), partition)
    state.lines += [Line(row_key(row.rule, row.key), row.value) for row in outcome.writes]
    state.lines.append(Line(META, outcome.meta))
    return [*parcels, state]


def sent_parcels(
    layout: Layout,
    place: tuple[str, int],
    readers: Sequence[tuple[str, str]],
    outcome: Outcome,
    *,
    idle: bool,
) -> list[Parcel]:
    """What other key spaces read of one batch: each event in its key's partition, then markers.

    They are part of the sender's transaction, so an event is there once, and the receiver knows
    how far the sender is exactly when the sender itself knows it for good.

    Args:
        layout: The topics.
        place: The sending key space and its partition.
        readers: Each key space that reads from it, with the derived feed.
        outcome: What the sender's core made of the batch.
        idle: Whether the sender has seen nothing yet and expects nothing.

    """
    space, number = place
    parcels: dict[tuple[str, int], Parcel] = {}

    def parcel(reader: str, partition: int) -> Parcel:
        topic = layout.names.routed(reader)
        return parcels.setdefault((topic, partition), Parcel(topic, partition))

    for sent in outcome.sent:
        partition = partition_of(sent.key, layout.spaces[sent.space].partitions)
        record = Record(0, sent.value, sent.at_ms)
        line = routed_line(sent.key, source_of(sent.feed, space, number), record, NEVER)
        parcel(sent.space, partition).lines.append(line)
    for reader, feed in readers:
        marker = marker_line(source_of(feed, space, number), outcome.watermark_ms, idle=idle)
        for partition in range(layout.spaces[reader].partitions):
            parcel(reader, partition).lines.append(marker)
    return list(parcels.values())
