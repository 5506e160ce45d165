"""corridor: off the route, back on it, too fast or slow between posts, held against brute force."""

from itertools import pairwise
from typing import Any, Literal

import corridor_oracle as oracle
import pytest
from corridor_oracle import Fix
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import MIN, Stage

from engine.geo.distance import M_PER_DEGREE
from engine.geo.routes import Route
from engine.operators.corridor import CorridorLogic
from engine.operators.specs.corridor import CorridorSpec, Watched

WIDTH = 300.0
WAYS = {
    "bent": [(0.0, 0.0), (1000.0, 0.0), (2000.0, 0.0), (2000.0, 2000.0), (4000.0, 2000.0)],
    "there-and-back": [(0.0, 0.0), (3000.0, 0.0), (3000.0, 150.0), (0.0, 150.0)],
}
POSTS = {"bent": [0.0, 1500.0, 4000.0, 6000.0], "there-and-back": [0.0, 6150.0]}
UNTIL = 400
FORGET = 100
SILENT = 5


def degrees(x: float, y: float) -> tuple[float, float]:
    """Metres on a plane as degrees at the equator, where both are nearly the same."""
    return x / M_PER_DEGREE, y / M_PER_DEGREE


def route(name: str) -> Route:
    return Route(name, name, [degrees(*one) for one in WAYS[name]], WIDTH, POSTS[name])


ROUTES = {name: route(name) for name in WAYS}


def stage(watched: Watched, **more: Any) -> Stage:
    words: dict[str, Any] = {
        "watched": watched, "layer": "ways", "route": None, "width_m": WIDTH, "slack_m": 50.0,
        "silent_ms": SILENT * MIN, "forget_ms": FORGET * MIN,
    }  # fmt: skip
    spec = CorridorSpec(**(words | more))

    def where(event: Any) -> tuple[float | None, float | None]:
        return event["x"], event["y"]

    return Stage(
        lambda judge, host, codec: CorridorLogic(
            spec, ROUTES, lambda event, _: event["way"], {"gps": where}, None, judge, host, codec
        )
    )


def play(
    scene: Stage, fixes: list[Fix], restarts: tuple[int, ...] = (), until: int = UNTIL
) -> list[tuple[str, int]]:
    for number, fix in enumerate(fixes):
        at = fix.minute * MIN
        scene.timers_before(at)
        if number in restarts:
            scene.restart(["k"], at)
        x, y = degrees(fix.x, fix.y)
        scene.event("gps", "k", {"x": x, "y": y, "way": fix.way or None}, at)
    scene.timers_before(until * MIN + 1)
    return [(what, at // MIN) for what, _, _, at, _ in scene.judge.said]


def line(*fixes: tuple[int, float, float], way: str = "bent") -> list[Fix]:
    return [Fix(*one, way) for one in fixes]


def test_off_by_more_than_the_width_for_long_enough() -> None:
    fixes = line(*((minute, 500.0, 301.0) for minute in range(8)), (8, 500.0, 0.0))
    assert play(stage(Watched.OFF, at_least_ms=5 * MIN), fixes) == [("fired", 5), ("cleared", 8)]


def test_a_metre_less_is_on_the_route() -> None:
    fixes = line(*((minute, 500.0, 299.0) for minute in range(20)))
    scene = stage(Watched.OFF, at_least_ms=5 * MIN)
    assert play(scene, fixes) == []
    assert scene.saved == {}


def test_back_on_the_route_at_the_very_last_moment() -> None:
    fixes = line((0, 500.0, 400.0), (4, 500.0, 400.0), (5, 500.0, 0.0))
    assert play(stage(Watched.OFF, at_least_ms=5 * MIN), fixes) == []


def test_the_timer_fires_where_no_fix_is_as_long_as_the_key_is_believed_to_be_there() -> None:
    fixes = line((0, 500.0, 400.0), (4, 500.0, 400.0))
    assert play(stage(Watched.OFF, at_least_ms=9 * MIN), fixes, until=50) == [("fired", 9)]
    assert play(stage(Watched.OFF, at_least_ms=10 * MIN), fixes) == []


def test_the_anchor_is_where_it_left() -> None:
    scene = stage(Watched.OFF, at_least_ms=5 * MIN)
    play(scene, line((0, 500.0, 0.0), (1, 500.0, 400.0), (5, 900.0, 900.0)), until=20)
    facts = scene.logic.life.open["k"][""].facts
    assert facts["anchor"] == list(degrees(500.0, 400.0))
    assert facts["away"] == pytest.approx(900.0, abs=0.1)
    assert facts["route"] == "bent"


def test_an_alert_outlasts_a_gap_and_keeps_where_the_key_left() -> None:
    scene = stage(Watched.OFF, at_least_ms=5 * MIN)
    fixes = line((0, 500.0, 400.0), (5, 500.0, 400.0), (30, 900.0, 900.0))
    assert play(scene, fixes, until=32) == [("fired", 5)]
    assert scene.logic.life.open["k"][""].facts["anchor"] == list(degrees(500.0, 400.0))


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        pytest.param(999.0, [("fired", 2)], id="more-than-half-a-kilometre"),
        pytest.param(1001.0, [], id="less"),
    ],
)
def test_turning_back(x: float, expected: list[tuple[str, int]]) -> None:
    fixes = line((0, 100.0, 0.0), (1, 1500.0, 0.0), (2, x, 0.0))
    assert play(stage(Watched.BACK, by_m=500.0), fixes, until=50) == expected


def test_on_a_road_that_leads_there_and_back_the_way_home_is_no_turning_back() -> None:
    out = [(n, 500.0 * n, 20.0) for n in range(7)]
    home = [(7 + n, 3000.0 - 500.0 * n, 130.0) for n in range(7)]
    fixes = line(*out, *home, way="there-and-back")
    assert play(stage(Watched.BACK, by_m=500.0), fixes) == []


def test_a_section_taken_too_fast() -> None:
    fixes = line(*((n, 700.0 * n, 0.0) for n in range(3)), (3, 2000.0, 300.0))
    fast = stage(Watched.SECTION, faster_mps=710 / 60)  # 1500 m in 2 min 6.7 s: 710.5 m a minute
    assert play(fast, fixes) == [("fired", 3), ("cleared", 3)]
    assert play(stage(Watched.SECTION, faster_mps=711 / 60), fixes) == []


def test_a_gap_at_a_post_leaves_open_when_it_was_passed() -> None:
    fixes = line((0, 0.0, 0.0), (1, 700.0, 0.0), (7, 2000.0, 1000.0))
    assert play(stage(Watched.SECTION, faster_mps=1.0, silent_ms=5 * MIN), fixes) == []
    seen = play(stage(Watched.SECTION, faster_mps=1.0, silent_ms=6 * MIN), fixes)
    assert seen == [("fired", 7), ("cleared", 7)]


def test_jitter_at_a_post_is_no_second_entry() -> None:
    fixes = line((0, 600.0, 0.0), (1, 1510.0, 0.0), (2, 1480.0, 0.0), (3, 2000.0, 700.0))
    fixes += line((4, 2000.0, 2000.0), (5, 2300.0, 2000.0))
    limits = {"faster_mps": 1000 / 60}  # 2500 m in three minutes; in two, were it entered anew
    entered = play(stage(Watched.SECTION, **limits, slack_m=50.0), fixes)
    anew = play(stage(Watched.SECTION, **limits, slack_m=20.0), fixes)
    assert entered == []
    assert anew == [("fired", 5), ("cleared", 5)]


def test_a_section_that_is_not_left_in_time() -> None:
    fixes = line((0, 0.0, 0.0), (1, 700.0, 0.0), *((n, 800.0, 0.0) for n in range(2, 40)))
    fixes += line((40, 1600.0, 0.0))
    slow = stage(Watched.SECTION, slower_mps=1500 / 20 / 60)
    assert play(slow, fixes) == [("fired", 21), ("cleared", 40)]


@st.composite
def journeys(draw: st.DrawFn) -> list[Fix]:
    """Along a way with jitter, off it, back on it, to another or none, with gaps."""
    name: str = draw(st.sampled_from(["bent", "bent", "there-and-back"]))
    way, minute, metres, aside = WAYS[name], 0, 0.0, 13.7
    fixes: list[Fix] = []
    moves = st.tuples(
        st.sampled_from([1, 1, 1, 2, 4, 7]),
        st.sampled_from([-913.3, -311.1, -37.1, 0.0, 213.3, 617.7, 617.7, 1131.3]),
        st.sampled_from([None, None, None, 13.7, 417.3]),
        st.sampled_from([None] * 20 + ["", "bent"]),
    )
    for wait, move, side, other in draw(st.lists(moves, min_size=12, max_size=28)):
        minute += wait
        metres = min(max(metres + move, 0.0), 6100.0)
        aside = aside if side is None else side
        name = name if other is None else other
        x, y = _at(way, metres)
        fixes.append(Fix(minute, x + 0.31, y - aside if y < 100.0 else y + aside, name))
    return fixes


def _at(way: list[tuple[float, float]], metres: float) -> tuple[float, float]:
    for (ax, ay), (bx, by) in pairwise(way):
        length = abs(bx - ax) + abs(by - ay)
        if metres <= length:
            return ax + (bx - ax) * metres / length, ay + (by - ay) * metres / length
        metres -= length
    return way[-1]


Kind = Literal["off", "back", "section"]
kinds: st.SearchStrategy[Kind] = st.sampled_from(["off", "back", "section"])


def both(
    kind: Kind, fixes: list[Fix], *, gap: bool, restarts: tuple[int, ...] = ()
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    if kind == "off":
        scene = stage(Watched.OFF, at_least_ms=4 * MIN, gap_counts=gap)
        wanted = oracle.off(fixes, WAYS, WIDTH, 4, SILENT, UNTIL, FORGET, counts=gap)
    elif kind == "back":
        scene = stage(Watched.BACK, by_m=500.0)
        wanted = oracle.back(fixes, WAYS, WIDTH, 500.0)
    else:
        scene = stage(Watched.SECTION, faster_mps=500 / 60, slower_mps=120 / 60)
        wanted = []
        for trip in oracle.trips(fixes, WAYS):
            upto = [fix for fix in fixes if fix.minute <= (oracle.ended(fixes, trip) or 10**9)]
            mine = [fix for fix in upto if fix.minute >= trip[0].minute]
            posts = POSTS[trip[0].way]
            told = oracle.section(mine, WAYS, WIDTH, posts, (500.0, 120.0), SILENT, 50.0)
            end = trip[-1].minute
            over = oracle.ended(fixes, trip)
            wanted += [one for one in told if one[1] <= end or one == ("cleared", over)]
    last = fixes[-1].minute
    found = play(scene, fixes, restarts)
    if kind != "off":  # what the end of the story leaves open is cleared when the key is given up
        found = [one for one in found if one[1] <= last]
    return found, wanted


@settings(max_examples=600, deadline=None)
@given(kinds, journeys(), st.booleans())
def test_every_departure_is_found_to_the_minute_and_no_other(
    kind: Kind, fixes: list[Fix], gap: bool
) -> None:
    found, wanted = both(kind, fixes, gap=gap)
    assert found == wanted


@settings(max_examples=300, deadline=None)
@given(kinds, journeys(), st.booleans())
def test_a_restart_before_any_fix_changes_nothing(kind: Kind, fixes: list[Fix], gap: bool) -> None:
    found, wanted = both(kind, fixes, gap=gap, restarts=tuple(range(len(fixes))))
    assert found == wanted


@settings(max_examples=200, deadline=None)
@given(kinds, journeys())
def test_a_key_that_is_not_heard_of_again_is_given_up(kind: Kind, fixes: list[Fix]) -> None:
    more: dict[Kind, dict[str, Any]] = {
        "off": {"at_least_ms": MIN},
        "back": {"by_m": 500.0},
        "section": {"slower_mps": 2.0},
    }
    scene = stage(Watched(kind), **more[kind])
    play(scene, fixes)
    assert scene.logic.size() == 0
    assert scene.saved == {}
    assert scene.timers == []


def test_more_than_a_third_of_these_journeys_fire() -> None:
    fired: list[bool] = []

    @settings(max_examples=300, deadline=None, database=None)
    @given(kinds, journeys(), st.booleans())
    def look(kind: Kind, fixes: list[Fix], gap: bool) -> None:
        fired.append(bool(both(kind, fixes, gap=gap)[1]))

    look()
    assert sum(fired) > 0.3 * len(fired)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(WAYS)), st.floats(-800, 4800), st.floats(-800, 2800))
def test_the_index_finds_what_looking_at_every_leg_finds(name: str, x: float, y: float) -> None:
    found = ROUTES[name].near(*degrees(x, y))
    assert ROUTES[name].holds(*degrees(x, y)) == bool(found)
    wanted = oracle.places(WAYS[name], Fix(0, x, y, name), WIDTH)
    if abs(ROUTES[name].away(*degrees(x, y)) - WIDTH) < 1.0:
        return  # at the very edge the earth is not flat enough for this oracle
    assert [one.progress for one in found] == pytest.approx([one[0] for one in wanted], abs=0.05)
    assert [one.away for one in found] == pytest.approx([one[1] for one in wanted], abs=0.05)
