"""Looks at a Kafka cluster as `forewarn doctor --connect` does: is all there that workers need.

What is found comes as `Look`s, from the outside in: who lets us in, topics, rights, clock, saved
state. A matter that cannot be looked at because of an earlier one is left out.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from engine.edge.streaming import rights
from engine.edge.streaming.checkup_state import look_at_state
from engine.edge.streaming.checkup_topics import look_at_brokers, look_at_topics
from engine.edge.streaming.cluster import broker_settings, find_topics, topic_settings
from engine.edge.streaming.link import Link
from engine.edge.streaming.looks import BAD, FINE, WARN, Look, look
from engine.edge.streaming.names import Names
from engine.edge.streaming.topics import Plan, plan_topics
from engine.edge.streaming.wanted import Found
from engine.kafka.access import addresses, is_loopback
from engine.kafka.reach import Answer, knock
from engine.ruleset.compile import Program

SKEW_WARN_S, SKEW_BAD_S = 2.0, 60.0
EXPIRES_DAYS = 30


async def check_up(link: Link, program: Program, lang: str) -> AsyncIterator[Look]:
    """Everything, one look a matter."""
    answers = [await knock(host, port, link.way, link.app) for host, port in _places(link)]
    for answer in answers:
        yield _reached(link, answer, lang)
    let_in = next((one for one in answers if one.refusal is None), None)
    if let_in is None:
        return
    async for one in _look_at_way(link, let_in, answers, lang):
        yield one
    admin, client = link.admin(), AIOKafkaClient(**link.client())
    try:
        await admin.start()
        await client.bootstrap()
        async for one in _look_inside(link, program, lang, let_in, admin, client):
            yield one
    except (KafkaError, OSError, TimeoutError) as error:
        yield look("broker", BAD, "check-broken", lang, why=str(error) or type(error).__name__)
    finally:
        await client.close()
        await admin.close()


async def _look_inside(
    link: Link,
    program: Program,
    lang: str,
    let_in: Answer,
    admin: AIOKafkaAdminClient,
    client: AIOKafkaClient,
) -> AsyncIterator[Look]:
    asked = plan_topics(link, program, {}, lang).wanted
    found = await find_topics(admin, asked)
    counts = {topic: one.partitions for topic, one in found.items()}
    plan = plan_topics(link, program, counts, lang)
    brokers = len(let_in.brokers)
    settings = await broker_settings(admin, let_in.brokers[0][0])
    for one in look_at_brokers(link, brokers, settings, lang):
        yield one
    async for one in look_at_topics(
        admin, plan, found, await topic_settings(admin, found), brokers, lang
    ):
        yield one
    async for one in _look_at_rights(link, plan, found, client, lang):
        yield one
    async for one in look_at_state(link, program, plan, found, lang):
        yield one


def _places(link: Link) -> list[tuple[str, int]]:
    return addresses(link.bootstrap)


def _reached(link: Link, answer: Answer, lang: str) -> Look:
    """Whether one declared address lets us in."""
    if answer.refusal is not None:
        return Look("broker", BAD, answer.refusal.text(lang), answer.refusal.code)
    words = {"place": answer.place, "protocol": link.way.protocol}
    user = link.way.username
    if user:
        return look("broker", FINE, "check-in-as", lang, user=user, **words)
    return look("broker", FINE, "check-in", lang, **words)


async def _look_at_way(
    link: Link, let_in: Answer, answers: list[Answer], lang: str
) -> AsyncIterator[Look]:
    """How safe the connection is, and whether the addresses that brokers give out work too."""
    tried = {one.place for one in answers}
    for number, host, port in let_in.brokers:
        if f"{host}:{port}" not in tried:
            answer = await knock(host, port, link.way, link.app)
            if answer.refusal is not None:
                words = {"broker": number, "why": answer.refusal.text(lang)}
                yield look("broker", BAD, "check-advertised", lang, **words)
    far = [host for host, _ in _places(link) if not is_loopback(host)]
    context = link.way.context
    if context is None:
        if far:
            yield look("security", WARN, "check-plain", lang)
        return
    if not context.check_hostname:
        yield look("security", WARN, "check-names", lang)
    days = await _certificate_days(let_in.place, context)
    if days is not None:
        state = FINE if days >= EXPIRES_DAYS else WARN
        yield look("security", state, "check-certificate", lang, place=let_in.place, days=days)


async def _certificate_days(place: str, context: ssl.SSLContext) -> int | None:
    """For how many days the broker's certificate is still valid."""
    ((host, port),) = addresses(place)
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            shown = writer.get_extra_info("peercert") or {}
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return None
    if "notAfter" not in shown:
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    return (ends - datetime.now(UTC)).days


async def _look_at_rights(
    link: Link, plan: Plan, found: Mapping[str, Found], client: AIOKafkaClient, lang: str
) -> AsyncIterator[Look]:
    """What we may do to topics and groups; one transaction is tried and given up."""
    known = await rights.topic_rights(client, found)
    lacking = [
        _lacks(link, rights.OPERATIONS[bit], "--topic", topic, lang)
        for topic in sorted(found)
        for bit in sorted(_needed(plan, topic) - known.get(topic, _needed(plan, topic)))
    ]
    lacking += [
        _lacks(link, "Read", "--group", group, lang)
        for group in (link.app, f"{link.app}.dispatch")
        if not await rights.may_join(client, group)
    ]
    for one in lacking:
        yield one
    if not lacking:
        yield look("rights", FINE, "check-rights", lang, topics=len(found))
    ticks = Names(link.prefix, link.app).ticks
    trial = await rights.try_transaction(link, ticks if ticks in found else None)
    if trial.error is not None:
        reason = str(trial.error) or type(trial.error).__name__
        prefix = f"{link.app}- --resource-pattern-type prefixed"
        one = _lacks(link, "Write", "--transactional-id", prefix, lang)
        refused = "Authorization" in type(trial.error).__name__
        yield one if refused else look("rights", BAD, "check-transaction-bad", lang, why=reason)
        return
    yield look("rights", FINE, "check-transaction", lang)
    if trial.skew_s is not None:
        size = abs(trial.skew_s)
        state = BAD if size >= SKEW_BAD_S else WARN if size >= SKEW_WARN_S else FINE
        words = {"skew": f"{trial.skew_s:+.3f}", "within": f"{trial.within_s:.3f}"}
        yield look("clock", state, "check-clock", lang, **words)


def _needed(plan: Plan, topic: str) -> set[int]:
    """What we must be allowed to do to a topic."""
    needed = {rights.READ, rights.DESCRIBE}
    return needed | {rights.WRITE} if plan.wanted[topic].ours else needed


def _lacks(link: Link, operation: str, kind: str, name: str, lang: str) -> Look:
    """A right that is missing, with the order that gives it."""
    user = link.way.username or "ANONYMOUS"
    order = f"kafka-acls --add --allow-principal User:{user} --operation {operation} {kind} {name}"
    words = {"user": user, "what": operation, "name": name.split(maxsplit=1)[0], "order": order}
    return look("rights", BAD, "K112", lang, **words)
