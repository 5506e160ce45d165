"""dwell in zones: which zone a stay belongs to, where one may begin, and what ends it."""

import pytest
from operator_stage import MIN, Stage

from engine.operators.dwell import DwellLogic, Place
from engine.operators.specs.dwell import DwellSpec

ZONES = {"a": "west", "A": "west", "b": "east", "B": "east"}
WHERE = {"a": 0.0, "A": 5.0, "b": 50.0, "B": 55.0, "o": 30.0}
ZONE_AT = {WHERE[mark]: ZONES.get(mark) for mark in WHERE}


def played(track: str, *, restart: int = -1, outside_min: int = 0) -> Stage:
    """One fix a minute: `a` and `A` lie in one zone, `b` and `B` in another, `o` in none."""
    spec = DwellSpec(
        at_least_ms=5 * MIN, zones="yards", silent_ms=2 * MIN, outside_ms=outside_min * MIN
    )
    place = Place(None, lambda lon, _: ZONE_AT[lon], lambda zone, lon, _: ZONE_AT[lon] == zone)

    def make(judge, host, codec):
        glances = {"gps": lambda e, _x: (WHERE[e["mark"]], 0.0)}
        return DwellLogic(spec, place, glances, None, judge, host, codec)

    scene = Stage(make)
    for minute, mark in enumerate(track):
        if minute == restart:
            scene.restart(["v"], minute * MIN)
        if mark != ".":
            scene.event("gps", "v", {"mark": mark}, minute * MIN)
    scene.timers_before(len(track) * MIN)
    return scene


def told(track: str, **words: int) -> list[tuple[str, int, int]]:
    scene = played(track, **words)
    return [(what, since // MIN, at // MIN) for what, _, since, at, _ in scene.judge.said]


@pytest.mark.parametrize(
    ("track", "outside_min", "expected"),
    [
        pytest.param("aAaAaAa", 0, [("fired", 0, 5)], id="anywhere-in-one-zone"),
        pytest.param("ooooooo", 0, [], id="outside-every-zone-nothing-begins"),
        pytest.param("aaabbbbbb", 0, [("fired", 3, 8)], id="the-next-zone-begins-anew"),
        pytest.param("ooaaaaaa", 0, [("fired", 2, 7)], id="a-stay-begins-with-the-zone"),
        pytest.param("aaaoaaaaaa", 0, [("fired", 4, 9)], id="leaving-breaks-it"),
        pytest.param("aaaoaa", 2, [("fired", 0, 5)], id="a-short-way-out-is-excused"),
        pytest.param("aaooobbbbbbb", 2, [("fired", 5, 10)], id="no-stay-begins-between-zones"),
        pytest.param(
            "aaaaaabbbbbb", 0, [("fired", 0, 5), ("cleared", 0, 6), ("fired", 6, 11)],
            id="changing-zones-clears",
        ),
    ],
)  # fmt: skip
def test_a_stay_in_a_zone_minute_by_minute(track: str, outside_min: int, expected: list) -> None:
    assert told(track, outside_min=outside_min) == expected
    for restart in range(len(track)):
        assert told(track, outside_min=outside_min, restart=restart) == expected


def test_a_key_outside_every_zone_leaves_no_state() -> None:
    assert played("o").logic.save("v") is None
    assert played("aao").logic.save("v") is None
