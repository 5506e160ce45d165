"""An hour of New York harbour: who gathers, who is alongside, against a scan of every second."""

from collections import Counter
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
import ships_scan
from recorded import path_of, rows_of

from engine.chain import Chain
from engine.edge.files import read_project
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import compile_project
from engine.ruleset.load import LoadOptions, load_project

FILE = "ny-harbor-ais-2020-06-30.csv.gz"
PACK = Path(__file__).parent / "pack"
START_MS, SECONDS = ships_scan.START_MS, ships_scan.SECONDS
SILENT_S, OUTSIDE_S, LEAST_S = 600, 120, 900
RULES = {"ships-gather": (300.0, 5), "alongside": (50.0, 2)}
EXPECTED = {
    ("alongside", "fired"): 29,
    ("alongside", "cleared"): 5,
    ("alongside", "retracted"): 3,
    ("moored-but-moving", "fired"): 4,
    ("moored-but-moving", "cleared"): 2,
    ("signal-lost", "fired"): 50,
    ("signal-lost", "cleared"): 27,
    ("ships-gather", "fired"): 9,
    ("ships-gather", "cleared"): 1,
}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    found = sorted(rows_of(FILE), key=lambda row: row["BaseDateTime"])
    assert len(found) == 8_689
    return found


@pytest.fixture(scope="module")
def changes(rows: list[dict[str, str]]) -> list[Change]:
    loaded = load_project(read_project([PACK]), LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    program = compile_project(loaded.project)
    spaces = Engine(program, saves=False).spaces
    chain = Chain(program.spaces, keeps=False)
    spaces["mmsi"].announce(SourceId("ais"))
    chain.announce(spaces)
    records = [
        Record(number, orjson.dumps({
            "mmsi": row["MMSI"], "at": row["BaseDateTime"], "lon": float(row["LON"]),
            "lat": float(row["LAT"]), "sog": float(row["SOG"]), "name": row["VesselName"],
            "status": float(row["Status"]) if row["Status"] else None,
        }))
        for number, row in enumerate(rows)
    ]  # fmt: skip
    spaces["mmsi"].ingest("ais", SourceId("ais"), records)
    moved = chain.advance(spaces, spaces, START_MS + SECONDS * 1000 - 1000)
    return [change for _, outcome, _ in moved for change in outcome.changes]


@pytest.fixture(scope="module")
def fixes() -> pl.DataFrame:
    return ships_scan.read(path_of(FILE))


@pytest.fixture(scope="module")
def scan(fixes: pl.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """For every ship and second: where it is (NaN: not there), as east and north in radians."""
    return ships_scan.presence(fixes, SILENT_S)


def near(scan: tuple, second: int, radius: float) -> np.ndarray:
    """Which ships are within the radius of which, by the haversine formula."""
    _, lon, lat = scan
    x, y = lon[second], lat[second]
    half = np.sin((y[:, None] - y) / 2) ** 2
    half += np.cos(y[:, None]) * np.cos(y) * np.sin((x[:, None] - x) / 2) ** 2
    close: np.ndarray = 2 * 6_371_008.8 * np.arcsin(np.sqrt(half)) <= radius
    return close


@pytest.fixture(scope="module", params=list(RULES))
def rule(request, scan: tuple) -> tuple[str, np.ndarray, np.ndarray]:
    """A rule, how many are around each ship at each second, and since when that is enough."""
    radius, count = RULES[request.param]
    around = np.array([near(scan, second, radius).sum(axis=1) for second in range(SECONDS)])
    full = around >= count
    held = np.zeros_like(around)
    lack = np.full(full.shape[1], OUTSIDE_S + 1)
    for second in range(SECONDS):
        lack = np.where(full[second], 0, lack + 1)
        before = held[second - 1] if second else np.zeros_like(lack)
        begins = np.where(full[second] & (before == 0), 1, 0)
        held[second] = np.where(lack >= OUTSIDE_S, 0, np.where(before > 0, before + 1, begins))
    return request.param, around, np.where(full, held, 0)


def second_of(change: Change) -> int:
    return (change.at_ms - START_MS) // 1000


def test_each_alert_is_one_that_the_scan_sees(changes: list[Change], rule, scan) -> None:
    name, around, held = rule
    fired = [one for one in changes if one.rule == name and one.transition == "fired"]
    assert fired
    for one in fired:
        ship = scan[0].index(one.evidence["operator"]["leader"])
        assert one.evidence["operator"]["size"] == around[second_of(one), ship], one.key
        begun = (one.since_ms - START_MS) // 1000
        assert second_of(one) - begun >= LEAST_S
        assert held[begun, scan[0].index(one.key)] >= 1
        assert held[second_of(one), ship] >= 1


def test_nobody_gathers_for_long_without_an_alert(changes: list[Change], rule, scan) -> None:
    """Where ships that are linked to each other are together for long enough, there is an alert."""
    name, _, held = rule
    radius, checked = RULES[name][0], 0
    _, lon, lat = scan
    for second in range(LEAST_S + 60, SECONDS, 60):
        opened = {one.episode_id: one for one in changes
                  if one.rule == name and second_of(one) <= second}  # fmt: skip
        live = [one for one in opened.values() if one.transition == "fired"]
        linked = near(scan, second, radius) & (held[second] > 0) & (held[second] > 0)[:, None]
        for ship in np.flatnonzero(held[second] > LEAST_S + OUTSIDE_S):
            group = {int(ship)}
            while (more := set(np.flatnonzero(linked[list(group)].any(axis=0)))) - group:
                group |= {int(one) for one in more}
            spots = [(np.degrees(lon[second, one]), np.degrees(lat[second, one])) for one in group]
            where = [(one.lon or 0.0, one.lat or 0.0) for one in live]
            assert any(metres(*a, *b) <= radius for a in spots for b in where), (second, ship)
            checked += 1
    assert checked > 100


def metres(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Flat enough for a harbour."""
    east = (lon - other_lon) * np.cos(np.radians(lat))
    return float(np.hypot(east, lat - other_lat) * 111_195)


def fired(changes: list[Change], rule: str) -> list[tuple[int, str]]:
    return sorted(
        (second_of(one), one.key)
        for one in changes
        if one.rule == rule and one.transition == "fired"
    )


def test_ships_that_say_moored_and_move(changes: list[Change], fixes: pl.DataFrame) -> None:
    found = fired(changes, "moored-but-moving")
    assert found == ships_scan.moored_but_moving(fixes, 1.0, 600)
    assert found


def test_ships_that_are_heard_no_more(changes: list[Change], fixes: pl.DataFrame) -> None:
    found = fired(changes, "signal-lost")
    assert found == ships_scan.lost(fixes, 600)
    assert found


def test_the_counts_are_those_that_were_read(changes: list[Change]) -> None:
    found = Counter((one.rule, str(one.transition)) for one in changes)
    assert found == EXPECTED
