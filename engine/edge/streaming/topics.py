"""Which topics there are, with how many partitions: asked of the broker, and made when missing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from engine.edge.streaming.cluster import find_topics, topic_settings
from engine.edge.streaming.link import Link
from engine.edge.streaming.names import Names
from engine.edge.streaming.wanted import Found, Wanted, compacted, differences, kept
from engine.errors import EnvironmentUnusable
from engine.kafka.access import coded
from engine.ruleset.compile import Program, SpaceProgram
from engine.text import say

log = structlog.get_logger("streaming")

SETTLE_S = 0.1
SETTLE_TRIES = 100
MESSAGE = 2
"""Where the broker's own words stand in its answer."""


@dataclass(frozen=True, slots=True)
class SpaceLayout:
    """One key space on Kafka.

    Attributes:
        name: The key space.
        partitions: How many partitions its state has.
        inputs: Topics its evaluator reads: the feeds' own, or the one routed topic.
        routed_from: Topics that routers read for it; empty when it reads the feeds' own topics.
        senders: Key spaces whose evaluators write into its routed topic.

    """

    name: str
    partitions: int
    inputs: tuple[str, ...]
    routed_from: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()

    @property
    def direct(self) -> bool:
        """Whether it reads the feeds' own topics."""
        return not self.routed_from and not self.senders


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

    @property
    def routed(self) -> frozenset[str]:
        """Topics that are ours and whose records say where they came from."""
        spaces = self.spaces.values()
        return frozenset(topic for one in spaces if not one.direct for topic in one.inputs)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a program needs on Kafka.

    Attributes:
        layout: As it is, or will be once what is missing is made.
        wanted: Every topic, by name.
        problems: Why nothing can be run on the topics that exist.

    """

    layout: Layout
    wanted: Mapping[str, Wanted]
    problems: Sequence[str]


def plan_topics(link: Link, program: Program, counts: Mapping[str, int], lang: str) -> Plan:
    """What a program needs, where topics with these partitions exist already."""
    names = Names(link.prefix, link.app)
    feeds = {
        feed: program.feeds[feed].spec.topic
        for space in program.spaces.values()
        for feed in space.outside
    }
    wanted = {topic: kept(link, topic, ours=False) for topic in feeds.values()}
    own = (names.alerts, names.dead_letter, names.late, names.ticks)
    wanted |= {topic: kept(link, topic) for topic in own}
    width = {**{topic: one.partitions for topic, one in wanted.items()}, **counts}
    spaces: dict[str, SpaceLayout] = {}
    problems: list[str] = []
    for name, space in program.spaces.items():
        topics = tuple(feeds[feed] for feed in space.outside)
        senders = tuple(sorted({one for ones in space.upstream.values() for one in ones}))
        direct = space.direct and not senders and not has_roster(space)
        if direct:
            inputs = topics
            widths = {topic: width[topic] for topic in topics}
            if len(set(widths.values())) > 1:
                found = ", ".join(f"{topic}: {count}" for topic, count in sorted(widths.items()))
                problems.append(say("stream-uneven", lang, space=name, found=found))
            partitions = widths[topics[0]]
        else:
            inputs = (names.routed(name),)
            wanted[inputs[0]] = kept(link, inputs[0])
            partitions = width[inputs[0]] = counts.get(inputs[0], wanted[inputs[0]].partitions)
            for feed in space.outside:
                route = names.route(name, feed)
                wanted[route] = compacted(link, route, width[feeds[feed]])
        state = names.state(name)
        wanted[state] = compacted(link, state, partitions)
        spaces[name] = SpaceLayout(name, partitions, inputs, () if direct else topics, senders)
    for topic, one in wanted.items():
        width.setdefault(topic, one.partitions)
        if one.exact and width[topic] != one.partitions:
            words = {"topic": topic, "found": width[topic], "wanted": one.partitions}
            problems.append(say("stream-state-partitions", lang, **words))
    layout = Layout(
        names, feeds, {topic: width[topic] for topic in wanted}, spaces, _tellers(program, spaces)
    )
    return Plan(layout, wanted, problems)


async def lay_out(link: Link, program: Program, lang: str = "en") -> Layout:
    """Find or make every topic the program needs.

    A topic that exists with other settings is told of in the log and used as it is, unless that
    would lose something.

    Raises:
        EnvironmentUnusable: topics do not fit, or cannot be made; says which and why.

    """
    admin = link.admin()
    await admin.start()
    try:
        asked = plan_topics(link, program, {}, lang).wanted
        found = await find_topics(admin, asked)
        counts = {topic: one.partitions for topic, one in found.items()}
        plan = plan_topics(link, program, counts, lang)
        if plan.problems:
            raise EnvironmentUnusable("\n".join(plan.problems))
        missing = [one for topic, one in plan.wanted.items() if topic not in found]
        await _compare(admin, [plan.wanted[topic] for topic in found], found, lang)
        await _make(admin, missing, lang)
        return plan.layout
    finally:
        await admin.close()


async def ensure_alerts(link: Link, lang: str = "en") -> None:
    """Make the alerts topic if it is missing."""
    wanted = kept(link, Names(link.prefix, link.app).alerts)
    admin = link.admin()
    await admin.start()
    try:
        if not await find_topics(admin, {wanted.name}):
            await _make(admin, [wanted], lang)
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
        feed: name for name in sorted(spaces, reverse=True) for feed in program.spaces[name].outside
    }


async def _compare(
    admin: AIOKafkaAdminClient,
    wanted: Sequence[Wanted],
    found: Mapping[str, Found],
    lang: str,
) -> None:
    """Tell of every topic that is not as we would make it; refuse what would lose something."""
    ours = [one for one in wanted if one.ours]
    settings = await topic_settings(admin, {one.name for one in ours})
    fatal: list[str] = []
    for one in ours:
        there = replace(found[one.name], settings=settings.get(one.name))
        for other in differences(one, there):
            words = {"topic": other.topic, "found": other.found, "wanted": other.wanted}
            if other.fatal:
                fatal.append(coded("K123", lang, what=other.what, **words))
            else:
                log.warning("topic-differs", kind=f"{other.topic} {other.what}", **words)
    if fatal:
        raise EnvironmentUnusable("\n".join(fatal))


async def _make(admin: AIOKafkaAdminClient, wanted: Sequence[Wanted], lang: str) -> None:
    """Make topics, and wait until every broker we may ask knows them."""
    if not wanted:
        return
    asked = [new_topic(one) for one in wanted]
    for topic, code, why in await _refused(admin, asked):
        reason = why or for_code(code).__name__
        raise EnvironmentUnusable(coded("K124", lang, topic=topic, why=reason))
    names = {one.name for one in wanted}
    for _ in range(SETTLE_TRIES):
        found = await find_topics(admin, names)
        if len(found) == len(names) and not any(one.leaderless for one in found.values()):
            return
        await asyncio.sleep(SETTLE_S)
    lacking = ", ".join(sorted(names - set(found)))
    raise EnvironmentUnusable(say("stream-topics-missing", lang, topics=lacking))


def new_topic(wanted: Wanted) -> NewTopic:
    """The order to make a topic."""
    settings = dict(wanted.settings)
    return NewTopic(wanted.name, wanted.partitions, wanted.replication, topic_configs=settings)


async def _refused(
    admin: AIOKafkaAdminClient, asked: list[NewTopic]
) -> list[tuple[str, int, str | None]]:
    """What the broker did not make, and why; what somebody else made meanwhile is fine."""
    answer = await admin.create_topics(asked)
    errors = [(one[0], one[1], one[2] if len(one) > MESSAGE else None) for one in
              answer.topic_errors]  # fmt: skip
    return [one for one in errors if one[1] and for_code(one[1]) is not TopicAlreadyExistsError]
