"""One function for all rules of a feed: the same answer as each condition alone, and quickly."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from engine.ruleset.expr import Typed, compile_admission, compile_condition

T0 = 1_772_413_800_000


def test_answers_the_indexes_that_want_the_event_in_order(typed, event):
    admit = compile_admission(
        [
            typed("hazard_class == '3' and speed < 5 km/h"),
            None,
            typed("hazard_class == '4'"),
            typed("hazard_class in ['3', '5']"),
            typed("accuracy < 10 meters"),
            typed("'3' == hazard_class and not located"),
            typed("located"),
        ]
    )
    assert admit(event) == (0, 1, 3, 6)


def test_one_rule_alone(typed, event):
    assert compile_admission([None])(event) == (0,)
    assert compile_admission([])(event) == ()
    assert compile_admission([typed("speed < 5 km/h")])(event) == (0,)
    assert compile_admission([typed("speed > 5 km/h")])(event) == ()


def test_unknown_is_not_admitted(typed, event):
    event.speed = None
    event.hazard_class = None
    admit = compile_admission(
        [typed(f"hazard_class == '{i}' and speed > {i} km/h") for i in range(5)]
        + [typed("not speed > 5 km/h"), typed("hazard_class == null")]
    )
    assert admit(event) == (6,)


def test_the_event_time_is_handed_in(typed, event):
    admit = compile_admission([typed("hour(event_time) == 9"), typed("age(reported) == 0s")])
    assert admit(event, T0) == (0, 1)
    assert admit(event, T0 + 3_600_000) == ()


def test_numbers_are_found_whatever_their_form(typed, event):
    rules = [typed(f"workers == {i}") for i in range(6)]
    rules += [
        typed("speed == 1 m/s"),
        typed("speed in [3.6 km/h, 4 km/h]"),
        typed("speed == 4 km/h"),
    ]
    admit = compile_admission(rules)
    assert admit(event) == (3, 7, 8)
    event.workers, event.speed = 3.0, 3.6
    assert admit(event) == (3, 6, 7)


def test_tables_inside_tables(typed, event):
    rules = [
        typed(f"hazard_class == '{i % 4}' and vehicle == 'v{i % 5}' and workers == {i % 3}")
        for i in range(60)
    ]
    admit = compile_admission(rules)
    for i in range(60):
        event.hazard_class, event.vehicle, event.workers = str(i % 4), f"v{i % 5}", i % 3
        assert admit(event) == (i,)


@pytest.mark.parametrize("threshold", ["<", "<=", ">", ">="])
def test_many_limits_on_one_field(typed, event, threshold):
    rules = [typed(f"speed {threshold} {limit % 40} km/h and located") for limit in range(120)]
    rules += [typed(f"{limit} km/h {threshold} speed") for limit in range(40)]
    admit = compile_admission(rules)
    for speed in (0, 7, 7.5, 39, 40, None):
        event.speed = speed
        alone = [compile_condition(rule)(event, {}) for rule in rules]
        assert admit(event) == tuple(i for i, wants in enumerate(alone) if wants)


def test_a_condition_on_more_than_the_event_is_refused(typed: Callable[..., Typed]) -> None:
    with pytest.raises(ValueError, match="needs more than the event"):
        compile_admission([typed("site.exists")])


def test_a_thousand_rules_make_one_function_that_still_works(typed, event):
    rules = [
        typed(f"hazard_class == 'c{i % 20}' and speed < {i / 10} km/h and lon > {119 + i / 500}")
        for i in range(1000)
    ]
    admit = compile_admission(rules)
    now = SimpleNamespace(**{**vars(event), "hazard_class": "c7", "speed": 50, "lon": 120.9})
    assert admit(now) == tuple(
        i for i in range(1000) if i % 20 == 7 and i / 10 > 50 and 119 + i / 500 < 120.9
    )
