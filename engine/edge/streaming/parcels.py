"""What an outcome becomes on Kafka: alerts, dead letters, late events, state rows, positions."""

from collections.abc import Iterable

import msgspec

from engine.edge.streaming.changelog import META, row_key
from engine.edge.streaming.ledger import Line, Parcel
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.topics import Layout
from engine.model.change import Change
from engine.ports import Outcome, Rejected

DELIVERY = "delivery-id"

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
    """Records as they came; the headers say from where and why."""
    partitions = layout.counts[topic]
    parcels: dict[int, Parcel] = {}
    for one in rejected:
        partition = one.source.partition % partitions
        headers = (
            ("feed", one.source.feed.encode()),
            ("partition", str(one.source.partition).encode()),
            ("offset", str(one.offset).encode()),
            ("reason", one.reason.encode()),
            ("detail", one.detail.encode()),
        )
        parcel = parcels.setdefault(partition, Parcel(topic, partition))
        parcel.lines.append(Line(one.source.feed.encode(), one.value, headers))
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
