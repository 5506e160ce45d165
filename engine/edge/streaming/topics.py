"""Which topics there are, with how many partitions: asked of the broker, and made when missing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from engine.edge.streaming.ledger import LARGEST_BYTES
from engine.edge.streaming.link import Link
from engine.edge.streaming.names import Names
from engine.errors import EnvironmentUnusable
from engine.ruleset.compile import Program, SpaceProgram
from engine.text import say

SETTLE_S = 0.1
SETTLE_TRIES = 100


@dataclass(frozen=True, slots=True)
class SpaceLayout:
    """One key space on Kafka.

    Attributes:
        name: The key space.
        partitions: How many partitions its state has.
        inputs: Topics its evaluator reads: the feeds' own, or the one routed topic.
        routed_from: Topics that routers read for it; empty when it reads the feeds' own topics.

    """

    name: str
    partitions: int
    inputs: tuple[str, ...]
    routed_from: tuple[str, ...] = ()

    @property
    def direct(self) -> bool:
        """Whether it reads the feeds' own topics."""
        return not self.routed_from


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything a worker must know about topics.

    Attributes:
        names: How our own topics are called.
        feeds: Topic of each feed.
        counts: Partitions of each topic.
        spaces: Each key space.
        dead_letters: For each feed the one key space that tells of records that are no events.

    """

    names: Names
    feeds: Mapping[str, str]
    counts: Mapping[str, int]
    spaces: Mapping[str, SpaceLayout]
    dead_letters: Mapping[str, str]

    @property
    def subscribed(self) -> tuple[str, ...]:
        """Topics the consumer group reads: feeds that a rule reads, and routed topics."""
        used = {topic for space in self.spaces.values() for topic in space.inputs}
        for space in self.spaces.values():
            used.update(space.routed_from)
        return tuple(sorted(used))


async def lay_out(link: Link, program: Program, lang: str = "en") -> Layout:
    """Find or make every topic the program needs.

    Raises:
        EnvironmentUnusable: topics that must have equally many partitions have not.

    """
    names = Names(link.prefix, link.app)
    feeds = {
        feed: program.feeds[feed].spec.topic
        for space in program.spaces.values()
        for feed in space.feeds
    }
    admin = link.admin()
    await admin.start()
    try:
        counts = await _ensure(
            admin, link, {topic: (link.partitions, _kept(link)) for topic in feeds.values()}, lang
        )
        spaces: dict[str, SpaceLayout] = {}
        wanted: dict[str, tuple[int, Mapping[str, str]]] = {
            topic: (link.partitions, _kept(link))
            for topic in (names.alerts, names.dead_letter, names.late, names.ticks)
        }
        for name, space in program.spaces.items():
            topics = tuple(feeds[feed] for feed in space.feeds)
            direct = space.direct and not has_roster(space)
            if direct:
                inputs = topics
                partitions = _equal(
                    name, {feeds[feed]: counts[feeds[feed]] for feed in space.feeds}, lang
                )
            else:
                inputs = (names.routed(name),)
                found = await _ensure(
                    admin, link, {inputs[0]: (link.partitions, _kept(link))}, lang
                )
                counts |= found
                partitions = found[inputs[0]]
                for feed in space.feeds:
                    wanted[names.route(name, feed)] = (counts[feeds[feed]], COMPACT)
            wanted[names.state(name)] = (partitions, COMPACT)
            spaces[name] = SpaceLayout(name, partitions, inputs, () if direct else topics)
        made = await _ensure(admin, link, wanted, lang)
        for topic, (partitions, settings) in wanted.items():
            if settings is COMPACT and made[topic] != partitions:
                raise EnvironmentUnusable(
                    say(
                        "stream-state-partitions",
                        lang,
                        topic=topic,
                        found=made[topic],
                        wanted=partitions,
                    )
                )
        return Layout(names, feeds, {**counts, **made}, spaces, _tellers(program, spaces))
    finally:
        await admin.close()


async def ensure_alerts(link: Link, lang: str = "en") -> int:
    """Make the alerts topic if it is missing; answers how many partitions it has."""
    topic = Names(link.prefix, link.app).alerts
    admin = link.admin()
    await admin.start()
    try:
        return (await _ensure(admin, link, {topic: (link.partitions, _kept(link))}, lang))[topic]
    finally:
        await admin.close()


def has_roster(space: SpaceProgram) -> bool:
    """Whether a rule waits for keys that may never be seen.

    Their timers belong to the partition of the key. Only routing makes sure that the events of
    such a key come to the same one, whatever partitioner filled the feed's topic.
    """
    return any(rule.spec.when.awaits_unseen() for rule in space.rules)


def _tellers(program: Program, spaces: Mapping[str, SpaceLayout]) -> dict[str, str]:
    """For each feed the first key space that reads it; a bad record is told of once."""
    return {
        feed: name for name in sorted(spaces, reverse=True) for feed in program.spaces[name].feeds
    }


COMPACT: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.3",
    "max.message.bytes": str(LARGEST_BYTES),
}
"""Settings of topics that keep the last value of every key, for ever."""


def _kept(link: Link) -> Mapping[str, str]:
    """Settings of topics that are kept for a time, counted from when the broker took a record."""
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(link.retention_ms),
        "max.message.bytes": str(LARGEST_BYTES),
    }


def _equal(space: str, counts: Mapping[str, int], lang: str) -> int:
    """The number of partitions that all topics of a key space have."""
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{topic}: {count}" for topic, count in sorted(counts.items()))
        raise EnvironmentUnusable(say("stream-uneven", lang, space=space, found=found))
    return next(iter(counts.values()))


async def _ensure(
    admin: AIOKafkaAdminClient,
    link: Link,
    wanted: Mapping[str, tuple[int, Mapping[str, str]]],
    lang: str,
) -> dict[str, int]:
    """Make the topics that are missing; answers how many partitions each has."""
    there = set(await admin.list_topics())
    missing = [
        NewTopic(topic, partitions, link.replication, topic_configs=dict(settings))
        for topic, (partitions, settings) in wanted.items()
        if topic not in there
    ]
    if missing:
        answer = await admin.create_topics(missing)
        for topic, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(topic)
    for _ in range(SETTLE_TRIES):
        found = {
            entry["topic"]: len(entry["partitions"])
            for entry in await admin.describe_topics(list(wanted))
            if not entry["error_code"]
        }
        if len(found) == len(wanted):
            return found
        await asyncio.sleep(SETTLE_S)
    lacking = ", ".join(sorted(set(wanted) - set(found)))
    raise EnvironmentUnusable(say("stream-topics-missing", lang, topics=lacking))
