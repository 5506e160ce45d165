"""How to reach Kafka, and how patiently: one value that every client here is made from."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient

from engine.errors import EnvironmentUnusable
from engine.kafka.access import PLAIN, Way
from engine.kafka.reach import knock_all, why_not

log = structlog.get_logger("streaming")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
TELL_EVERY_S = 60.0
ENDS_AT_ONCE, DOUBTS = "K107", 4
"""A broker that ends connections may want TLS, or may be ending itself: so often it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicWish:
    """What one topic shall be like where it differs from the others; None means as the others."""

    partitions: int | None = None
    replication: int | None = None
    min_insync: int | None = None
    retention_ms: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The broker's address, our name there, and every limit that is not left to a default.

    Attributes:
        bootstrap: `host:port`, several separated by commas.
        app: Name of the consumer group and first part of every transactional id.
        prefix: First part of the names of our own topics.
        partitions: Of our own topics, and of a feed's topic that does not exist yet.
        replication: Copies of every topic we create.
        min_insync: Copies that must have a record before it counts as written; None: one less
            than there are, but at least one.
        topics: What single topics shall be like, by name.
        instance: Name of this worker for static membership; empty means a fresh member each time.
        batch: Most records handed to the rules in one call.
        session_s: A worker that is silent for this long loses its partitions.
        heartbeat_s: How often a worker says that it lives.
        save_every_s: How often positions are saved when nothing else had to be.
        tick_every_s: How often event time is moved on when all sources are quiet.
        retention_ms: How long alerts, dead letters and routed records are kept.
        restores: Partitions whose saved state is read back at the same time; bounds the memory.
        wait: Whether a broker that is away at the start is waited for.
        way: How connections are encrypted and who we are there.

    """

    bootstrap: str
    app: str = "forewarn"
    prefix: str = "fw"
    partitions: int = 3
    replication: int = 1
    min_insync: int | None = None
    topics: Mapping[str, TopicWish] = field(default_factory=dict)
    instance: str = ""
    batch: int = 32_000
    session_s: float = 10.0
    heartbeat_s: float = 3.0
    save_every_s: float = 1.0
    tick_every_s: float = 5.0
    retention_ms: int = 7 * 86_400_000
    restores: int = 2
    wait: bool = True
    way: Way = PLAIN

    def client(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": self.app,
            "request_timeout_ms": 30_000,
            "metadata_max_age_ms": 60_000,
            **self.way.client(),
        }

    def admin(self) -> AIOKafkaAdminClient:
        """A client that creates and describes topics."""
        return AIOKafkaAdminClient(**self.client())


async def wait_for_broker(link: Link, lang: str = "en", *, wait: bool | None = None) -> None:
    """Return when a broker lets us in; until then try again, at ever longer intervals.

    A worker that starts before its broker waits, and says once a minute what it waits for.

    Raises:
        EnvironmentUnusable: every broker refuses us for a reason that no waiting mends, such as
            a wrong password; or none answers and we are not to wait (`link.wait`, or `wait`).

    """
    patient = link.wait if wait is None else wait
    pause, silent, doubts = FIRST_WAIT_S, TELL_EVERY_S, 0
    while True:
        refusal = why_not(await knock_all(link.bootstrap, link.way, link.app))
        if refusal is None:
            return
        reason = refusal.text(lang)
        doubts = doubts + 1 if refusal.code == ENDS_AT_ONCE else 0
        if (refusal.final and (not doubts or doubts >= DOUBTS)) or not patient:
            raise EnvironmentUnusable(reason)
        if silent >= TELL_EVERY_S:
            log.warning("broker-absent", bootstrap=link.bootstrap, reason=reason)
            silent = 0.0
        delay = pause * random.uniform(0.8, 1.2)  # noqa: S311 - so that many workers spread out
        await asyncio.sleep(delay)
        silent += delay
        pause = min(pause * 2, LONGEST_WAIT_S)
