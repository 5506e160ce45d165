"""Partitions of a key space put together anew: rows by the hash of their key, one record each.

    old partitions, each complete up to its own watermark    W0=10:04   W1=10:00   W2=10:07
    new partition: the least of them, so that nothing is lost           W=10:00
    a row that was further on says so (its floor)            10:04      -          10:07

A key never sees an event twice: below its floor everything is passed over. A key never misses
one: what waited travels as rows, and the least watermark calls nothing late that was not.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.model.row_keys import owner_of
from engine.ports import Write
from engine.state.codec import WAITING, Meta, pack_row, unpack_moved
from engine.state.taking import read_waiting


class Valued(Protocol):
    """A row with its value."""

    @property
    def rule(self) -> str:
        """The rule that wrote it, or one of our own names."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """What is remembered."""


def together(metas: Sequence[Meta], mine: Callable[[str], bool]) -> Meta:
    """The record of a new partition from those of all old ones, without sources and positions.

    Args:
        metas: Records of the old partitions that had begun.
        mine: Whether a key belongs to the new partition.

    Returns:
        The least watermark. A rule that was off in one old partition is off; of an hour's budget
        the most that one of them had used is used.

    """
    found = Meta()
    if not metas:
        return found
    found.watermark = min(meta.watermark for meta in metas)
    found.seen = sorted({one for meta in metas for one in meta.seen if mine(one[1])})
    found.rulesets = max((meta.rulesets for meta in metas), key=len)
    for meta in metas:
        for rule, (errors, off) in meta.troubled.items():
            before, was_off = found.troubled.get(rule, ([], None))
            offs = [at_ms for at_ms in (off, was_off) if at_ms is not None]
            both = sorted({*before, *errors})
            found.troubled[rule] = (both, min(offs) if offs else None)
        for rule, spent in meta.fired.items():
            found.fired[rule] = max(spent, found.fired.get(rule, spent))
    return found


def key_of(row: Valued) -> str:
    """The key by which a row finds its partition; a record that waits is known by its own."""
    if row.rule == WAITING and row.value is not None:
        return read_waiting(row.value)[0]
    return owner_of(row.key)


def moved(row: Valued, complete_ms: int, watermark: int) -> Write:
    """The row as it lies in a partition with another watermark than the one it was complete for."""
    if row.value is None or row.rule == WAITING:
        return Write(row.rule, row.key, row.value)
    hashed, payload, floor = unpack_moved(row.value)
    upto = complete_ms if floor is None else max(complete_ms, floor)
    if upto <= watermark:
        return (
            Write(row.rule, row.key, row.value)
            if floor is None
            else Write(row.rule, row.key, pack_row(hashed, payload))
        )
    return Write(row.rule, row.key, pack_row(hashed, payload, upto))
