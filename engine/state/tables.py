"""Look-up tables: rows by key, each in force between two instants, read as of event time."""

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from heapq import heappop, heappush
from sys import float_info
from typing import Any, final

from engine.errors import Level, Location, Problem
from engine.feeds.reasons import BadValue, Reason
from engine.feeds.spec import FieldSpec, FieldType
from engine.feeds.values import INTEGER_LIMIT, LONGEST_KEY, Reader, value_reader
from engine.ruleset.spec import TableSpec
from engine.state.answers import Moment, read_answer

Key = tuple[object, ...]

_CODES = {
    Reason.WRONG_TYPE: "R526",
    Reason.MISSING_FIELD: "R529",
    Reason.OUT_OF_RANGE: "R530",
    Reason.NOT_ALLOWED: "R531",
    Reason.BAD_TIME: "R532",
    Reason.BAD_PLATE: "R533",
    Reason.TOO_LONG: "R534",
    Reason.BAD_KEY: "R534",
}
_LONGEST_QUOTE = 40
_ALWAYS = -(2**63)
_NEVER = 2**63 - 1


@final
class Row(dict[str, Any]):
    """One row: values by column, null where empty, and the line it came from as its version."""

    __slots__ = ("from_ms", "to_ms", "version")

    def __init__(self, values: Mapping[str, Any], version: int, from_ms: int, to_ms: int) -> None:
        super().__init__(values)
        self.version = version
        self.from_ms = from_ms
        self.to_ms = to_ms


@final
class Table:
    """A table's rows, found by key as of an instant in O(log n).

    A row is in force from its first instant (inclusive) to its last (exclusive); an empty column
    means without limit. Where several rows of a key are in force, the one that began last counts,
    and among those the one further down.

    Attributes:
        spec: The declaration.
        rows: All good rows in their order.

    """

    def __init__(self, spec: TableSpec, rows: Sequence[Row] = ()) -> None:
        self.spec = spec
        self.rows = tuple(rows)
        by_key: dict[Key, list[Row]] = {}
        for row in self.rows:
            by_key.setdefault(tuple(row[name] for name in spec.key), []).append(row)
        self._index = {key: _timeline(group) for key, group in by_key.items()}

    def at(self, key: Key, at_ms: int) -> Row | None:
        """The row of this key that is in force at an instant (UTC ms), or None."""
        found = self._index.get(key)
        if found is None:
            return None
        starts, rows = found
        place = bisect_right(starts, at_ms) - 1
        return rows[place] if place >= 0 else None

    def keys(self) -> Iterator[Key]:
        """Every key once, in the order of its first row."""
        return iter(self._index)

    def of_key(self, key: Key) -> tuple[Row, ...]:
        """All rows of a key in their order, in force or not."""
        names = self.spec.key
        return tuple(row for row in self.rows if tuple(row[name] for name in names) == key)

    @classmethod
    def from_csv(
        cls, spec: TableSpec, raw: bytes, file: str = ""
    ) -> tuple["Table", tuple[Problem, ...]]:
        """Read a table from CSV text in UTF-8 whose first line names the columns.

        Bad rows are left out and reported with their line (R52x); the others are in the table.
        """
        file = file or spec.file or spec.name
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            return cls(spec), (Problem(Location(file, line), "R521"),)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        problems: list[Problem] = []
        rows: list[tuple[int, Mapping[str, object]]] = []
        columns: list[str] = []
        line = 1
        try:
            for cells in reader:
                if not columns:
                    columns = [cell.strip() for cell in cells]
                elif cells and len(cells) != len(columns):
                    found = {"found": len(cells), "wanted": len(columns)}
                    problems.append(Problem(Location(file, line), "R522", found))
                elif cells:
                    rows.append((line, dict(zip(columns, cells, strict=True))))
                line = reader.line_num + 1
        except csv.Error:
            problems.append(Problem(Location(file, line), "R523"))
        missing = _columns(spec, columns, file)
        if missing:
            return cls(spec), (*missing, *problems)
        good, bad = _rows(spec, rows, file, from_text=True)
        return cls(spec, good), tuple(sorted([*problems, *bad], key=lambda problem: problem.at))

    @classmethod
    def from_answer(
        cls, spec: TableSpec, raw: bytes, file: str = ""
    ) -> tuple["Table", tuple[Problem, ...]]:
        """Read a table from the rows that another system gave (`engine/state/answers.py`)."""
        columns, rows, problems = read_answer(raw, file or spec.file or spec.name)
        if not problems:
            problems = tuple(_columns(spec, columns, file))
        if problems:
            return cls(spec), problems
        good, bad = _rows(spec, rows, file, from_text=False)
        return cls(spec, good), bad

    @classmethod
    def from_rows(
        cls,
        spec: TableSpec,
        rows: Sequence[Mapping[str, object]],
        file: str = "",
        first_line: int = 1,
    ) -> tuple["Table", tuple[Problem, ...]]:
        """Make a table of mappings, as rule tests write them; the n-th is line `first_line` + n."""
        numbered = [(first_line + number, row) for number, row in enumerate(rows)]
        good, bad = _rows(spec, numbered, file or spec.file or spec.name, from_text=False)
        return cls(spec, good), bad


def column_spec(name: str, declared: object, zone: str) -> FieldSpec:
    """A column as `type` or `{type, unit, format, zone, ...}` declares it. Columns may be empty."""
    if isinstance(declared, FieldSpec):
        return declared
    if isinstance(declared, Mapping):
        allowed = {"unit", "pii", "format", "zone", "max_length"}
        options = {key: value for key, value in declared.items() if key in allowed}
        low, high = declared.get("range") or (None, None)
        return FieldSpec(
            name,
            FieldType(declared.get("type", "text")),
            wire=declared.get("from", ""),
            optional=bool(declared.get("optional", True)),
            low=low,
            high=high,
            values=tuple(declared.get("values", ())),
            **{"zone": zone, **options},
        )
    return FieldSpec(name, FieldType(str(declared)), optional=True, zone=zone)


def _timeline(rows: Sequence[Row]) -> tuple[list[int], list[Row | None]]:
    """The instants at which another row begins to count, and that row (None: no row counts)."""
    order = sorted(range(len(rows)), key=lambda number: (rows[number].from_ms, number))
    marks = sorted({edge for row in rows for edge in (row.from_ms, row.to_ms)})
    starts: list[int] = []
    counts: list[Row | None] = []
    current: list[tuple[int, int]] = []
    place = 0
    for mark in marks:
        while place < len(order) and rows[order[place]].from_ms <= mark:
            number = order[place]
            heappush(current, (-rows[number].from_ms, -number))
            place += 1
        while current and rows[-current[0][1]].to_ms <= mark:
            heappop(current)
        row = rows[-current[0][1]] if current else None
        if not counts or counts[-1] is not row:
            starts.append(mark)
            counts.append(row)
    return starts, counts


def _columns(spec: TableSpec, columns: Sequence[str], file: str) -> list[Problem]:
    """Columns that the table's key or validity needs, or that are not optional, must be there."""
    at = Location(file)
    problems = []
    for name, declared in spec.fields.items():
        column = column_spec(name, declared, spec.zone)
        needed = name in spec.key or not column.optional
        if needed and (column.wire or name) not in columns:
            problems.append(Problem(at, "R524", {"column": column.wire or name}))
    twice = sorted({name for name in columns if columns.count(name) > 1})
    return problems + [Problem(at, "R525", {"column": name}) for name in twice]


def _rows(
    spec: TableSpec,
    rows: Sequence[tuple[int, Mapping[str, object]]],
    file: str,
    *,
    from_text: bool,
) -> tuple[list[Row], tuple[Problem, ...]]:
    columns = {name: column_spec(name, how, spec.zone) for name, how in spec.fields.items()}
    for name in spec.key:
        columns.setdefault(name, FieldSpec(name, FieldType.TEXT))
    for name in spec.valid or ():
        columns.setdefault(name, FieldSpec(name, FieldType.TIME, optional=True, zone=spec.zone))
    readers = {
        name: value_reader(column, key=name in spec.key, from_text=from_text)
        for name, column in columns.items()
    }
    good: list[Row] = []
    bad: list[Problem] = []
    seen: dict[Key, int] = {}
    for line, raw in rows:
        at = Location(file, line)
        try:
            values = _values(raw, columns, readers, spec.key)
        except BadValue as error:
            bad.append(_bad_value(at, columns[error.detail], raw, error.reason))
            continue
        from_ms, to_ms = _validity(values, spec.valid)
        if from_ms >= to_ms:
            bad.append(Problem(at, "R527"))
            continue
        key = tuple(values[name] for name in spec.key)
        if spec.valid is None and key in seen:
            found = {"key": " ".join(map(str, key)), "line": seen[key]}
            bad.append(Problem(at, "R528", found, level=Level.WARNING))
        seen[key] = line
        good.append(Row(values, line, from_ms, to_ms))
    return good, tuple(bad)


def _bad_value(
    at: Location, column: FieldSpec, raw: Mapping[str, object], reason: Reason
) -> Problem:
    """The problem of one value; long values are cut."""
    name = column.wire or column.name
    value = str(raw.get(name, ""))
    if len(value) > _LONGEST_QUOTE:
        value = value[:_LONGEST_QUOTE] + "…"
    widest = INTEGER_LIMIT if column.type is FieldType.INTEGER else float_info.max
    found = {
        "column": name,
        "value": value,
        "type": column.type.value,
        "low": f"{-widest if column.low is None else column.low:g}",
        "high": f"{widest if column.high is None else column.high:g}",
        "format": column.format,
        "most": min(column.max_length, LONGEST_KEY)
        if reason is Reason.BAD_KEY
        else column.max_length,
    }
    nearest = get_close_matches(value, column.values, n=1)
    return Problem(at, _CODES.get(reason, "R526"), found, nearest[0] if nearest else "")


def _values(
    raw: Mapping[str, object],
    columns: Mapping[str, FieldSpec],
    readers: Mapping[str, Reader],
    key: Sequence[str],
) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, column in columns.items():
        value = raw.get(column.wire or name)
        if value is None or value == "":
            if name in key or not column.optional:
                raise BadValue(Reason.MISSING_FIELD, name)
            values[name] = None
            continue
        try:
            if isinstance(value, Moment):
                values[name] = value.ms(column)
            else:
                values[name] = readers[name](value)
        except BadValue as error:
            raise BadValue(error.reason, name) from error
    return values


def _validity(values: Mapping[str, Any], valid: tuple[str, str] | None) -> tuple[int, int]:
    if valid is None:
        return _ALWAYS, _NEVER
    from_ms, to_ms = values[valid[0]], values[valid[1]]
    return _ALWAYS if from_ms is None else from_ms, _NEVER if to_ms is None else to_ms
