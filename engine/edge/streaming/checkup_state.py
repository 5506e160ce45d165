"""Does saved state fit the rules; was all read before it was deleted; what is left to read."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import chain

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from engine.edge.state_tools.plan import plan_lines, refusals, table, todo
from engine.edge.streaming.adoption import IMPORTING
from engine.edge.streaming.changelog import META, read_back, row_of
from engine.edge.streaming.link import Link
from engine.edge.streaming.looks import BAD, FINE, STATE, Look, look
from engine.edge.streaming.topics import Plan
from engine.edge.streaming.wanted import Found
from engine.errors import StateError
from engine.ports import Position, Write
from engine.ruleset.compile import Program
from engine.state.codec import unpack_meta
from engine.text import say

_route = msgspec.msgpack.Decoder(tuple[int, int]).decode

AT_ONCE = 6
"""Partitions that are read at the same time."""

Starts = dict[TopicPartition, int]
"""From where each partition that is read must be read on."""


async def look_at_state(
    link: Link, program: Program, plan: Plan, found: Mapping[str, Found], lang: str
) -> AsyncIterator[Look]:
    """Read every saved partition as a new owner would, and hold it against the rules."""
    if plan.problems:
        return
    states = {plan.layout.names.state(name) for name in plan.layout.spaces}
    if not states & set(found):
        yield look("state", FINE, "check-state-none", lang)
        return
    try:
        rows, starts, unfinished = await _saved(link, plan, found)
        yield _fits(program, rows, unfinished, lang)
        there = {place: start for place, start in starts.items() if place.topic in found}
        for one in await _left(link, there, lang):
            yield one
    except StateError as error:
        yield Look("state", BAD, f"K132: {error}", "K132", STATE)
    except (KafkaError, OSError) as error:
        why = str(error) or type(error).__name__
        yield look("state", BAD, "check-state-unread", lang, why=why)


def _fits(
    program: Program, rows: Mapping[str, list[Write]], unfinished: list[str], lang: str
) -> Look:
    if unfinished:
        text = "\n".join(say("state-unfinished", lang, topic=topic) for topic in unfinished)
        return Look("state", BAD, f"K132: {text}", "K132", STATE)
    rules = {name: rule.spec for name, rule in program.rules.items()}
    lines = plan_lines(rows, rules, whole=False)
    if refusals(lines):
        told = [say("state-misfit", lang), "", *table(lines, lang), *todo(lines, lang)]
        return Look("state", BAD, "\n".join(["K132: " + told[0], *told[1:]]), "K132", STATE)
    count = sum(len(some) for some in rows.values())
    return look("state", FINE, "check-state", lang, rows=count)


async def _saved(
    link: Link, plan: Plan, found: Mapping[str, Found]
) -> tuple[dict[str, list[Write]], Starts, list[str]]:
    """Rows by key space, positions, and topics into which an import began and did not end."""
    names, spaces = plan.layout.names, plan.layout.spaces
    states = {names.state(name): name for name in spaces}
    routes = {
        names.route(name, feed): topic
        for name, space in spaces.items()
        for feed, topic in plan.layout.feeds.items()
        if not space.direct
    }
    rows: dict[str, list[Write]] = {name: [] for name in spaces}
    starts, unfinished = Starts(), set[str]()
    places = [
        (topic, number)
        for topic in (*states, *routes)
        if topic in found
        for number in range(found[topic].partitions)
    ]
    gate = asyncio.Semaphore(AT_ONCE)

    async def take(topic: str, number: int) -> None:
        async with gate:
            kept = await read_back(link, topic, number)
        meta = kept.pop(META, None)
        if topic in routes:
            if meta is not None:
                _lower(starts, TopicPartition(routes[topic], number), _route(meta)[0])
            return
        if kept.pop(IMPORTING, None) is not None:
            unfinished.add(topic)
        rows[states[topic]] += [row_of(key, value) for key, value in kept.items()]
        if meta is not None:
            _note(starts, unpack_meta(meta).positions)

    await asyncio.gather(*(take(*place) for place in places))
    return rows, starts, sorted(unfinished)


def _note(starts: Starts, positions: Mapping[str, Position]) -> None:
    for log, position in positions.items():
        topic, _, partition = log.rpartition("/")
        _lower(starts, TopicPartition(topic, int(partition)), Position(*position).committed)


def _lower(starts: Starts, place: TopicPartition, start: int) -> None:
    starts[place] = min(start, starts.get(place, start))


async def _left(link: Link, starts: Starts, lang: str) -> list[Look]:
    """What was deleted unread, and how much is waiting."""
    if not starts:
        return []
    reader = AIOKafkaConsumer(
        **link.client(), isolation_level="read_committed", enable_auto_commit=False
    )
    await reader.start()
    try:
        firsts = await reader.beginning_offsets(list(starts))
        ends = await reader.end_offsets(list(starts))
    finally:
        await reader.stop()
    return list(chain(_lost(starts, firsts, ends, lang), _backlog(starts, ends, lang)))


def _lost(
    starts: Starts,
    firsts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    lang: str,
) -> Iterator[Look]:
    """What was deleted before it was read, and what would be taken for read already."""
    for place, start in sorted(starts.items()):
        name = f"{place.topic}/{place.partition}"
        if start < firsts[place]:
            count = firsts[place] - start
            yield look("retention", BAD, "K126", lang, place=name, count=count)
        elif start > ends[place]:
            words = {"place": name, "start": start, "end": ends[place]}
            yield look("backlog", BAD, "K129", lang, **words)


def _backlog(starts: Starts, ends: Mapping[TopicPartition, int], lang: str) -> Iterator[Look]:
    left = {place: max(0, ends[place] - start) for place, start in starts.items()}
    worst = max(left, key=lambda place: left[place])
    words = {
        "count": sum(left.values()), "most": left[worst],
        "place": f"{worst.topic}/{worst.partition}",
    }  # fmt: skip
    yield look("backlog", FINE, "check-backlog", lang, **words)
