"""Values that a rule compares and that are missing: unknown, never firing, and counted."""

import msgspec
import pytest

from engine.pipeline import Engine
from engine.ports import Outcome, Record, SourceId
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile

PACK = b"pack: page\ntitle: {en: Page, zh: Page}\nowner: docs\nversion: 0.1.0\n"
FEED = """feed: meter
title: {zh: m, en: m}
topic: feed.meter
format: json
key: station
id: [station, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 0s
fields:
  station: text
  at: {type: time, format: epoch-ms}
  level: {type: number, unit: cm, optional: true}
  state: {type: text, optional: true}
  limit: {type: number, unit: cm}
"""
RULE = """rule: high
title: {zh: h, en: h}
owner: tests
severity: blue
from: meter
by: station
where: WHERE
when:
  match: CONDITION
"""


def program(where: str, condition: str) -> Program:
    rule = RULE.replace("WHERE", where).replace("CONDITION", condition)
    files = [
        DeclaredFile("page/pack.yaml", PACK),
        DeclaredFile("page/feeds/meter.yaml", FEED.encode()),
        DeclaredFile("page/high.yaml", rule.encode()),
    ]
    loaded = load_project(files, LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    return compile_project(loaded.project)


def records(count: int) -> list[Record]:
    """Every third without a level, every fifth without a state."""
    return [
        Record(
            n,
            msgspec.json.encode(
                {
                    "station": f"S{n % 3}",
                    "at": 1_772_412_000_000 + n,
                    "level": None if n % 3 == 0 else 5,
                    "state": None if n % 5 == 0 else "ok",
                    "limit": 10,
                }
            ),
        )
        for n in range(count)
    ]


def counted(where: str, condition: str, size: int) -> dict[str, int]:
    (space,) = Engine(program(where, condition)).spaces.values()
    outcomes: list[Outcome] = []
    some = records(3000)
    for start in range(0, len(some), size):
        space.ingest("meter", SourceId("meter"), some[start : start + size])
        outcomes.append(space.advance())
    assert not any(one.changes for one in outcomes)
    total: dict[str, int] = {}
    for one in outcomes:
        for (name, label), count in one.counts.items():
            if name == "unknown":
                total[label] = total.get(label, 0) + count
    return total


@pytest.mark.parametrize("size", [1, 7, 3000])
def test_each_missing_value_is_counted_once_however_batches_are_cut(size: int) -> None:
    found = counted('state != "test"', "level > limit", size)
    assert found == {"high/level": 1000, "high/state": 600}


@pytest.mark.parametrize(
    "where",
    [
        'coalesce(state, "x") != "test"',
        'state == null or state != "test"',
        'exists(state) and state != "test"',
    ],
)
def test_a_rule_that_heeds_missing_values_has_nothing_unknown(where: str) -> None:
    assert counted(where, "limit > 99 cm", 3000) == {}


def test_a_value_that_must_be_there_is_never_unknown() -> None:
    assert counted("limit > 99 cm", "limit > 99 cm", 3000) == {}
