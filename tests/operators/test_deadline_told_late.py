"""deadline that retracts: what is told late gives what it would have given in time."""

import json
from dataclasses import dataclass

import law_stage
import pytest
from deadline_oracle import Seen
from deadline_stage import DAY_H, MONTH, MONTH_AND_5, at_hours, hour, stage, workdays
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import Stage

UNTIL = 150 * DAY_H


@dataclass
class Told:
    """What is left of the alerts when those that were withdrawn are struck out."""

    lasting: list[tuple[str, int, int, int]]
    withdrawn: int


def tell(scene: Stage, story: list[Seen], late: Seen | None = None, told_at: int = 0) -> Told:
    """Tell a story in order, and one of its events not before an hour of its own."""
    for seen in sorted(story, key=lambda seen: seen.hour):
        if late is not None and late.hour <= told_at < seen.hour:
            _tell_late(scene, late, told_at)
            late = None
        scene.event("feed", "k", {"role": seen.role, "amount": seen.amount}, hour(seen.hour))
        scene.restart(["k"], hour(seen.hour))
    if late is not None:
        _tell_late(scene, late, told_at)
    scene.timers_before(hour(UNTIL))
    episodes: dict[tuple[str, int], list[tuple[str, int, int, int]]] = {}
    for part, (what, _, since, at, rank) in zip(scene.judge.parts, scene.judge.said, strict=True):
        run = episodes.setdefault((part, since), [])
        run.append((what, since, at, rank))
        if what == "retracted":
            run.clear()
    withdrawn = sum(what == "retracted" for what, *_ in scene.judge.said)
    return Told(sorted(one for run in episodes.values() for one in run), withdrawn)


def _tell_late(scene: Stage, late: Seen, told_at: int) -> None:
    scene.timers_before(hour(told_at))
    handler = scene.logic.late("feed")
    assert handler is not None
    event = {"role": late.role, "amount": late.amount}
    handler("k", event, hour(late.hour), hour(told_at))
    scene.save()


def single() -> Stage:
    return stage(workdays(5), reach=10, retract=True)


def monthly() -> Stage:
    return stage(MONTH_AND_5, every=MONTH, attended=True, retract=True)


@pytest.mark.parametrize(
    ("story", "late", "told_at", "expected"),
    [
        pytest.param(
            [], Seen(9, "start"), 12 * DAY_H, [("fired", 8 * DAY_H)], id="a-late-start-fires-at-due"
        ),
        pytest.param(
            [Seen(9, "start")],
            Seen(30, "cancel"),
            12 * DAY_H,
            [("fired", 8 * DAY_H), ("retracted", 8 * DAY_H)],
            id="a-cancel-in-time-withdraws",
        ),
        pytest.param(
            [Seen(9, "start")],
            Seen(9 * DAY_H, "cancel"),
            12 * DAY_H,
            [("fired", 8 * DAY_H), ("cleared", 9 * DAY_H)],
            id="a-cancel-after-due-clears-at-its-own-time",
        ),
        pytest.param(
            [Seen(9 * DAY_H, "pay", 10)],
            Seen(9, "start"),
            12 * DAY_H,
            [("fired", 8 * DAY_H), ("cleared", 9 * DAY_H)],
            id="what-came-between-a-late-start-and-its-telling-counts-in-its-order",
        ),
        pytest.param(
            [Seen(10 * DAY_H, "start")],
            Seen(9 * DAY_H, "cancel"),
            12 * DAY_H,
            [("fired", 18 * DAY_H)],
            id="a-late-cancel-of-before-the-start-cancels-nothing",
        ),
    ],
)
def test_what_is_told_late_is_dated_by_itself(
    story: list[Seen], late: Seen, told_at: int, expected: list
) -> None:
    scene = single()
    tell(scene, story, late, told_at)
    assert at_hours([(what, at) for what, _, _, at, _ in scene.judge.said]) == expected


def test_attendance_that_is_told_after_the_due_day_raises_for_its_month() -> None:
    story = [Seen(9, "start")]
    scene = monthly()
    told = tell(scene, story, Seen(20 * DAY_H, "attend"), 60 * DAY_H)
    assert told.lasting == tell(monthly(), [*story, Seen(20 * DAY_H, "attend")]).lasting
    assert [what for what, *_ in told.lasting] == ["fired"]


def test_months_without_work_are_kept_no_longer_than_late_records_are_taken() -> None:
    scene = stage(MONTH_AND_5, every=MONTH, attended=True, retract=True, late_days=10)
    tell(scene, [Seen(9, "start")])
    assert scene.logic.keys["k"].cycles.keys() == {3, 4}


def test_what_came_before_a_start_that_never_comes_is_forgotten() -> None:
    scene = stage(MONTH_AND_5, every=MONTH, attended=True, retract=True, late_days=10)
    for day in (3, 4, 9):
        scene.event("feed", "k", {"role": "attend", "amount": 1}, hour(24 * day))
        scene.event("feed", "k", {"role": "pay", "amount": 1}, hour(24 * day + 1))
    assert len(scene.saved["k"][0][3][4]) == 6
    scene.timers_before(hour(24 * 19 + 2))
    assert scene.saved == {}
    assert scene.logic.size() == 0


def test_of_many_attendances_before_a_start_one_an_hour_is_kept() -> None:
    scene = monthly()
    for minute in range(90):
        at = hour(9) + minute * 60_000
        scene.event("feed", "k", {"role": "attend", "amount": 1}, at)
    assert len(scene.saved["k"][0][3][4]) == 2


others = st.lists(
    st.builds(
        Seen,
        hour=st.integers(0, 24 * 40),
        role=st.sampled_from(["attend", "attend", "attend", "pay", "pay", "cancel"]),
        amount=st.sampled_from([4.0, 10.0]),
    ),
    max_size=6,
    unique_by=lambda seen: seen.hour,
)


def two_cuts(make, *, days: int) -> None:
    """The same story in order, and with one event told at two other hours: the same alerts."""
    lasting: list[bool] = []
    withdrawn: list[int] = []

    @settings(max_examples=500, deadline=None)
    @given(
        others,
        st.integers(0, 10 * 24),
        st.sampled_from(["start", "cancel", "attend"]),
        st.integers(1, days * 24),
        st.tuples(st.integers(0, 60 * 24), st.integers(0, 60 * 24)),
    )
    def law(story: list[Seen], start: int, role: str, at: int, delays: tuple[int, int]) -> None:
        taken = {seen.hour for seen in story}
        began = Seen(next(h for h in range(start, 10**6) if h not in taken), "start")
        moment = next(h for h in range(began.hour + at, 10**6) if h not in taken)
        late = began if role == "start" else Seen(moment, role)
        if role == "attend":  # who pays before it is known that he owes has paid for the next
            story = [seen for seen in story if seen.role != "pay"]
        if role != "start":
            story = [seen for seen in story if seen.role != "cancel"]
        if role == "cancel":  # and what came after it was for nothing
            story = [seen for seen in story if seen.hour < late.hour]
        rest = [*story, *([] if role == "start" else [began])]
        in_time = tell(make(), [*rest, late])
        for delay in delays:
            told = tell(make(), rest, late, late.hour + delay)
            assert told.lasting == in_time.lasting
            withdrawn.append(told.withdrawn)
        lasting.append(bool(in_time.lasting))

    law()
    assert sum(lasting) > 0.3 * len(lasting)
    assert sum(withdrawn) >= 3


def test_a_single_deadline_told_in_two_cuts_gives_the_same_alerts() -> None:
    two_cuts(single, days=12)


def test_monthly_deadlines_told_in_two_cuts_give_the_same_alerts() -> None:
    two_cuts(monthly, days=60)


PAYMENTS = """
feed: readings
title: {zh: 缴存, en: Payments}
topic: feed.readings
format: json
key: project
id: [project, number, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 0s
fields:
  project: text
  number: integer
  what: text
  amount: {type: number, unit: CNY}
  at: {type: time, format: epoch-ms}
purpose: [tests]
"""
OWES = """
by: project
when:
  deadline:
    start: {feed: readings, where: what == "start"}
    within: 10h
    need: {feed: readings, where: what == "pay", sum: amount, reach: 10 CNY}
late: {allow: 30h, then: retract}
"""


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("hours", "fires"),
    [
        pytest.param([0, 2, 5, 2], True, id="told-in-time-and-again-late"),
        pytest.param([0, 5, 2, 7, 2], True, id="told-late-twice"),
        pytest.param([2, 5, 2, 0], True, id="told-again-before-the-start-is-known"),
        pytest.param([0, 2, 5, 3], False, id="another-payment-is-another-payment"),
    ],
)
def test_a_payment_that_is_told_again_is_counted_once(
    hours: list[int], fires: bool, restarted: bool
) -> None:
    lines = []
    for at_hour in hours:
        at = law_stage.T0 + at_hour * 60 * law_stage.MIN
        event = {"project": "p", "number": at_hour, "amount": 5, "at": at}
        event |= {"what": {0: "start", 5: "else", 7: "else"}.get(at_hour, "pay")}
        lines.append((at, "readings", json.dumps(event).encode()))
    cuts = range(1, len(lines))
    stage_ = law_stage.Stage(law_stage.project(PAYMENTS, {"owes": OWES}), 12 * 60 * law_stage.MIN)
    changes = stage_.run(lines, cuts, cuts if restarted else ()).changes
    assert bool(changes) is fires
