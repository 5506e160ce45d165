"""Text into trees: what binds stronger, what a number with a unit is, what is refused."""

import pytest

from engine.errors import Location
from engine.ruleset.expr import parse


@pytest.mark.parametrize(
    ("text", "form"),
    [
        pytest.param("workers + 2 * 3 > 1", "((workers + (2 * 3)) > 1)", id="product-before-sum"),
        pytest.param("workers - 1 - 1 == 0", "(((workers - 1) - 1) == 0)", id="left-to-right"),
        pytest.param("(workers - 1) * 2 == 0", "(((workers - 1) * 2) == 0)", id="brackets"),
        pytest.param("-workers % 3 == 1", "(((-workers) % 3) == 1)", id="minus-before-remainder"),
        pytest.param(
            "located or located and not located",
            "(located or (located and (not located)))",
            id="not-and-or",
        ),
        pytest.param("1 < workers <= 3", "(1 < workers <= 3)", id="chain"),
        pytest.param("not vehicle in ['a']", '(not (vehicle in ["a"]))', id="not-around-in"),
        pytest.param("vehicle not in ['a']", '(not (vehicle in ["a"]))', id="not-in"),
        pytest.param(
            "2 if located else 3 if located else 4",
            "(2 if located else (3 if located else 4))",
            id="choice-to-the-right",
        ),
        pytest.param("speed < 5 m/s", "(speed < 18 km/h)", id="constant-into-the-fields-unit"),
        pytest.param("5 m/s > speed", "(18 km/h > speed)", id="constant-first"),
        pytest.param("accuracy <= 50米", "(accuracy <= 50 meters)", id="chinese-unit"),
        pytest.param("held > 1h30m", "(held > 90m)", id="duration-in-steps"),
        pytest.param("workers % 3 == 0", "((workers % 3) == 0)", id="remainder-by-number"),
        pytest.param("100 % workers == 0", "((100 % workers) == 0)", id="remainder-by-name"),
        pytest.param("start.rate > 20%", "(start.rate > 20%)", id="percent"),
        pytest.param(
            "start.rate > 20% and located",
            "((start.rate > 20%) and located)",
            id="percent-then-word",
        ),
        pytest.param("workers / 4 < 50%", "((workers / 4) < 0.5)", id="share-beside-percent"),
        pytest.param("speed != null", "(speed != null)", id="present"),
        pytest.param("null == speed", "(speed == null)", id="absent"),
        pytest.param("exists(speed)", "(speed != null)", id="exists-is-present"),
        pytest.param("missing(site)", "(site == null)", id="missing-is-absent"),
        pytest.param("site.exists", "(site != null)", id="record-exists"),
        pytest.param('vehicle == "a\\"b\\\\"', '(vehicle == "a\\"b\\\\")', id="escapes"),
        pytest.param(
            "matches(vehicle, '\\d+')", 'matches(vehicle, "\\\\d+")', id="backslash-stays"
        ),
        pytest.param("located\n  and\n  located", "(located and located)", id="several-lines"),
        pytest.param("vehicle in ['a', 'b',]", '(vehicle in ["a", "b"])', id="last-comma"),
        pytest.param(
            "start.contract_sum * start.rate",
            "(start.contract_sum * (start.rate as number))",
            id="money-times-percent",
        ),
        pytest.param("speed * 2h", "(((speed as m/s) * 2h) as m)", id="speed-times-time"),
        pytest.param("accuracy / 10s", "((accuracy / 10s) as m/s)", id="length-by-time"),
        pytest.param(
            "reported + 2h < event_time",
            "((reported + 2h) < event_time)",
            id="time-plus-duration",
        ),
        pytest.param(
            "event_time - reported > 1d",
            "((event_time - reported) > 1d)",
            id="time-minus-time",
        ),
        pytest.param("age(since) > 1d", "(age(since, event_time) > 1d)", id="age"),
        pytest.param("amount < 300 万元", "(amount < 3000000 CNY)", id="money"),
        pytest.param(
            "coalesce(speed, 0 m/s) < 2 m/s",
            "(coalesce(speed, 0 km/h) < 7.2 km/h)",
            id="coalesce-in-one-unit",
        ),
        pytest.param("'苏F' in vehicle", '("苏F" in vehicle)', id="part-of-text"),
        pytest.param("vehicle in watched", "(vehicle in watched)", id="named-list"),
    ],
)
def test_the_checked_form(typed, text, form):
    assert typed(text).describe() == form


@pytest.mark.parametrize(
    "text",
    [
        "speed < 5 m/s",
        "1 < workers <= 3 and not (located or valve_open == false)",
        "coalesce(speed, 0 km/h) * 2 > 10 km/h if located else amount < 300 万元",
        "hour(event_time) in [22, 23, 0] and vehicle not in ['a', 'b']",
        "round(workers / 3, 1) % 2 == 1.5",
        "min(accuracy, 3 km) >= 50 meters",
    ],
)
def test_the_checked_form_reads_back_as_itself(typed, text):
    form = typed(text).describe()
    assert typed(form).describe() == form


def test_a_place_is_the_column_in_the_yaml_line():
    problems = parse("speed > 5 kmm", Location("rule.yaml", 7, 12))
    assert isinstance(problems, list)
    assert str(problems[0].at) == "rule.yaml:7:22"


def test_a_place_on_a_later_line_counts_its_own_columns():
    problems = parse("located\nand speed > 5 kmm", Location("rule.yaml", 7, 12))
    assert isinstance(problems, list)
    assert str(problems[0].at) == "rule.yaml:8:15"


def test_limits_are_checked_before_anything_is_built():
    at = Location("rule.yaml")
    for text, code in [
        ("x" * 2001, "R302"),
        ("(" * 41 + "x" + ")" * 41, "R303"),
        ("not " * 41 + "x", "R303"),
        ("-" * 41 + "1", "R303"),
        ("x" + " + x" * 101, "R304"),
    ]:
        problems = parse(text, at)
        assert isinstance(problems, list)
        assert problems[0].code == code
    assert not isinstance(parse("(" * 39 + "x" + ")" * 39, at), list)
    assert not isinstance(parse("x" + " + x" * 99, at), list)


def test_names_used_and_whether_the_event_is_enough(typed):
    assert typed("speed > 5 km/h and located").names == ("located", "speed")
    assert typed("speed > 5 km/h").uses_event_only
    assert typed("hour(event_time) > 5").uses_event_only
    assert not typed("site.exists").uses_event_only
    assert not typed("age(since) > 5m").uses_event_only
    assert typed("age(reported) > 5m").names == ("event_time", "reported")
