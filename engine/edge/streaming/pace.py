"""Who must wait for whom: a source far ahead in event time is not read until the others follow.

A key space works at the pace of its slowest source; what the others bring meanwhile waits in
memory. So while a slow source still has records to give, those that are ahead of it rest. A source
that has given all it had makes nobody wait: there is nothing to catch up with.
"""

from collections.abc import Collection, Mapping
from typing import TypeVar

AHEAD_MS = 3_600_000
"""How far ahead in event time a source may be read."""

P = TypeVar("P")


def spread(reaches: Mapping[P, int]) -> bool:
    """Whether any source is too far ahead of another."""
    return bool(reaches) and max(reaches.values()) - min(reaches.values()) > AHEAD_MS


def ahead(reaches: Mapping[P, int], ended: Collection[P]) -> set[P]:
    """The sources that rest; `reaches` are their watermarks (UTC ms), `ended` gave all they had."""
    behind = [reach for source, reach in reaches.items() if source not in ended]
    if not behind:
        return set()
    return {source for source, reach in reaches.items() if reach > min(behind) + AHEAD_MS}
