"""Asks a Kafka cluster what it has: topics, how they are copied, and their settings."""

from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from engine.edge.streaming.wanted import Found

_NO_LEADER = -1
_DENIED = (29, 31)
"""Kafka's numbers for what we may not do to a topic, or to the cluster."""


async def find_topics(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Found]:
    """Those of these topics that exist and that we may see.

    Every topic is asked for and the rest left out: asking for one by name would make it on a
    broker that makes topics by itself.
    """
    return {
        entry["topic"]: _found(entry["partitions"])
        for entry in await admin.describe_topics(None)
        if entry["topic"] in names and not entry["error_code"]
    }


def _found(partitions: list[dict[str, Any]]) -> Found:
    return Found(
        partitions=len(partitions),
        replication=min((len(one["replicas"]) for one in partitions), default=0),
        leaderless=sum(one["leader"] == _NO_LEADER for one in partitions),
        lagging=sum(len(one["isr"]) < len(one["replicas"]) for one in partitions),
    )


async def topic_settings(
    admin: AIOKafkaAdminClient, names: Collection[str]
) -> dict[str, Mapping[str, str]]:
    """All settings of each topic; a topic whose settings we may not see is left out."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(names)]
    return await _settings(admin, resources) if resources else {}


async def broker_settings(admin: AIOKafkaAdminClient, broker: int) -> Mapping[str, str]:
    """All settings of one broker; nothing if we may not see them."""
    found = await _settings(admin, [ConfigResource(ConfigResourceType.BROKER, str(broker))])
    return found.get(str(broker), {})


async def _settings(
    admin: AIOKafkaAdminClient, resources: list[ConfigResource]
) -> dict[str, Mapping[str, str]]:
    settings: dict[str, Mapping[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, _, _, name, entries in answer.resources:
            if code in _DENIED:
                continue
            if code:
                raise for_code(code)(name)
            settings[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return settings
