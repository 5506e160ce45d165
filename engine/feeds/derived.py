"""The names under which key spaces read of each other: sources and logs of derived feeds."""

from zlib import crc32

from engine.ports import SourceId

PREFIX = "chain/"

MOST_PARTITIONS = 4096
"""Partitions that a key space may have."""


def log_of(feed: str, sender: str) -> str:
    """Name of the log of what one key space sends as a derived feed."""
    return f"{PREFIX}{feed}/{sender}"


def source_of(feed: str, sender: str, partition: int = 0) -> SourceId:
    """The stream of a derived feed that one partition of a key space sends.

    Its number is made of the sender's name, so that it stays when other senders come and go.
    """
    return SourceId(feed, crc32(sender.encode()) * MOST_PARTITIONS + partition)


def is_from(source: SourceId, sender: str) -> bool:
    """Whether a partition of this key space sends this stream."""
    return source.partition // MOST_PARTITIONS == crc32(sender.encode())


def derived_name(feed: str, reader: str) -> str:
    """Name of the feed in which one key space tells another about a feed's events."""
    return f"{feed}@{reader}"


def origin_of(feed: str) -> str:
    """The feed that a derived one is about."""
    return feed.partition("@")[0]
