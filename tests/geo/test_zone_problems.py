"""What a person reads when a layer of zones is wrong: one folder per case, in both languages."""

import json
import math
import os
import tomllib
from pathlib import Path

import pytest

from engine import text
from engine.geo.geojson import MOST_VERTICES
from engine.geo.zones import ZoneSet

CASES = sorted((Path(__file__).parent / "golden").iterdir())


def report_of(raw: bytes) -> str:
    zones, problems = ZoneSet.from_text("layer", raw, "layer.geojson")
    assert zones is None
    return "".join(f"{problem.report(lang)}\n" for lang in ("en", "zh") for problem in problems)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_problem_report(case: Path) -> None:
    report = report_of((case / "layer.geojson").read_bytes())
    expected = case / "expected.txt"
    if os.environ.get("GOLDEN") == "write":
        expected.write_text(report, "utf-8")
    assert report == expected.read_text("utf-8")


def test_a_zone_of_too_many_positions_must_be_simplified() -> None:
    turns = [2 * math.pi * number / MOST_VERTICES for number in range(MOST_VERTICES)]
    ring = [[120 + math.cos(turn), 32 + math.sin(turn)] for turn in turns]
    feature = {
        "type": "Feature",
        "properties": {"id": "round"},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }
    raw = json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()
    assert report_of(raw) == (
        "layer.geojson:1:1: error R510: zone 'round' has more than 10000 positions; simplify it\n"
        "layer.geojson:1:1: 错误 R510: 区域“round”的顶点超过 10000 个，请先简化\n"
    )


def _own(file: str) -> dict[str, object]:
    """The entries of one file of the catalogue."""
    return tomllib.loads((Path(text.__file__).parent / file).read_text("utf-8"))


def test_every_zone_problem_has_a_case() -> None:
    told = "".join((case / "expected.txt").read_text("utf-8") for case in CASES) + "R510"
    codes = {code for code in _own("zones.toml") if code.startswith(("R50", "R51"))}
    assert {code for code in codes if code not in told} == set()
