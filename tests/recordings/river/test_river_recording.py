"""A river's stage for nine months: what the rules say is what a plain scan of the rows says."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from recorded import alerts_of, rows_of

FILE = "river-stage-mainstreet-2019.csv.gz"
PACK = Path(__file__).parent / "pack"
MIN = 60_000
HOUR = 60 * MIN
ZONE = timezone(timedelta(hours=-7))
MISSING = -9999.0

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
def alerts(rows: list[tuple[str, float]]) -> list:
    records = ({"station": "main", "taken": at, "level": level} for at, level in rows)
    return alerts_of(PACK, "gauge", records)


def instant(text: str) -> int:
    local = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    return round(local.astimezone(UTC).timestamp() * 1000)


def good(rows: list[tuple[str, float]]) -> list[tuple[int, float]]:
    return [(instant(at), level) for at, level in rows if level != MISSING]


def fired(alerts: list, rule: str) -> list[int]:
    return [one.at_ms for one in alerts if one.rule == rule and one.transition == "fired"]


def test_the_recording_is_the_one_that_was_counted(rows: list[tuple[str, float]]) -> None:
    assert len(rows) == 25_881
    assert sum(level == MISSING for _, level in rows) == 836


def test_counts(alerts: list) -> None:
    assert Counter((one.rule, str(one.transition)) for one in alerts) == EXPECTED


def test_rises_of_more_than_five_centimetres_an_hour(rows: list, alerts: list) -> None:
    levels, begun, holding = good(rows), [], False
    for number, (at, level) in enumerate(levels):
        last = levels[number - 1][0] if number else at
        if at - last > 75 * MIN * 9 // 8 + MIN:
            holding = False
        old = [one for one in levels[max(0, number - 8) : number] if at - one[0] >= HOUR]
        if not old or at - old[-1][0] > 75 * MIN:
            continue
        rate = (level - old[-1][1]) * HOUR / (at - old[-1][0])
        if rate > 5 and not holding:
            begun.append(at)
        holding = rate > 5
    assert fired(alerts, "rises") == begun


def test_readings_that_stand_still_for_an_hour(rows: list, alerts: list) -> None:
    levels, found, run = good(rows), [], 1
    for (before, one), (at, other) in pairwise(levels):
        run = run + 1 if one == other and at - before == 15 * MIN else 1
        if run == 5:
            found.append(at)
    assert fired(alerts, "frozen") == found


def test_leaps_of_more_than_five_centimetres_in_a_quarter(rows: list, alerts: list) -> None:
    levels = good(rows)
    leaps = [
        at
        for (before, one), (at, other) in pairwise(levels)
        if at - before == 15 * MIN and abs(other - one) > 5
    ]
    begun = [at for n, at in enumerate(leaps) if n == 0 or at - leaps[n - 1] > HOUR]
    assert fired(alerts, "leaps") == begun


def test_hours_with_readings_missing(rows: list, alerts: list) -> None:
    hours = Counter(at // HOUR for at, _ in good(rows))
    last = max(hours)
    few = sorted(hour for hour, count in hours.items() if count < 4 and hour < last)
    begun = [(hour + 1) * HOUR for hour in few if hour - 1 not in few]
    assert fired(alerts, "thin") == begun


def test_the_slope_of_two_hours(rows: list, alerts: list) -> None:
    levels = dict(good(rows))
    begun, holding = [], False
    for edge in range(min(levels) // HOUR * HOUR, max(levels) + MIN, 15 * MIN):
        inside = [(at, levels[at]) for at in range(edge - 2 * HOUR, edge, 15 * MIN) if at in levels]
        if not inside:
            holding = False
        if len(inside) < 8:
            continue
        middle = sum(at for at, _ in inside) / 8
        mean = sum(level for _, level in inside) / 8
        width = sum((at - middle) ** 2 for at, _ in inside)
        slope = sum((at - middle) * (level - mean) for at, level in inside) / width * HOUR
        if slope > 3 and not holding:
            begun.append(edge)
        holding = slope > 3
    assert fired(alerts, "steep") == begun
