"""Look-up tables: rows by key, as of an instant."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Level
from engine.feeds.spec import FieldSpec, FieldType
from engine.ruleset.spec import TableSpec
from engine.state.tables import Table

WAYBILLS = TableSpec(
    "waybills",
    ("vehicle",),
    {
        "vehicle": "plate",
        "goods": {"type": "text"},
        "tons": FieldSpec("tons", FieldType.NUMBER, optional=True, low=0),
        "depart": "time",
        "return": {"type": "time", "format": "iso8601"},
    },
    valid=("depart", "return"),
)


def at(hour: int) -> int:
    moment = datetime(2026, 3, 2, hour, tzinfo=ZoneInfo("Asia/Shanghai"))
    return int(moment.timestamp() * 1000)


def csv(*lines: str) -> bytes:
    return "\n".join(("vehicle,goods,tons,depart,return", *lines, "")).encode()


def read(*lines: str) -> Table:
    table, problems = Table.from_csv(WAYBILLS, csv(*lines))
    assert problems == ()
    return table


def goods(table: Table, *hours: int, vehicle: str = "苏F12345") -> list[str | None]:
    rows = [table.at((vehicle,), at(hour)) for hour in hours]
    return [None if row is None else row["goods"] for row in rows]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param(
            ["苏f12345,acid,1.5,2026-03-02 09:00,2026-03-02 18:00"],
            [None, "acid", "acid", None],
            id="from its first instant to just before its last",
        ),
        pytest.param(["苏F12345,acid,,,"], ["acid"] * 4, id="without limits it is always in force"),
        pytest.param(
            ["苏F12345,acid,,,2026-03-02 17:00", "苏F12345,lye,,2026-03-02 17:00,"],
            ["acid", "acid", "lye", "lye"],
            id="one row after another",
        ),
        pytest.param(
            ["苏F12345,acid,,,", "苏F12345,lye,,2026-03-02 09:00,2026-03-02 10:00"],
            ["acid", "lye", "acid", "acid"],
            id="of two rows in force the one that began last counts",
        ),
        pytest.param(
            ["苏F12345,acid,,2026-03-02 09:00,", "苏F12345,lye,,2026-03-02 09:00,"],
            [None, "lye", "lye", "lye"],
            id="of two that began together the one further down counts",
        ),
        pytest.param(["苏F54321,acid,,,"], [None] * 4, id="another key says nothing"),
    ],
)
def test_a_row_is_read_as_of_event_time(lines: list[str], said: list[str | None]) -> None:
    assert goods(read(*lines), 8, 9, 17, 18) == said


def test_values_are_typed_and_carry_their_line() -> None:
    row = read("", "苏F12345-黄,acid,1.5,2026-03-02 09:00,").at(("苏F12345-yellow",), at(9))
    assert row == {
        "vehicle": "苏F12345-yellow",
        "goods": "acid",
        "tons": 1.5,
        "depart": at(9),
        "return": None,
    }
    assert row is not None
    assert row.version == 3


def test_rows_may_be_mappings_of_plain_values() -> None:
    table, problems = Table.from_rows(
        WAYBILLS,
        [
            {"vehicle": "苏F12345", "goods": "acid", "return": datetime(2026, 3, 2, 9)},  # noqa: DTZ001
            {"vehicle": "苏F12345", "goods": "lye", "tons": 2, "depart": date(2026, 3, 2)},
        ],
    )
    assert problems == ()
    assert goods(table, 0, 8, 9) == ["lye", "lye", "lye"]
    assert [row.version for row in table.of_key(("苏F12345",))] == [1, 2]


def test_a_table_without_validity_keeps_the_last_row_of_a_key_and_warns() -> None:
    spec = TableSpec("plants", ("code",), {"code": "text", "name": "text"})
    table, problems = Table.from_csv(spec, b"code,name\n1,old\n2,x\n1,new\n")
    row = table.at(("1",), 0)
    assert row is not None
    assert row["name"] == "new"
    assert [(problem.code, problem.at.line, problem.level) for problem in problems] == [
        ("R528", 4, Level.WARNING)
    ]


def test_keys_may_have_several_columns_and_other_names() -> None:
    fields: dict[str, Any] = {"town": "text", "kind": {"type": "integer", "from": "Kind code"}}
    spec = TableSpec("limits", ("town", "kind"), fields)
    table, problems = Table.from_csv(spec, b"Kind code,town\n7,a\n8,a\n")
    assert problems == ()
    assert list(table.keys()) == [("a", 7), ("a", 8)]
    assert table.at(("a", 8), 0) is not None
    assert table.at(("b", 8), 0) is None


def test_an_empty_table_holds_nothing() -> None:
    assert Table(WAYBILLS).at(("苏F12345",), 0) is None
    assert Table.from_csv(WAYBILLS, csv())[0].rows == ()


HOURS = st.none() | st.integers(0, 12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), HOURS, HOURS), max_size=12), st.integers(-1, 13))
def test_as_of_look_up_agrees_with_trying_every_row(
    rows: list[tuple[str, int | None, int | None]], now: int
) -> None:
    spec = TableSpec(
        "t",
        ("key",),
        {
            "key": "text",
            "begin": {"type": "time", "format": "epoch-ms"},
            "end": {"type": "time", "format": "epoch-ms"},
        },
        valid=("begin", "end"),
    )
    table, problems = Table.from_rows(
        spec, [{"key": key, "begin": begin, "end": end} for key, begin, end in rows]
    )
    good = [
        (-1 if begin is None else begin, number, key)
        for number, (key, begin, end) in enumerate(rows, start=1)
        if begin is None or end is None or begin < end
    ]
    assert len(problems) == len(rows) - len(good)
    for key in "ab":
        held = [
            (begin, number)
            for begin, number, owner in good
            if owner == key
            and (rows[number - 1][1] is None or begin <= now)
            and (rows[number - 1][2] is None or now < (rows[number - 1][2] or 0))
        ]
        row = table.at((key,), now)
        assert (None if row is None else row.version) == (max(held)[1] if held else None)
