"""The names of our topics, and of the writers whose transactions make a batch whole."""

import re
from dataclasses import dataclass

from aiokafka.partitioner import murmur2

NOT_SAFE = re.compile(r"[^a-zA-Z0-9._-]|_(?=[0-9a-f]{2})")
HIGHEST = 0x7FFFFFFF


def safe(name: str) -> str:
    """A name that Kafka takes, different for different names: `a+b` becomes `a_2bb`."""
    return NOT_SAFE.sub(lambda found: "".join(f"_{byte:02x}" for byte in found[0].encode()), name)


@dataclass(frozen=True, slots=True)
class Names:
    """Names that start with one prefix, so that several installations can share a broker."""

    prefix: str = "fw"
    app: str = "forewarn"

    @property
    def alerts(self) -> str:
        """Every transition of every alert; key: its episode."""
        return f"{self.prefix}.alerts"

    @property
    def dead_letter(self) -> str:
        """Records that could not become events, as they came, with the reason in the headers."""
        return f"{self.prefix}.dead-letter"

    @property
    def late(self) -> str:
        """Events behind the watermark, for rules that put them aside."""
        return f"{self.prefix}.late"

    @property
    def ticks(self) -> str:
        """What was concluded from silence: a quiet source, elapsed time."""
        return f"{self.prefix}.ticks"

    def state(self, space: str) -> str:
        """What the rules of a key space remember; compacted."""
        return f"{self.prefix}.state-{safe(space)}"

    def routed(self, space: str) -> str:
        """Records of all feeds of a key space, by the key of its rules."""
        return f"{self.prefix}.by-{safe(space)}"

    def route(self, space: str, feed: str) -> str:
        """How far a feed was routed into a key space; compacted."""
        return f"{self.prefix}.route-{safe(space)}-{safe(feed)}"

    def writer(self, topic: str, partition: int) -> str:
        """The transactional id of the one writer of a partition of a compacted topic."""
        return f"{self.app}-{topic}-{partition}"


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: Kafka's own default, so that keyed producers agree with us."""
    return int(murmur2(key.encode()) & HIGHEST) % partitions
