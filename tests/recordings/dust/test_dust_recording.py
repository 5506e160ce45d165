"""Four years of PM10 in Beijing: episodes, levels, missing and usual hours, against a scan."""

from collections import Counter
from collections.abc import Iterator
from math import ceil, sqrt
from pathlib import Path

import pytest
from recorded import alerts_of, rows_of

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


def windows(hours: list, over: int, every: int) -> Iterator[tuple[int, list[float]]]:
    """(edge, values) of every window up to the last hour."""
    for edge in range(every, len(hours), every):
        yield edge, [value for value in hours[max(0, edge - over) : edge] if value is not None]


def test_the_recording_is_the_one_that_was_counted(hours: list[float | None]) -> None:
    assert (len(hours), hours.count(None)) == (35_064, 718)
    assert sum(value is not None and value > 150 for value in hours) == 8_991


def test_counts(alerts: list) -> None:
    assert Counter((one.rule, str(one.transition)) for one in alerts) == EXPECTED


def test_days_above_150_with_hysteresis_and_levels(hours: list, alerts: list) -> None:
    ranks = {"blue": 0, "yellow": 250, "orange": 420}
    expected, level = [], ""
    for edge, values in windows(hours, 24, 1):
        if len(values) < 20:
            continue
        mean = sum(values) / len(values)
        reached = [name for name, least in ranks.items() if mean > least][-1]
        if not level and mean > 150:
            level = reached
            expected.append((f"fired-{level}", edge))
        elif level and mean > 150 and ranks[reached] > ranks[level]:
            level = reached
            expected.append((f"raised-{level}", edge))
        elif level and mean < 120:
            expected.append((f"cleared-{level}", edge))
            level = ""
    assert told(alerts, "day-mean") == expected


def test_hours_far_above_the_same_hour_of_past_weeks(hours: list, alerts: list) -> None:
    expected, holds = [], False
    for edge, values in windows(hours, 1, 1):
        past = [hours[edge - 1 - back * 168] for back in range(1, 9) if edge - 1 >= back * 168]
        known = [value for value in past if value is not None]
        if not values or len(known) < 4:
            if not values and holds:
                expected.append(("cleared-blue", edge))
                holds = False
            continue
        mean = sum(known) / len(known)
        spread = sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))
        now = values[0] > mean + 3 * spread
        if now != holds:
            expected.append((f"{'fired' if now else 'cleared'}-blue", edge))
        holds = now
    assert told(alerts, "unusual-hour") == expected


def test_days_twice_as_dusty_as_the_day_before(hours: list, alerts: list) -> None:
    expected, holds, before = [], False, None
    for edge, values in windows(hours, 24, 24):
        total = sum(values) if len(values) == 24 else None
        if total is not None and before is not None:
            now = total > 2 * before
            if now != holds:
                expected.append((f"{'fired' if now else 'cleared'}-blue", edge))
            holds = now
        elif not values and holds:
            expected.append(("cleared-blue", edge))
            holds = False
        before = total
    assert told(alerts, "twice-yesterday") == expected


def test_days_with_hours_missing(hours: list, alerts: list) -> None:
    expected, holds = [], False
    for edge, values in windows(hours, 24, 24):
        now = 0 < len(values) < 24
        if now != holds:
            expected.append((f"{'fired' if now else 'cleared'}-blue", edge))
        holds = now
    assert told(alerts, "hours-missing") == expected


def test_weeks_with_a_high_tail(hours: list, alerts: list) -> None:
    """A bucket is a day here, so the percentile is exact."""
    expected, holds = [], False
    for edge, values in windows(hours, 168, 24):
        if len(values) < 100:
            continue
        now = sorted(values)[ceil(len(values) * 0.9) - 1] > 300
        if now != holds:
            expected.append((f"{'fired' if now else 'cleared'}-blue", edge))
        holds = now
    assert told(alerts, "high-tail") == expected
