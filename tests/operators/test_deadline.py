"""deadline: due at 24:00 of the last day, met by a sum, paused, cancelled, repeated, withdrawn."""

from datetime import timedelta

import deadline_oracle as oracle
import pytest
from deadline_oracle import Seen
from deadline_stage import (
    DAY_H,
    MONTH,
    MONTH_AND_5,
    ORIGIN,
    at_hours,
    hour,
    ms,
    stage,
    workdays,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import Stage

from engine.model.period import Period, PeriodUnit
from engine.operators.specs.deadline import Warning_
from engine.ruleset.spec import Severity


def tell(scene: Stage, story: list[Seen], until: int, restart: int = -1) -> list[tuple[str, int]]:
    for number, seen in enumerate(sorted(story, key=lambda seen: seen.hour)):
        at = hour(seen.hour)
        scene.timers_before(at)
        if number == restart:
            scene.restart(["k"], at)
        scene.event("feed", "k", {"role": seen.role, "amount": seen.amount}, at)
    scene.timers_before(hour(until) + 1)
    return [(what, at) for what, _, _, at, _ in scene.judge.said]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        pytest.param([Seen(9, "start")], [("fired", 8 * DAY_H)], id="unmet-fires-at-24-of-day-5"),
        pytest.param(
            [Seen(9, "start"), Seen(8 * DAY_H, "pay", 10)], [], id="at-24-exactly-is-in-time"
        ),
        pytest.param(
            [Seen(9, "start"), Seen(8 * DAY_H + 1, "pay", 10)],
            [("fired", 8 * DAY_H), ("cleared", 8 * DAY_H + 1)],
            id="an-hour-late-fires-and-clears",
        ),
        pytest.param(
            [Seen(9, "start"), Seen(30, "pay", 9)], [("fired", 8 * DAY_H)], id="one-short-fires"
        ),
        pytest.param(
            [Seen(1, "pay", 10), Seen(9, "start")], [], id="what-was-paid-before-the-start-counts"
        ),
        pytest.param([Seen(9, "start"), Seen(20, "cancel")], [], id="cancelled-is-not-due"),
        pytest.param(
            [Seen(9, "start"), Seen(30, "start"), Seen(33, "start")],
            [("fired", 8 * DAY_H)],
            id="a-start-sent-again-does-not-restart",
        ),
        pytest.param(
            [Seen(9, "start"), Seen(24 + 9, "pause"), Seen(3 * 24 + 9, "resume")],
            [("fired", 10 * DAY_H)],
            id="two-working-days-of-pause-move-it-by-two",
        ),
    ],
)
def test_a_deposit_within_five_working_days(story: list[Seen], expected: list) -> None:
    assert at_hours(tell(stage(workdays(5), reach=10), story, 60 * DAY_H)) == expected


def test_warnings_and_overdue_levels_climb() -> None:
    scene = stage(
        workdays(5), reach=10, warnings=(Warning_(workdays(2), Severity.BLUE),),
        overdue=((workdays(10), Severity.ORANGE),),
    )  # fmt: skip
    tell(scene, [Seen(9, "start")], 60 * DAY_H)
    said = [
        (what, (at - ms(ORIGIN)) / 86_400_000, rank) for what, _, _, at, rank in scene.judge.said
    ]
    assert said == [("fired", 4, 1), ("raised", 8, 2), ("raised", 22, 3)]


def test_each_month_with_attendance_owes_a_payment() -> None:
    """March attended and paid, April attended and unpaid, May not attended, June unpaid."""
    story = [Seen(9, "start")]
    story += [Seen(24 * day, "attend") for day in (5, 40, 100)]
    story += [Seen(24 * 20, "pay")]
    scene = stage(
        Period(((1, PeriodUnit.MONTHS), (5, PeriodUnit.WORKDAYS))), every=MONTH, attended=True
    )
    told = at_hours(tell(scene, story, 24 * 150))
    assert [what for what, _ in told] == ["fired", "fired"]
    days = [ORIGIN + timedelta(hours=hours) for _, hours in told]
    assert [day.date().isoformat() for day in days] == ["2026-05-09", "2026-07-10"]


def test_a_late_payment_clears_the_oldest_month_first() -> None:
    story = [Seen(9, "start"), Seen(24 * 5, "attend"), Seen(24 * 40, "attend")]
    story += [Seen(24 * 75, "pay")]
    scene = stage(
        Period(((1, PeriodUnit.MONTHS), (5, PeriodUnit.WORKDAYS))), every=MONTH, attended=True
    )
    tell(scene, story, 24 * 150)
    parts = [(what, since) for what, _, since, _, _ in scene.judge.said]
    assert [what for what, _ in parts] == ["fired", "fired", "cleared"]
    assert parts[2][1] == parts[0][1]


def test_a_late_record_of_a_payment_in_time_withdraws_the_alert() -> None:
    scene = stage(workdays(5), reach=10, retract=True)
    tell(scene, [Seen(9, "start")], 9 * DAY_H)
    late = scene.logic.late("feed")
    assert late is not None
    late("k", {"role": "pay", "amount": 10}, hour(50), hour(9 * DAY_H))
    assert [what for what, *_ in scene.judge.said] == ["fired", "retracted"]


def test_a_key_of_the_roster_starts_without_an_event() -> None:
    scene = stage(workdays(5), reach=10, roster=(("k", hour(9), {"contract_sum": 5.0}),))
    scene.timers_before(hour(60 * DAY_H))
    assert [(what, at) for what, _, _, at, _ in scene.judge.said] == [("fired", hour(8 * DAY_H))]


def test_a_payment_that_was_late_itself_clears_and_does_not_withdraw() -> None:
    scene = stage(workdays(5), reach=10, retract=True)
    tell(scene, [Seen(9, "start")], 12 * DAY_H)
    late = scene.logic.late("feed")
    assert late is not None
    late("k", {"role": "pay", "amount": 10}, hour(9 * DAY_H), hour(12 * DAY_H))
    assert [what for what, *_ in scene.judge.said] == ["fired", "cleared"]


def test_a_payment_in_time_after_a_warning_clears_it() -> None:
    warned = (Warning_(workdays(2), Severity.BLUE),)
    scene = stage(workdays(5), reach=10, warnings=warned, retract=True)
    told = tell(scene, [Seen(9, "start"), Seen(5 * DAY_H, "pay", 10)], 20 * DAY_H)
    assert at_hours(told) == [("fired", 4 * DAY_H), ("cleared", 5 * DAY_H)]


def test_a_rule_that_does_not_retract_takes_no_late_records() -> None:
    assert stage(workdays(5)).logic.late("feed") is None


@pytest.mark.parametrize(
    ("attended", "late", "expected"),
    [
        pytest.param([40], [], ["2026-05-09"], id="april-owes-for-april-only"),
        pytest.param([], [], [], id="nobody-worked"),
        pytest.param([], [20], ["2026-04-10"], id="late-attendance-counts-in-its-own-month"),
    ],
)
def test_attendance_counts_in_its_own_month(
    attended: list[int], late: list[int], expected: list[str]
) -> None:
    scene = stage(MONTH_AND_5, every=MONTH, attended=True, retract=True)
    tell(scene, [Seen(9, "start"), *[Seen(24 * day, "attend") for day in attended]], 24 * 33)
    handler = scene.logic.late("feed")
    assert handler is not None
    for day in late:
        handler("k", {"role": "attend", "amount": 1}, hour(24 * day), hour(24 * 33))
    scene.timers_before(hour(24 * 100))
    days = [ORIGIN + timedelta(hours=hours) for _, hours in
            at_hours([(what, at) for what, _, _, at, _ in scene.judge.said])]  # fmt: skip
    assert [day.date().isoformat() for day in days] == expected


def test_months_that_were_paid_are_forgotten() -> None:
    scene = stage(MONTH_AND_5, every=MONTH)
    story = [Seen(9, "start"), *[Seen(24 * (15 + 30 * month), "pay") for month in range(8)]]
    assert tell(scene, story, 24 * 235) == []
    assert scene.logic.keys["k"].cycles.keys() == {7}


def test_a_pause_moves_only_what_had_begun_and_holds_every_alert_back() -> None:
    """Paused from 25 March to 15 April: March moves by the pause, April by its part of it."""
    story = [Seen(9, "start"), Seen(24 * 23, "pause"), Seen(24 * 44, "resume")]
    days = Period(((42, PeriodUnit.DAYS),))
    for restart in (-1, 1, 2):
        told = at_hours(tell(stage(days, every=MONTH), story, 24 * 95, restart))
        assert [hours / 24 for _, hours in told] == [43 + 21, 32 + 42 + 12]


def test_nothing_fires_during_a_pause_whatever_comes_in() -> None:
    story = [Seen(9, "start"), Seen(24, "pause"), Seen(24 * 14, "pay", 1), Seen(24 * 15, "resume")]
    assert at_hours(tell(stage(workdays(5), reach=10), story, 24 * 17)) == []


def test_a_payment_after_a_month_without_work_is_for_the_next() -> None:
    story = [Seen(9, "start"), Seen(24 * 33, "attend"), Seen(24 * 34, "pay")]
    assert tell(stage(MONTH_AND_5, every=MONTH, attended=True), story, 24 * 80) == []


def test_a_pause_that_is_told_twice_began_the_first_time() -> None:
    story = [Seen(9, "start"), Seen(24, "pause"), Seen(48, "pause"), Seen(72, "resume")]
    for restart in (-1, 1, 2, 3):
        told = at_hours(tell(stage(workdays(5), reach=10), story, 24 * 40, restart))
        assert told == [("fired", 10 * DAY_H)]


def test_a_single_deadline_is_remembered_for_a_year_and_then_forgotten() -> None:
    scene = stage(workdays(5), reach=10)
    story = [Seen(9, "start"), Seen(24, "pay", 10), Seen(24 * 300, "start")]
    assert tell(scene, story, 24 * 400) == []
    scene.timers_before(hour(24 * 410))
    assert scene.logic.save("k") is None


@pytest.mark.parametrize("restarted", [False, True])
def test_an_alert_that_nobody_ends_needs_no_timer_and_is_forgotten_when_it_ends(
    restarted: bool,
) -> None:
    """It once asked for a timer each millisecond, from the day on which it could be forgotten."""
    scene = stage(workdays(5), reach=10)
    assert tell(scene, [Seen(9, "start")], 24 * 500) == [("fired", hour(24 * 8))]
    if restarted:
        scene.restart(["k"], hour(24 * 500))
    assert scene.timers == []
    assert scene.logic.save("k") is not None
    scene.event("feed", "k", {"role": "pay", "amount": 10.0}, hour(24 * 600))
    assert scene.judge.said[-1][0] == "cleared"
    assert scene.logic.save("k") is None
    assert scene.timers == []


stories = st.lists(
    st.builds(
        Seen,
        hour=st.integers(0, 24 * 20),
        role=st.sampled_from(["start", "start", "pay", "pay", "pay", "cancel"]),
        amount=st.sampled_from([3.0, 4.0, 10.0]),
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda seen: seen.hour,
)


def test_single_deadlines_are_those_that_brute_force_finds() -> None:
    fired: list[bool] = []

    @settings(max_examples=500, deadline=None)
    @given(stories, st.integers(1, 12))
    def law(story: list[Seen], days: int) -> None:
        until = ORIGIN + timedelta(days=40)
        expected = [(what, ms(at)) for what, at in oracle.single(story, ORIGIN, days, 10, until)]
        assert tell(stage(workdays(days), reach=10), story, 24 * 40) == expected
        fired.append(bool(expected))

    law()
    assert sum(fired) > 0.3 * len(fired)


@settings(max_examples=500, deadline=None)
@given(stories, st.integers(1, 12), st.integers(0, 7), st.booleans())
def test_a_restart_anywhere_changes_nothing(
    story: list[Seen], days: int, where: int, monthly: bool
) -> None:
    every = MONTH if monthly else None
    plain = tell(stage(workdays(days), reach=10, every=every), story, 24 * 90)
    assert tell(stage(workdays(days), reach=10, every=every), story, 24 * 90, where) == plain


@pytest.mark.parametrize("restart", [-1, 1, 2, 3, 4])
def test_a_pause_before_a_weekend_adds_no_extra_days(restart: int) -> None:
    """Two days from Thursday the 12th end on Saturday, with two days of pauses on Monday."""
    story = [Seen(DAY_H * 10, "start"), Seen(DAY_H * 11, "pause"), Seen(DAY_H * 12, "resume")]
    story += [Seen(DAY_H * 13, "pause"), Seen(DAY_H * 14, "resume")]
    scene = stage(Period(((2, PeriodUnit.DAYS),)))
    assert at_hours(tell(scene, story, DAY_H * 40, restart)) == [("fired", DAY_H * 15)]
