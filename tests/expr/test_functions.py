"""What each function of expressions answers."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from engine.ruleset.expr import FUNCTIONS, Tools, compile_value

T0 = 1_772_413_800_000  # Monday 2026-03-02 09:10 in Shanghai


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("hour(reported)", 9, id="hour-by-the-local-clock"),
        pytest.param("hour(event_time)", 1, id="hour-after-midnight"),
        pytest.param("weekday(reported)", 1, id="monday-is-1"),
        pytest.param("weekday(event_time)", 3, id="wednesday-is-3"),
        pytest.param("age(reported) == 40h", True, id="age-is-event-time-minus-time"),
        pytest.param("abs(-2.5)", 2.5, id="abs"),
        pytest.param("min(workers, 2, 5)", 2, id="min"),
        pytest.param("max(workers)", 3, id="max-of-one"),
        pytest.param("min(speed, 1 m/s)", 3.6, id="min-in-the-fields-unit"),
        pytest.param("round(2.5)", 3, id="a-half-goes-up"),
        pytest.param("round(-2.5)", -3, id="a-half-goes-away-from-zero"),
        pytest.param("round(2.675, 2)", 2.68, id="as-printed-not-as-stored"),
        pytest.param("len(vehicle)", 14, id="len-in-characters"),
        pytest.param("lower('ABC')", "abc", id="lower"),
        pytest.param("starts_with(vehicle, '苏F')", True, id="starts-with"),
        pytest.param("ends_with(vehicle, '-blue')", False, id="ends-with"),
        pytest.param("contains(vehicle, '123')", True, id="contains"),
        pytest.param("contains(watched, vehicle)", True, id="contains-in-list"),
        pytest.param("vehicle in watched", True, id="in-list"),
        pytest.param("matches(vehicle, '^苏F[0-9]{5}-')", True, id="matches"),
        pytest.param("matches(vehicle, '^[0-9]')", False, id="matches-not"),
        pytest.param("matches(vehicle, '234')", True, id="matches-anywhere"),
        pytest.param("any_of(vehicle, ['沪', '苏'])", True, id="any-of"),
        pytest.param("any_of(vehicle, ['沪'])", False, id="none-of"),
        pytest.param("mask(vehicle, 'plate')", "苏F1***5-yellow", id="mask-plate"),
        pytest.param("mask('13812345678', 'phone')", "138****5678", id="mask-phone"),
        pytest.param("mask('张三丰', 'name')", "张**", id="mask-name"),
        pytest.param("mask('abcdefgh')", "ab****gh", id="mask-text"),
        pytest.param("round(distance(position, anchor))", 111, id="distance-in-metres"),
        pytest.param("distance(position, anchor) < 0.2 km", True, id="distance-compared"),
        pytest.param("workers / 6 == 50%", True, id="share"),
        pytest.param("start.contract_sum * start.rate", 20_000, id="percent-of-money"),
        pytest.param("amount >= start.contract_sum * 150%", True, id="ratio-reached"),
        pytest.param("speed * 2h == 8 km", True, id="speed-times-time"),
        pytest.param("accuracy / 10s == 2 m/s", True, id="length-by-time"),
        pytest.param("held / 1h", 0.75, id="duration-by-duration"),
        pytest.param("workers % 2", 1, id="remainder"),
    ],
)
def test_answers(answer, text, value):
    assert answer(text) == value


def test_every_function_has_an_answer_above_or_below():
    shown = {case.values[0] for mark in test_answers.pytestmark for case in mark.args[1]}
    elsewhere = {"inside", "workday", "shift", "exists", "missing", "coalesce"}
    for name in FUNCTIONS:
        assert name in elsewhere or any(f"{name}(" in text for text in shown), name


class Square:
    """A layer or zone: everything within a tenth of a degree of a point."""

    def __init__(self, lon: float, lat: float, **zones: "Square") -> None:
        self.lon, self.lat, self.zones = lon, lat, zones

    def inside(self, lon: float, lat: float) -> bool:
        return abs(lon - self.lon) < 0.1 and abs(lat - self.lat) < 0.1

    contains = inside

    def zone(self, name: str) -> "Square":
        return self.zones[name]


def tools(**layers: Any) -> Tools:
    calendar = SimpleNamespace(
        is_workday=lambda day: day != date(2026, 3, 4),
        shift_at=lambda at: f"{at:%H:%M}" if at.hour else None,
    )
    return Tools(layers, {"cn": calendar})  # type: ignore[dict-item]


def test_inside_takes_a_layer_or_the_id_of_a_zone(answer):
    near, far = Square(120.9, 32.0), Square(0, 0)
    known = tools(**{"licensed-sites": near, "others": Square(1, 1, **{"park-3": far})})
    assert answer("inside(position, 'licensed-sites')", known) is True
    assert answer("inside(position, 'park-3')", known) is False
    assert answer("inside(anchor, waybill.destination_zone)", known) is False
    assert answer("not inside(anchor, place)", known) is True


def test_inside_a_zone_nobody_declared_is_unknown(answer):
    assert answer("inside(position, waybill.destination_zone)", tools()) is None
    assert answer("not inside(position, waybill.destination_zone)", tools()) is None


def test_inside_without_a_position_is_unknown(typed, event):
    ask = compile_value(
        typed("inside(anchor, 'licensed-sites')"), tools(**{"licensed-sites": Square(0, 0)})
    )
    assert ask(event, {"anchor": None}) is None


def test_shift_asks_the_calendar_for_the_local_minute(answer):
    assert answer("shift(event_time, 'cn')", tools()) == "01:10"
    assert answer("shift(reported, 'cn') == 'night'", tools()) is False


def test_workday_asks_the_calendar_for_the_local_day(answer):
    assert answer("workday(reported)", tools()) is True
    assert answer("workday(event_time, 'cn')", tools()) is False


def test_the_hour_follows_the_time_zone(answer):
    assert answer("hour(reported)", Tools(zone="UTC")) == 1
    assert answer("hour(reported)", Tools(zone="Asia/Kathmandu")) == 6
    assert answer("hour(reported)", Tools(zone="Asia/Kathmandu"), reported=T0 + 5 * 60_000) == 7
