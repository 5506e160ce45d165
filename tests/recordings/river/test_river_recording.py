"""A river's stage for nine months: what the rules say is what a scan of the rows by polars says."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import river_scan as scan
from recorded import alerts_of, path_of, rows_of

FILE = "river-stage-mainstreet-2019.csv.gz"
PACK = Path(__file__).parent / "pack"
EXPECTED = {
    ("frozen", "cleared"): 6,
    ("frozen", "fired"): 6,
    ("leaps", "cleared"): 30,
    ("leaps", "fired"): 30,
    ("rises", "cleared"): 45,
    ("rises", "fired"): 45,
    ("steep", "cleared"): 39,
    ("steep", "fired"): 39,
    ("thin", "cleared"): 3,
    ("thin", "fired"): 3,
}


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, float]]:
    return [(row["datetime"], float(row["stage_cor"])) for row in rows_of(FILE)]


@pytest.fixture(scope="module")
def scanned() -> pl.DataFrame:
    return scan.read(path_of(FILE))


@pytest.fixture(scope="module")
def alerts(rows: list[tuple[str, float]]) -> list:
    records = ({"station": "main", "taken": at, "level": level} for at, level in rows)
    return alerts_of(PACK, "gauge", records)


def fired(alerts: list, rule: str) -> list[int]:
    return [one.at_ms for one in alerts if one.rule == rule and one.transition == "fired"]


def test_the_recording_is_the_one_that_was_counted(rows: list[tuple[str, float]]) -> None:
    assert len(rows) == 25_881
    assert sum(level == scan.MISSING for _, level in rows) == 836


def test_counts(alerts: list) -> None:
    assert Counter((one.rule, str(one.transition)) for one in alerts) == EXPECTED


@pytest.mark.parametrize("rule", ["rises", "frozen", "leaps", "thin", "steep"])
def test_the_scan_finds_the_same_instants(alerts: list, rule: str, scanned: pl.DataFrame) -> None:
    expected = getattr(scan, rule)(scanned)
    assert len(expected) == EXPECTED[rule, "fired"]
    assert fired(alerts, rule) == expected
