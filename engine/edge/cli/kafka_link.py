"""From the settings to the one value that every Kafka client here is made from."""

from dataclasses import fields
from typing import Any

from engine.edge.kafka_settings import TopicSettings
from engine.edge.settings import Configured
from engine.edge.streaming.link import Link, TopicWish
from engine.kafka.access import open_way, servers

_GIVEN_ELSEWHERE = frozenset({"bootstrap", "instance", "topics", "way", "wait"})
_SAME = {one.name for one in fields(Link)} - _GIVEN_ELSEWHERE


def link_of(configured: Configured, lang: str) -> Link:
    """How to reach the broker: its address and the settings under `kafka`.

    Raises:
        EnvironmentUnusable: a certificate, key or password file cannot be used.

    """
    kafka = configured.values.kafka
    given = kafka.model_dump(include=_SAME)
    wishes = {name: TopicWish(**_wish(topic)) for name, topic in kafka.topics.items()}
    return Link(
        bootstrap=",".join(servers(configured.values.broker or "")),
        instance=kafka.member,
        topics=wishes,
        way=open_way(kafka, configured.folder, lang),
        **given,
    )


def _wish(topic: TopicSettings) -> dict[str, Any]:
    settings = {name: _as_kafka(value) for name, value in topic.settings.items()}
    return {**topic.model_dump(exclude={"settings"}), "settings": settings}


def _as_kafka(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
