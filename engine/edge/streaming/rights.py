"""What the cluster lets us do: asked of it, and tried where asking is not enough.

Nothing is left behind: a sign of life is sent for a member that does not exist, and the one
record that is written belongs to a transaction that is given up.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    NodeNotReadyError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from engine.edge.streaming.ledger import TRANSACTION_S
from engine.edge.streaming.link import Link

READ, WRITE, DESCRIBE, SEE_SETTINGS = 3, 4, 8, 10
"""Bits of Kafka's operations."""
OPERATIONS: Mapping[int, str] = {
    READ: "Read", WRITE: "Write", DESCRIBE: "Describe", SEE_SETTINGS: "DescribeConfigs"
}  # fmt: skip
_UNASKED = -(2**31)
_APPENDED = 1
"""Kafka's word for a record whose time is that of the broker that took it."""
TRIAL = "doctor"
PATIENCE_S = 20.0
WAITS_S = (0.2, 0.5, 1.0, 2.0)
"""How long to wait for the group coordinator between the looks for it."""


class _Topics(Response):  # type: ignore[misc]
    """Metadata with what we may do, which the client library does not ask for."""

    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(
            ("node_id", Int32), ("host", String("utf-8")), ("port", Int32),
            ("rack", String("utf-8")),
        )),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        ("topics", Array(
            ("error_code", Int16),
            ("topic", String("utf-8")),
            ("is_internal", Boolean),
            ("partitions", Array(
                ("error_code", Int16), ("partition", Int32), ("leader", Int32),
                ("leader_epoch", Int32), ("replicas", Array(Int32)), ("isr", Array(Int32)),
                ("offline_replicas", Array(Int32)),
            )),
            ("operations", Int32),
        )),
        ("cluster_operations", Int32),
    )  # fmt: skip


class _AskTopics(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _Topics
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("make", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
    )


class _Ask(Request[_AskTopics]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = sorted(topics)

    def build(self, request_struct_class: type[_AskTopics]) -> _AskTopics:
        return request_struct_class(self._topics, False, False, True)


@dataclass(frozen=True, slots=True)
class Trial:
    """How a transaction that was given up went.

    Attributes:
        error: Why it did not work, or None.
        skew_s: The broker's clock less ours, in seconds; None if the broker told no time.
        within_s: The skew is right to so many seconds.

    """

    error: BaseException | None = None
    skew_s: float | None = None
    within_s: float = 0.0


async def topic_rights(client: AIOKafkaClient, topics: Collection[str]) -> dict[str, set[int]]:
    """What we may do to each of these topics, which must exist; all bits of `OPERATIONS`."""
    answer = await client.send(client.get_random_node(), _Ask(topics))
    rights: dict[str, set[int]] = {}
    for code, topic, _, _, operations in answer.topics:
        if code:
            rights[topic] = set()
        elif operations != _UNASKED:
            rights[topic] = {bit for bit in OPERATIONS if operations >> bit & 1}
    return rights


async def may_join(client: AIOKafkaClient, group: str) -> bool:
    """Whether we may be members of a group; nobody in it notices."""
    for pause in (*WAITS_S, None):
        try:
            node = await client.coordinator_lookup(CoordinationType.GROUP, group)
            answer = await client.send(
                node, HeartbeatRequest(group, 1, "nobody"), group=ConnectionGroup.COORDINATION
            )
        except GroupAuthorizationFailedError:
            return False
        except (GroupCoordinatorNotAvailableError, NodeNotReadyError):  # the first group ever
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            return for_code(answer.error_code) is not GroupAuthorizationFailedError
    return False


async def try_transaction(link: Link, topic: str | None) -> Trial:
    """Begin a transaction of ours, look at the broker's time, and give it up.

    Args:
        link: The cluster.
        topic: Where a record is written to; None: nothing is, and no time is told.

    """
    producer = AIOKafkaProducer(
        **link.client(),
        transactional_id=f"{link.app}-{TRIAL}",
        transaction_timeout_ms=int(TRANSACTION_S * 1000),
        enable_idempotence=True,
        acks="all",
    )
    before = after = 0.0
    told = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            await producer.start()
            await producer.begin_transaction()
            for _ in range(0 if topic is None else 2):  # the first one only warms up
                before = time.time()
                told = await (await producer.send(topic, b"", key=TRIAL.encode(), partition=0))
                after = time.time()
            await producer.abort_transaction()
    except (KafkaError, OSError, TimeoutError) as error:
        return Trial(error)
    finally:
        await producer.stop()
    if told is None or told.timestamp_type != _APPENDED:
        return Trial()
    return Trial(skew_s=told.timestamp / 1000 - (before + after) / 2, within_s=(after - before) / 2)
