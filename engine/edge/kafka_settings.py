"""What may be set about Kafka, under `kafka:`: names, topics, patience, and how to get in."""

import re
import socket
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field

from engine.edge.layers import Layers
from engine.errors import Problem
from engine.kafka.access import Access, faults

_INSTANCE = re.compile(r"[A-Za-z0-9._-]{0,200}")
HOST = "{host}"


class TopicSettings(BaseModel):
    """What one topic shall be like, where it differs from the others.

    Attributes:
        retention_ms: How long records are kept; has no meaning for a compacted topic.
        settings: Any other setting of the topic, by Kafka's name for it.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: int | None = Field(default=None, ge=1)
    replication: int | None = Field(default=None, ge=1)
    min_insync: int | None = Field(default=None, ge=1)
    retention_ms: int | None = Field(default=None, ge=-1)
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)


class KafkaSettings(Access):
    """Settings of the Kafka edge; what each means for a worker stands at `Link`.

    Attributes:
        instance: Name of this worker for static membership; `{host}` in it is the host's name.
        min_insync: Copies that must have a record before it counts as written; when left out, one
            less than `replication`, but at least 1.
        topics: What single topics shall be like, by name.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    app: str = Field(default="forewarn", pattern=r"^[A-Za-z0-9._-]{1,80}$")
    prefix: str = Field(default="fw", pattern=r"^[A-Za-z0-9._-]{1,80}$")
    instance: str = ""
    partitions: int = Field(default=3, ge=1)
    replication: int = Field(default=1, ge=1)
    min_insync: int | None = Field(default=None, ge=1)
    retention_ms: int = Field(default=7 * 86_400_000, ge=-1)
    topics: dict[str, TopicSettings] = Field(default_factory=dict)
    batch: int = Field(default=32_000, ge=1, le=100_000)
    session_s: float = Field(default=10.0, gt=0)
    heartbeat_s: float = Field(default=3.0, gt=0)
    save_every_s: float = Field(default=1.0, gt=0)
    tick_every_s: float = Field(default=5.0, gt=0)
    restores: int = Field(default=2, ge=1)

    @property
    def member(self) -> str:
        """The name for static membership, with the host's name in it where that is asked for."""
        return self.instance.replace(HOST, socket.gethostname())


def kafka_problems(kafka: KafkaSettings, broker: str | None, layers: Layers) -> Iterator[Problem]:
    """What is wrong with the Kafka settings beyond the shape of each value."""
    if not _INSTANCE.fullmatch(kafka.member):
        yield Problem(layers.at(("kafka", "instance")), "S112", {"found": kafka.member})
    if kafka.min_insync is not None and kafka.min_insync > kafka.replication:
        words = {"name": "min_insync", "found": kafka.min_insync, "limit": kafka.replication}
        yield Problem(layers.at(("kafka", "min_insync")), "S113", words)
    if kafka.heartbeat_s * 2 > kafka.session_s:
        set_here = _first(layers, "heartbeat_s", "session_s")
        half = kafka.session_s / 2
        words = {"name": "heartbeat_s", "found": kafka.heartbeat_s, "limit": half}
        yield Problem(layers.at(("kafka", set_here)), "S113", words)
    if broker is not None:
        yield from access_problems(kafka, broker, layers, ("kafka",), ("broker",))


def access_problems(
    access: Access,
    bootstrap: str,
    layers: Layers,
    section: tuple[str, ...],
    address: tuple[str, ...],
) -> Iterator[Problem]:
    """What is wrong with how a broker is to be reached, where it was written.

    Args:
        access: What was declared.
        bootstrap: The broker's addresses.
        layers: Knows who set what.
        section: The section that `access` stands in.
        address: Where the addresses were set.

    """
    for fault in faults(access, bootstrap):
        path = (*section, fault.key) if fault.key else address
        yield Problem(layers.at(path), fault.code, fault.words)


def _first(layers: Layers, *names: str) -> str:
    """The first of these keys that somebody set."""
    section: Mapping[str, object] = layers.value.get("kafka", {})
    return next((name for name in names if name in section), names[0])
