"""The value of every part of a condition, for evidence."""

from engine.ruleset.expr import trace


def test_parts_come_before_what_they_are_part_of(typed, event, extras):
    whole = typed("speed < 5 km/h and not site.exists and distance(position, anchor) > 300 meters")
    steps = trace(whole, event, extras)
    values = dict(steps)
    assert [text for text, _ in steps] == [
        "speed",
        "speed < 5 km/h",
        "site",
        "site.exists",
        "not site.exists",
        "position",
        "anchor",
        "distance(position, anchor)",
        "distance(position, anchor) > 300 meters",
        "speed < 5 km/h and not site.exists and distance(position, anchor) > 300 meters",
    ]
    assert values["speed"] == 4.0
    assert values["speed < 5 km/h"] is True
    assert values["site"] is None
    assert values["distance(position, anchor) > 300 meters"] is False


def test_unknown_parts_show_as_null(typed, event, extras):
    values = dict(trace(typed("score > 1 or located"), event, extras))
    assert values == {
        "score": None,
        "score > 1": None,
        "located": True,
        "score > 1 or located": True,
    }


def test_a_field_shows_in_its_own_unit(typed, event, extras):
    assert dict(trace(typed("accuracy < speed * 1h"), event, extras))["speed"] == 4.0


def test_a_part_that_divides_by_zero_shows_as_null(typed, event, extras):
    event.workers = 0
    values = dict(trace(typed("workers > 0 and 6 / workers > 1"), event, extras))
    assert values["6 / workers"] is None
    assert values["workers > 0"] is False
