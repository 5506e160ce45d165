"""Four years of PM10 in Beijing: episodes, levels, missing and usual hours, against a scan."""

from collections import Counter
from pathlib import Path

import dust_scan as scan
import polars as pl
import pytest
from recorded import alerts_of, path_of, rows_of

FILE = "beijing-air-aotizhongxin.csv.gz"
PACK = Path(__file__).parent / "pack"
HOUR = 3_600_000
FIRST = 1_362_067_200_000  # 2013-03-01 00:00 in Shanghai
EXPECTED = {
    ("day-mean", "cleared"): 182,
    ("day-mean", "fired"): 182,
    ("day-mean", "raised"): 71,
    ("high-tail", "cleared"): 33,
    ("high-tail", "fired"): 33,
    ("hours-missing", "cleared"): 113,
    ("hours-missing", "fired"): 114,
    ("twice-yesterday", "cleared"): 148,
    ("twice-yesterday", "fired"): 149,
    ("unusual-hour", "cleared"): 429,
    ("unusual-hour", "fired"): 429,
}


@pytest.fixture(scope="module")
def hours() -> list[float | None]:
    """PM10 hour by hour from the first; None where it is missing."""
    found = []
    for number, row in enumerate(rows_of(FILE)):
        assert int(row["No"]) == number + 1
        found.append(None if row["PM10"] == "NA" else float(row["PM10"]))
    return found


@pytest.fixture(scope="module")
def scanned() -> pl.DataFrame:
    return scan.read(path_of(FILE))


@pytest.fixture(scope="module")
def alerts(hours: list[float | None]) -> list:
    records = [
        {
            "station": row["station"],
            "taken": "{year}-{month:0>2}-{day:0>2} {hour:0>2}:00".format(**row),
            "pm10": value,
        }
        for row, value in zip(rows_of(FILE), hours, strict=True)
    ]
    return alerts_of(PACK, "air", records)


def told(alerts: list, rule: str) -> list[tuple[str, int]]:
    """(transition, hour since the first) of a rule."""
    return [
        (f"{one.transition}-{one.severity}", (one.at_ms - FIRST) // HOUR)
        for one in alerts
        if one.rule == rule
    ]


def test_the_recording_is_the_one_that_was_counted(hours: list[float | None]) -> None:
    assert (len(hours), hours.count(None)) == (35_064, 718)
    assert sum(value is not None and value > 150 for value in hours) == 8_991


def test_counts(alerts: list) -> None:
    assert Counter((one.rule, str(one.transition)) for one in alerts) == EXPECTED


@pytest.mark.parametrize(
    "rule", ["day-mean", "unusual-hour", "twice-yesterday", "hours-missing", "high-tail"]
)
def test_the_scan_finds_the_same_turns(alerts: list, rule: str, scanned: pl.DataFrame) -> None:
    """Of `high-tail` a bucket is a day, so that the percentile is exact."""
    expected = getattr(scan, rule.replace("-", "_"))(scanned)
    assert told(alerts, rule) == expected
