"""Are the topics as they must be, and the brokers' limits wide enough for us."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from engine.edge.streaming.ledger import BATCH_BYTES, LARGEST_BYTES, TRANSACTION_S
from engine.edge.streaming.link import Link
from engine.edge.streaming.looks import BAD, FINE, WARN, Look, look
from engine.edge.streaming.topics import Plan, new_topic
from engine.edge.streaming.wanted import (
    POLICY,
    Difference,
    Found,
    Wanted,
    differences,
    worst_first,
)
from engine.kafka.access import coded

MOST_COPIES = 3
_SIZE = "max.message.bytes"
_STAMP = "message.timestamp.type"
_PARTITIONS = "partitions"
_NOT_ALLOWED = (TopicAuthorizationFailedError, TopicAlreadyExistsError)
"""A topic that we may not see is missing for us, and exists when we want to make it."""


def look_at_brokers(
    link: Link, brokers: int, settings: Mapping[str, str], lang: str
) -> Iterator[Look]:
    """How many there are, and whether their limits let us work; no settings if we may not see."""
    if brokers < link.replication:
        words = {"brokers": brokers, "wanted": link.replication}
        yield look("replication", BAD, "check-few-brokers", lang, **words)
    elif link.replication == 1 and brokers > 1:
        yield look("replication", WARN, "check-one-copy", lang, brokers=brokers)
    else:
        words = {"brokers": brokers, "copies": link.replication}
        yield look("replication", FINE, "check-brokers", lang, **words)
    if not settings:
        yield look("limits", WARN, "check-settings-hidden", lang)
        return
    troubles = list(_limits(link, brokers, settings, lang))
    yield from troubles
    if not troubles:
        yield look("limits", FINE, "check-limits", lang)


def _limits(link: Link, brokers: int, settings: Mapping[str, str], lang: str) -> Iterator[Look]:
    session_ms, transaction_ms = link.session_s * 1000, TRANSACTION_S * 1000
    least = float(settings.get("group.min.session.timeout.ms", 0))
    most = float(settings.get("group.max.session.timeout.ms", "inf"))
    if not least <= session_ms <= most:
        words = {"name": "session_s", "found": link.session_s, "least": least / 1000,
                 "most": most / 1000}  # fmt: skip
        yield look("limits", BAD, "check-session", lang, **words)
    if float(settings.get("transaction.max.timeout.ms", "inf")) < transaction_ms:
        words = {"name": "transaction.max.timeout.ms", "wanted": int(transaction_ms)}
        yield look("limits", BAD, "check-limit-low", lang, **words)
    if settings.get("unclean.leader.election.enable") == "true":
        yield look("limits", WARN, "check-unclean", lang)
    if settings.get("auto.create.topics.enable") == "true":
        yield look("limits", WARN, "check-auto-create", lang)
    for name in ("offsets.topic.replication.factor", "transaction.state.log.replication.factor"):
        copies = int(settings.get(name, MOST_COPIES))
        if copies < min(MOST_COPIES, brokers, link.replication):
            words = {"name": name, "found": copies, "wanted": link.replication}
            yield look("replication", WARN, "check-own-log", lang, **words)


async def look_at_topics(
    admin: AIOKafkaAdminClient,
    plan: Plan,
    found: Mapping[str, Found],
    settings: Mapping[str, Mapping[str, str]],
    brokers: int,
    lang: str,
) -> AsyncIterator[Look]:
    """Which exist, whether they agree with each other, and in what they differ from our wish."""
    for problem in plan.problems:
        yield Look("topics", BAD, problem, problem.split(":")[0])
    for name, space in plan.layout.spaces.items():
        if not any(f"'{name}'" in problem or f"“{name}”" in problem for problem in plan.problems):
            reads = ", ".join(space.inputs)
            words = {"space": name, "partitions": space.partitions, "topics": reads}
            yield look("partitions", FINE, "check-space", lang, **words)
    missing = [one for topic, one in plan.wanted.items() if topic not in found]
    async for one in _look_at_missing(admin, missing, brokers, lang):
        yield one
    unlike: list[Difference] = []
    for topic in sorted(found):
        wanted, there = plan.wanted[topic], replace(found[topic], settings=settings.get(topic))
        for one in _look_at_copies(topic, there, lang):
            yield one
        if wanted.ours:
            unlike += differences(wanted, there)
        elif (there.settings or {}).get(_STAMP) == "CreateTime":
            yield look("retention", WARN, "check-producer-time", lang, topic=topic)
    for other in worst_first(unlike):
        if other.what != _PARTITIONS or not other.fatal:  # that is among the plan's problems
            yield _unlike(other, lang)
    ours = [topic for topic in found if plan.wanted[topic].ours]
    hidden = sorted(set(ours) - set(settings))
    if hidden:
        yield look("topics", WARN, "check-hidden", lang, topics=", ".join(hidden))
    elif ours and not unlike:
        yield look("topics", FINE, "check-as-declared", lang, count=len(ours))


async def _look_at_missing(
    admin: AIOKafkaAdminClient, missing: list[Wanted], brokers: int, lang: str
) -> AsyncIterator[Look]:
    """Whether the topics that are missing could be made; nothing is made."""
    if not missing:
        return
    if any(one.replication > brokers for one in missing):
        return  # told already
    answer = await admin.create_topics([new_topic(one) for one in missing], validate_only=True)
    refused = {topic: (for_code(code), why) for topic, code, why in answer.topic_errors if code}
    unseen = sorted(topic for topic, (error, _) in refused.items() if error in _NOT_ALLOWED)
    if unseen:
        yield look("topics", BAD, "K125", lang, topics=", ".join(unseen))
    for topic, (error, why) in sorted(refused.items()):
        if error not in _NOT_ALLOWED:
            yield look("topics", BAD, "K124", lang, topic=topic, why=why or error.__name__)
    if not refused:
        names = ", ".join(sorted(one.name for one in missing))
        words = {"count": len(missing), "topics": names}
        yield look("topics", FINE, "check-missing", lang, **words)


def _look_at_copies(topic: str, found: Found, lang: str) -> Iterator[Look]:
    if found.leaderless:
        words = {"topic": topic, "count": found.leaderless, "of": found.partitions}
        yield look("replication", BAD, "check-leaderless", lang, **words)
    if found.lagging:
        words = {"topic": topic, "count": found.lagging, "of": found.partitions}
        yield look("replication", WARN, "check-lagging", lang, **words)


def _unlike(one: Difference, lang: str) -> Look:
    """A topic that is not as we would make it."""
    words = {"topic": one.topic, "what": one.what, "found": one.found, "wanted": one.wanted}
    if one.what == POLICY:
        matter = "retention"
    elif one.what == _PARTITIONS:
        matter = _PARTITIONS
    else:
        matter = {"replication": "replication", _SIZE: "size"}.get(one.what, "topics")
    if one.what == _SIZE and int(one.found) < BATCH_BYTES:
        return Look(matter, BAD, coded("K127", lang, least=BATCH_BYTES, **words), "K127")
    if one.what == _SIZE and int(one.found) >= LARGEST_BYTES:
        return look(matter, FINE, "check-differs", lang, **words)
    if one.fatal:
        return look(matter, BAD, "K123", lang, **words)
    return look(matter, WARN, "check-differs", lang, **words)
