"""How to reach Kafka, and how patiently: one value that every client here is made from."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

log = structlog.get_logger("streaming")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
TELL_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The broker's address, our name there, and every limit that is not left to a default.

    Attributes:
        bootstrap: `host:port`, several separated by commas.
        app: Name of the consumer group and first part of every transactional id.
        prefix: First part of the names of our own topics.
        partitions: Of our own topics, and of a feed's topic that does not exist yet.
        replication: Copies of every topic we create.
        instance: Name of this worker for static membership; empty means a fresh member each time.
        batch: Most records handed to the rules in one call.
        session_s: A worker that is silent for this long loses its partitions.
        heartbeat_s: How often a worker says that it lives.
        save_every_s: How often positions are saved when nothing else had to be.
        tick_every_s: How often event time is moved on when all sources are quiet.
        retention_ms: How long alerts, dead letters and routed records are kept.
        security: TLS settings, or None for a plain connection.

    """

    bootstrap: str
    app: str = "forewarn"
    prefix: str = "fw"
    partitions: int = 3
    replication: int = 1
    instance: str = ""
    batch: int = 10_000
    session_s: float = 10.0
    heartbeat_s: float = 3.0
    save_every_s: float = 1.0
    tick_every_s: float = 5.0
    retention_ms: int = 7 * 86_400_000
    security: ssl.SSLContext | None = None

    def client(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": self.app,
            "security_protocol": "SSL" if self.security else "PLAINTEXT",
            "ssl_context": self.security,
            "request_timeout_ms": 30_000,
            "metadata_max_age_ms": 60_000,
        }

    def admin(self) -> AIOKafkaAdminClient:
        """A client that creates and describes topics."""
        return AIOKafkaAdminClient(**self.client())


async def wait_for_broker(link: Link) -> None:
    """Return when the broker answers; until then try again, at ever longer intervals.

    A worker that starts before its broker waits. It says so once a minute, not once a try.
    """
    pause, silent = FIRST_WAIT_S, TELL_EVERY_S
    while True:
        admin = link.admin()
        try:
            await admin.start()
        except (KafkaError, OSError) as reason:
            if silent >= TELL_EVERY_S:
                log.warning("broker-absent", bootstrap=link.bootstrap, reason=repr(reason))
                silent = 0.0
        else:
            return
        finally:
            await _close(admin)
        await asyncio.sleep(pause)
        silent += pause
        pause = min(pause * 2, LONGEST_WAIT_S)


async def _close(admin: AIOKafkaAdminClient) -> None:
    """Close a client that may never have opened."""
    try:
        await admin.close()
    except KafkaConnectionError:  # nothing was open
        return
