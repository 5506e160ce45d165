"""Rows that another system gave (a database, a Parquet file), as the text in which packs hold them.

The first line names the columns; each further line is one row as a JSON object. An instant is
`{"$time": "2026-03-02T09:00:00"}`: without an offset it is read in the zone of its column.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, final
from zoneinfo import ZoneInfo

from engine.errors import Location, Problem
from engine.feeds.reasons import BadValue, Reason
from engine.feeds.spec import FieldSpec, FieldType

TIME_MARK = "$time"


@final
class Moment(str):
    """An instant in ISO 8601, with its offset or without."""

    __slots__ = ()

    def ms(self, column: FieldSpec) -> int:
        """It as UTC ms; without an offset it is read in the column's zone.

        Raises:
            BadValue: The column holds no times.

        """
        if column.type is not FieldType.TIME:
            raise BadValue(Reason.WRONG_TYPE, column.name)
        at = datetime.fromisoformat(self)
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(column.zone))
        return round(at.timestamp() * 1000)


Rows = list[tuple[int, Mapping[str, object]]]


def read_answer(raw: bytes, file: str) -> tuple[list[str], Rows, tuple[Problem, ...]]:
    """The columns, the rows with their lines, and what is wrong with the text."""
    lines = raw.decode("utf-8", "replace").split("\n")
    rows: Rows = []
    try:
        columns = [str(name) for name in json.loads(lines[0])]
    except (ValueError, TypeError):
        return [], [], (Problem(Location(file), "R523"),)
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        try:
            row = json.loads(line, object_hook=_marked)
        except ValueError:
            return columns, rows, (Problem(Location(file, number), "R523"),)
        rows.append((number, row))
    return columns, rows, ()


def _marked(value: dict[str, Any]) -> Any:
    return Moment(value[TIME_MARK]) if TIME_MARK in value else value
