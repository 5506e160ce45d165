"""silence: due to the minute, in hours that count, expected by a roster, withdrawn, given up."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import MIN, Stage
from silence_oracle import told as oracle

from engine.model.calendar import WorkCalendar
from engine.model.period import Period, PeriodUnit
from engine.model.worktime import WorkTime
from engine.operators.silence import FOREVER, SilenceLogic, Stint
from engine.operators.specs.silence import SilenceSpec

T0 = 1_772_409_600_000  # 2026-03-02 00:00 UTC, a Monday
NIGHT_OFF = WorkTime(WorkCalendar("all", date.min, date.max, weekends=False), ((60, 300),), "UTC")
"""Of each day the minutes 60 to 300 count."""

Stints = list[tuple[int, int]]


def stage(
    at_least: int,
    stints: Stints | None = None,
    *,
    forget: int = 10_000,
    during: WorkTime | None = None,
    retract: bool = False,
) -> Stage:
    spec = SilenceSpec(
        Period(((at_least * MIN, PeriodUnit.MS),)),
        forget_ms=0 if stints is not None else forget * MIN,
        retract=retract,
    )

    def after(start: int) -> int:
        return start + at_least * MIN if during is None else during.after(start, at_least * MIN)

    roster = None
    if stints is not None:
        roster = {"k": [Stint(T0 + a * MIN, min(T0 + b * MIN, FOREVER)) for a, b in stints]}
    return Stage(lambda judge, host, codec: SilenceLogic(spec, after, roster, judge, host, codec))


def tell(scene: Stage, events: list[int], until: int, restarts: tuple[int, ...] = ()) -> list:
    for minute in sorted(set(events)):
        at = T0 + minute * MIN
        scene.timers_before(at)
        if minute in restarts:
            scene.restart(["k"], at)
        scene.event("feed", "k", {"m": minute}, at)
    scene.timers_before(T0 + until * MIN + 1)
    return [(what, (at - T0) // MIN) for what, _, _, at, _ in scene.judge.said]


def test_an_event_exactly_at_the_due_instant_is_in_time() -> None:
    assert tell(stage(60), [0, 60, 120], 170) == []


def test_an_event_a_minute_later_comes_too_late() -> None:
    assert tell(stage(60), [0, 61], 100) == [("fired", 60), ("cleared", 61)]


def test_a_key_of_the_roster_is_missed_though_never_seen() -> None:
    assert tell(stage(60, [(10, 500)]), [], 600) == [("fired", 70), ("cleared", 500)]


def test_a_key_that_is_not_on_the_roster_is_nobody() -> None:
    scene = stage(60, [(0, 500)])
    scene.event("feed", "stranger", {}, T0)
    assert "stranger" not in scene.logic.keys


def test_a_key_that_never_comes_back_is_given_up_and_leaves_no_memory() -> None:
    scene = stage(60, forget=300)
    assert tell(scene, [0], 400) == [("fired", 60), ("cleared", 300)]
    assert scene.logic.size() == 0
    assert scene.logic.save("k") is None


def test_hours_that_do_not_count_put_the_due_instant_off() -> None:
    assert tell(stage(60, during=NIGHT_OFF), [290], 1440 + 200) == [("fired", 1440 + 110)]


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param(30, [("fired", 60), ("retracted", 60), ("fired", 90)], id="before-due"),
        pytest.param(60, [("fired", 60), ("retracted", 60), ("fired", 120)], id="at-due"),
        pytest.param(61, [("fired", 60), ("cleared", 61), ("fired", 121)], id="a-minute-after-due"),
        pytest.param(75, [("fired", 60), ("cleared", 75)], id="after-due"),
        pytest.param(-5, [("fired", 60)], id="older-than-the-last-event"),
    ],
)
def test_a_late_event_is_set_right_by_its_own_time(late: int, expected: list) -> None:
    scene = stage(60, retract=True)
    assert tell(scene, [0], 80) == [("fired", 60)]
    handler = scene.logic.late("feed")
    assert handler is not None
    handler("k", {"m": late}, T0 + late * MIN, T0 + 80 * MIN)
    scene.timers_before(T0 + 130 * MIN)
    assert [(what, (at - T0) // MIN) for what, _, _, at, _ in scene.judge.said] == expected


def test_without_retract_late_events_are_not_listened_to() -> None:
    assert stage(60).logic.late("feed") is None


minutes = st.lists(st.integers(0, 900), max_size=14)


@st.composite
def rosters(draw: st.DrawFn) -> Stints | None:
    """No roster, or stints that do not overlap."""
    if draw(st.booleans()):
        return None
    edges = sorted(set(draw(st.lists(st.integers(0, 900), min_size=2, max_size=6))))
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)] or [(5, 800)]


cases = st.tuples(minutes, rosters(), st.sampled_from([20, 60, 150]), st.booleans())


def both(case: tuple, restarts: tuple[int, ...] = ()) -> tuple[list, list]:
    events, stints, at_least, hours = case
    during = NIGHT_OFF if hours else None
    scene = stage(at_least, stints, forget=600, during=during)
    expected = oracle(
        sorted(set(events)),
        stints,
        lambda m: not hours or 60 <= m % 1440 < 300,
        at_least,
        600,
        1000,
    )
    return tell(scene, events, 1000, restarts), expected


@settings(max_examples=500, deadline=None)
@given(cases)
def test_every_silence_is_found_to_the_minute_and_no_other(case: tuple) -> None:
    found, expected = both(case)
    assert found == expected


@settings(max_examples=200, deadline=None)
@given(cases)
def test_a_restart_before_any_event_changes_nothing(case: tuple) -> None:
    found, expected = both(case, restarts=tuple(case[0]))
    assert found == expected


def lasting(said: list) -> list:
    """What is left of what was told when the alerts that were withdrawn are struck out."""
    runs: dict[int, list] = {}
    for what, _, since, at, _ in said:
        runs.setdefault(since, []).append((what, (at - T0) // MIN))
        if what == "retracted":
            runs[since].clear()
    return sorted(one for run in runs.values() for one in run)


def tell_late(scene: Stage, story: list[tuple[int, int]], until: int) -> list:
    """Tell each event of a story at a place of its own, not before the one that came before it."""
    told = T0
    for minute, delay in story:
        at = T0 + minute * MIN
        told = max(told, at + delay * MIN)
        scene.timers_before(told)
        if told > at:
            handler = scene.logic.late("feed")
            assert handler is not None
            handler("k", {"m": minute}, at, told)
            scene.save()
        else:
            scene.event("feed", "k", {"m": minute}, at)
        scene.restart(["k"], told)
    scene.timers_before(T0 + until * MIN + 1)
    return lasting(scene.judge.said)


stories = st.lists(
    st.tuples(st.integers(0, 900), st.sampled_from([0, 0, 5, 30, 90, 200])),
    min_size=1,
    max_size=10,
    unique_by=lambda one: one[0],
).map(sorted)
late_cases = st.tuples(stories, st.booleans(), st.sampled_from([20, 60, 150]), st.booleans())


def test_a_report_told_late_leaves_the_alerts_that_it_would_have_left_in_time() -> None:
    fired: list[bool] = []
    withdrawn: list[bool] = []

    @settings(max_examples=500, deadline=None)
    @given(late_cases)
    def law(case: tuple) -> None:
        story, rostered, at_least, hours = case
        cuts = []
        for told in (story, [(minute, 0) for minute, _ in story]):
            during = NIGHT_OFF if hours else None
            stints = [(0, 2500)] if rostered else None
            scene = stage(at_least, stints, forget=2500, during=during, retract=True)
            cuts.append(tell_late(scene, told, 2000))
            withdrawn.append(any(what == "retracted" for what, *_ in scene.judge.said))
        assert cuts[0] == cuts[1]
        fired.append(bool(cuts[0]))

    law()
    assert sum(fired) > 0.3 * len(fired)
    assert sum(withdrawn) > 0.1 * len(withdrawn)


@settings(max_examples=100, deadline=None)
@given(minutes)
def test_without_a_roster_memory_returns_to_nothing(events: list[int]) -> None:
    scene = stage(20, forget=200)
    tell(scene, events, 2000)
    assert scene.logic.size() == 0
    assert scene.timers == []


def test_most_cases_of_these_laws_fire() -> None:
    fired: list[bool] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(cases)
    def look(case: tuple) -> None:
        fired.append(bool(both(case)[0]))

    look()
    assert sum(fired) > 0.3 * len(fired)
