"""What each of our topics shall be like, and in what a topic that exists differs from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.edge.streaming.ledger import LARGEST_BYTES
from engine.edge.streaming.link import Link, TopicWish

POLICY = "cleanup.policy"
COMPACT = "compact"
MIN_INSYNC = "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic.

    Attributes:
        name: The topic.
        partitions: How many it gets when we make it.
        replication: Copies of each.
        settings: By Kafka's names.
        ours: False for a feed's own topic: whoever owns the feed decides; we only make it if
            nobody did.
        exact: Whether any other number of partitions would be wrong.

    """

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    ours: bool = True
    exact: bool = False

    @property
    def compacted(self) -> bool:
        """Whether it keeps the last value of every key, for ever."""
        return self.settings[POLICY] == COMPACT


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the broker has it; `settings` is None if we may not see them."""

    partitions: int
    replication: int
    settings: Mapping[str, str] | None = None
    leaderless: int = 0
    lagging: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a topic differs; `fatal` if working on it would lose something."""

    topic: str
    what: str
    wanted: str
    found: str
    fatal: bool = False


SEGMENT_BYTES = 64 * 1024 * 1024
"""Small enough to be compacted soon; a batch that is larger than a segment is refused for ever."""


def kept(link: Link, topic: str, *, ours: bool = True) -> Wanted:
    """A topic that is kept for a time, counted from when the broker took a record."""
    wish = link.topics.get(topic, TopicWish())
    keep_ms = link.retention_ms if wish.retention_ms is None else wish.retention_ms
    settings = {
        POLICY: "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(keep_ms),
        "max.message.bytes": str(LARGEST_BYTES),
    }
    return _wanted(link, topic, wish.partitions or link.partitions, settings, ours=ours)


def compacted(link: Link, topic: str, partitions: int) -> Wanted:
    """A topic that keeps the last value of every key; its partitions follow from another topic."""
    settings = {
        POLICY: COMPACT,
        "segment.ms": "600000",
        "segment.bytes": str(SEGMENT_BYTES),
        "min.cleanable.dirty.ratio": "0.3",
        "max.message.bytes": str(LARGEST_BYTES),
    }
    return _wanted(link, topic, partitions, settings, exact=True)


def _wanted(
    link: Link,
    topic: str,
    partitions: int,
    settings: Mapping[str, str],
    *,
    ours: bool = True,
    exact: bool = False,
) -> Wanted:
    wish = link.topics.get(topic, TopicWish())
    copies = wish.replication or link.replication
    in_sync = wish.min_insync or link.min_insync or copies - 1
    agreed = {MIN_INSYNC: str(max(1, min(in_sync, copies)))}
    return Wanted(
        topic, partitions, copies, {**settings, **agreed, **wish.settings}, ours=ours, exact=exact
    )


def differences(wanted: Wanted, found: Found) -> Iterator[Difference]:
    """In what a topic that exists is not as it would be had we made it now."""
    name = wanted.name
    if found.partitions != wanted.partitions:
        pair = (str(wanted.partitions), str(found.partitions))
        yield Difference(name, "partitions", *pair, fatal=wanted.exact)
    if found.replication != wanted.replication:
        yield Difference(name, "replication", str(wanted.replication), str(found.replication))
    if found.settings is None:
        return
    for key, value in wanted.settings.items():
        there = found.settings.get(key)
        if there is not None and not _same(value, there):
            fatal = key == POLICY and wanted.compacted
            yield Difference(name, key, value, there, fatal)


def worst_first(found: Sequence[Difference]) -> list[Difference]:
    """The fatal ones first, then by topic."""
    return sorted(found, key=lambda one: (not one.fatal, one.topic, one.what))


def _same(wanted: str, found: str) -> bool:
    if wanted == found:
        return True
    try:
        return float(wanted) == float(found)
    except ValueError:
        return False
