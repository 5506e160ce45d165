"""What is in saved state: by key space, rule and partition, and one key in words."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from engine.edge.state_tools.file import Part, Row
from engine.edge.state_tools.plan import SHOWN, columns
from engine.model.row_keys import subject_of
from engine.pipeline import Space
from engine.ruleset.compile import Program, SpaceProgram
from engine.state.codec import OWN, WAITING, unpack_row
from engine.state.taking import episodes_of, read_waiting
from engine.text import say

BIGGEST = 3
_TIMES = range(100_000_000_000, 100_000_000_000_000)
"""Whole numbers that are instants in milliseconds: 1973 to 5138."""
_ZONE = "Asia/Shanghai"


@dataclass(slots=True)
class Sum:
    """What one version of a rule left in a key space.

    Attributes:
        alerts: Rows with an alert that is pending or open.
        oldest, newest: The earliest and latest instant (UTC ms) that the rows remember.
        biggest: Bytes and keys of the largest rows.

    """

    rows: int = 0
    bytes: int = 0
    alerts: int = 0
    oldest: int | None = None
    newest: int | None = None
    biggest: list[tuple[int, str]] = field(default_factory=list)
    partitions: dict[int, int] = field(default_factory=dict)

    def add(self, row: Row, payload: Any, latest: int) -> None:
        """Count one row; instants later than `latest` are timers and are not told of."""
        self.rows += 1
        self.bytes += len(row.value)
        self.partitions[row.partition] = self.partitions.get(row.partition, 0) + 1
        self.alerts += bool(episodes_of(payload))
        times = [at_ms for at_ms in _instants(payload) if at_ms <= latest]
        if times:
            self.oldest = min(times) if self.oldest is None else min(self.oldest, *times)
            self.newest = max(times) if self.newest is None else max(self.newest, *times)
        heapq.heappush(self.biggest, (len(row.value), row.key))
        if len(self.biggest) > BIGGEST:
            heapq.heappop(self.biggest)


Sums = dict[tuple[str, str, str], Sum]
"""By key space, rule and hash of the version that wrote the rows."""


def summed(parts: Sequence[Part], rows: Iterable[Row]) -> Sums:
    """Count all rows."""
    latest: dict[str, int] = {}
    for part in parts:
        ends = [part.watermark or 0, *part.sources.values()]
        latest[part.space] = max(latest.get(part.space, 0), *ends)
    sums: Sums = {}
    for row in rows:
        hashed, payload = unpack_row(row.value)
        of = (row.space, row.rule, hashed)
        sums.setdefault(of, Sum()).add(row, payload, latest.get(row.space, 0))
    return sums


def table(parts: Sequence[Part], sums: Sums, program: Program | None, lang: str) -> list[str]:
    """The summary as people read it."""
    lines: list[str] = []
    for space in dict.fromkeys([*(part.space for part in parts), *(of[0] for of in sorted(sums))]):
        mine = sorted((p for p in parts if p.space == space), key=lambda p: p.partition)
        zone = zone_of(program, space)
        marks = [part.watermark for part in mine if part.watermark is not None]
        span = "-" if not marks else said(min(marks), zone)
        words = {"space": space, "partitions": len(mine), "watermark": span}
        lines.append(say("state-inspect-space", lang, **words))
        heads = ("rule", "version", "keys", "alerts", "bytes", "oldest", "newest", "biggest")
        rows = [[say(f"state-inspect-{name}", lang) for name in heads]]
        for (_, rule, hashed), one in sorted(item for item in sums.items() if item[0][0] == space):
            big = ", ".join(f"{key} ({size})" for size, key in sorted(one.biggest, reverse=True))
            rows.append(
                [
                    rule,
                    hashed[:SHOWN] or "-",
                    str(one.rows),
                    str(one.alerts),
                    str(one.bytes),
                    "-" if one.oldest is None else said(one.oldest, zone),
                    "-" if one.newest is None else said(one.newest, zone),
                    big,
                ]
            )
        lines += [
            *(columns(rows) if len(rows) > 1 else ["  " + say("state-inspect-none", lang)]),
            "",
        ]
    return lines


def data(parts: Sequence[Part], sums: Sums, program: Program | None) -> list[dict[str, Any]]:
    """The summary as plain values; instants as ISO text in the feed's zone."""
    found = []
    for space in dict.fromkeys([*(part.space for part in parts), *(of[0] for of in sorted(sums))]):
        zone = zone_of(program, space)
        mine = sorted((p for p in parts if p.space == space), key=lambda p: p.partition)
        found.append(
            {
                "space": space,
                "partitions": [
                    {
                        "partition": part.partition,
                        "watermark": None if part.watermark is None else said(part.watermark, zone),
                        "logs": {
                            log: {"offset": end.offset, "unread": end.unread}
                            for log, end in sorted(part.logs.items())
                        },
                    }
                    for part in mine
                ],
                "rules": [
                    {
                        "rule": rule,
                        "version": hashed,
                        "keys": one.rows,
                        "alerts": one.alerts,
                        "bytes": one.bytes,
                        "by_partition": {str(n): c for n, c in sorted(one.partitions.items())},
                        "oldest": None if one.oldest is None else said(one.oldest, zone),
                        "newest": None if one.newest is None else said(one.newest, zone),
                        "biggest": [
                            {"key": key, "bytes": size}
                            for size, key in sorted(one.biggest, reverse=True)
                        ],
                    }
                    for (of, rule, hashed), one in sorted(sums.items())
                    if of == space
                ],
            }
        )
    return found


def key_in_words(program: Program | None, row: Row) -> dict[str, Any]:
    """One key's state with names, instants in the feed's zone; raw where no rule can read it."""
    hashed, payload = unpack_row(row.value)
    zone = zone_of(program, row.space)
    found: dict[str, Any] = {
        "space": row.space, "partition": row.partition, "rule": row.rule, "key": row.key,
        "version": hashed,
    }  # fmt: skip
    if row.rule == WAITING:
        key, source, record = read_waiting(row.value)
        text = record.value.decode("utf-8", "replace")
        return {
            **found,
            "waits_for": key,
            "source": f"{source.feed}/{source.partition}",
            "record": text,
        }
    space = None if program is None else program.spaces.get(row.space)
    read = None if space is None else _read(space, row, payload, zone)
    return {**found, "state": _plain(payload, zone)} if read is None else {**found, **read}


def _read(space: SpaceProgram, row: Row, payload: Any, zone: str) -> dict[str, Any] | None:
    """What the rule's operator makes of a row, if the rule as it is can read it."""
    numbers = {rule.spec.id: number for number, rule in enumerate(space.rules)}
    if row.rule.startswith(OWN) or row.rule not in numbers:
        return None
    logic = Space(space, saves=False).logics[numbers[row.rule]]
    try:
        logic.load(row.key, payload)
    except Exception:  # noqa: BLE001 - another version wrote it; it is shown raw
        return None
    about = subject_of(row.key)
    opened = logic.life.open.get(about, {})
    return {
        "state": _plain(logic.keys.get(about), zone),
        "episodes": [_plain(opened[part], zone) for part in sorted(opened)],
    }


def zone_of(program: Program | None, space: str) -> str:
    """The zone of a key space's first feed."""
    found = None if program is None else program.spaces.get(space)
    if found is None or not found.feeds:
        return _ZONE
    return found.programs[found.feeds[0]].spec.time.zone


def said(at_ms: int, zone: str) -> str:
    """An instant as people read it, in a zone."""
    if at_ms not in _TIMES:
        return "-"
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    return local.isoformat(sep=" ", timespec="seconds")


def _plain(value: Any, zone: str) -> Any:
    """Values by their names, down to plain ones."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return said(value, zone) if value in _TIMES else value
    if isinstance(value, Mapping):
        return {str(name): _plain(one, zone) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one, zone) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    names = value.__struct_fields__ if isinstance(value, msgspec.Struct) else _slots(value)
    return {name: _plain(getattr(value, name), zone) for name in names if hasattr(value, name)}


def _slots(value: Any) -> list[str]:
    """Names of an object's attributes."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return sorted(name for name in {*slots, *getattr(value, "__dict__", {})} if name[0] != "_")


def _instants(value: Any) -> Iterator[int]:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if value in _TIMES:
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _instants(one)
    elif isinstance(value, list):
        for one in value:
            yield from _instants(one)
