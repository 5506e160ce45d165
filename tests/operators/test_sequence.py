"""sequence: every order of steps found to the minute; breaks, limits, re-arming and forgetting."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import MIN, Stage
from sequence_oracle import Declared, Ev, Want, told

from engine.operators.sequence import SequenceLogic
from engine.operators.sequence_runs import Step
from engine.operators.specs.sequence import Again, SequenceSpec, StepSpec

T0 = 1_772_409_600_000
UNTIL = 600


def compiled(want: Want, number: int) -> Step:
    def test(event: Any, names: Any) -> bool:
        if event["kind"] != want.kind:
            return False
        return not want.same or names["begun"]["number"] == event["number"]

    return Step(
        number=number,
        feed="feed",
        test=test,
        name="begun" if number == 1 else "",
        within_ms=want.within * MIN,
        times=want.times,
        asks=want.same,
    )


def stage(said: Declared, runs: int = 1000) -> Stage:
    again, rest = (
        (Again.NEVER_FOR, said.again) if isinstance(said.again, int) else (Again(said.again), 0)
    )
    spec = SequenceSpec(
        steps=tuple(
            StepSpec(
                feed="feed",
                name="begun" if number == 0 else "",
                within_ms=want.within * MIN,
                times=want.times,
                absent=want.absent,
                refers=want.same,
            )
            for number, want in enumerate(said.steps)
        ),
        within_ms=said.whole * MIN,
        strict=said.strict,
        again=again,
        rest_ms=rest * MIN,
        overlap=said.overlap,
        quiet_ms=said.quiet * MIN,
        runs=runs,
    )
    steps = [compiled(want, number) for number, want in enumerate(said.steps, start=1)]
    return Stage(
        lambda judge, host, codec: SequenceLogic(
            spec, steps, lambda _key, _event, at_ms: {"event_time": at_ms}, judge, host, codec
        )
    )


def play(
    scene: Stage, events: list[Ev], until: int = UNTIL, restarts: tuple[int, ...] = ()
) -> list[tuple[str, int, int]]:
    for number, event in enumerate(events):
        at = T0 + event.minute * MIN
        scene.timers_before(at)
        if number in restarts:
            scene.restart(["k"], at)
        scene.event("feed", "k", {"kind": event.kind, "number": event.number}, at)
    scene.timers_before(T0 + until * MIN + 1)
    return [
        (what, (since - T0) // MIN, (at - T0) // MIN) for what, _, since, at, _ in scene.judge.said
    ]


def line(text: str) -> list[Ev]:
    """`a0 b3 c9` as events; a digit after a colon is the number."""
    found = []
    for word in text.split():
        kind, _, number = word.partition(":")
        found.append(Ev(int(kind[1:]), kind[0], int(number or 0)))
    return found


A, B, C = Want("a"), Want("b"), Want("c")
NO_B = Want("b", absent=True)
AB = Declared((A, B), whole=10)
LEAK = Declared((A, NO_B), whole=30)


@pytest.mark.parametrize(
    ("said", "events", "expected"),
    [
        pytest.param(AB, "a0 b10", [("fired", 0, 10), ("cleared", 0, 10)], id="in-the-last-minute"),
        pytest.param(AB, "a0 b11", [], id="a-minute-too-late"),
        pytest.param(AB, "b0 a1", [], id="the-wrong-order"),
        pytest.param(AB, "a0 a9 b15", [("fired", 9, 15), ("cleared", 9, 15)], id="a-later-start"),
        pytest.param(
            Declared((A, B), whole=10, overlap=False), "a0 a9 b15", [], id="only-one-run-at-a-time"
        ),
        pytest.param(LEAK, "a0 b30", [], id="closed-in-the-last-minute"),
        pytest.param(LEAK, "a0 b31", [("fired", 0, 30), ("cleared", 0, 31)], id="closed-too-late"),
        pytest.param(
            Declared((A, Want("b", absent=True, within=30))),
            "a0 b30",
            [],
            id="closed-in-the-last-minute-of-its-own-time",
        ),
        pytest.param(
            Declared((A, Want("b", absent=True, within=30))),
            "a0 b31",
            [("fired", 0, 30), ("cleared", 0, 31)],
            id="closed-after-its-own-time",
        ),
        pytest.param(LEAK, "a0", [("fired", 0, 30)], id="never-closed"),
        pytest.param(LEAK, "a0 a20", [("fired", 0, 30)], id="a-second-leak-puts-nothing-off"),
        pytest.param(LEAK, "a0 b5 a20", [("fired", 20, 50)], id="a-leak-after-closing"),
        pytest.param(
            Declared((A, NO_B, C), whole=30), "a0 b5 c6", [], id="a-step-between-that-must-not-be"
        ),
        pytest.param(
            Declared((A, NO_B, C), whole=30),
            "b0 a1 c6 b7",
            [("fired", 1, 6), ("cleared", 1, 6)],
            id="outside-its-neighbours-it-may-be",
        ),
        pytest.param(
            Declared((A, Want("b", absent=True, within=5), C), whole=30),
            "a0 b6 c7",
            [("fired", 0, 7), ("cleared", 0, 7)],
            id="after-its-own-time-it-may-be",
        ),
        pytest.param(
            Declared((A, Want("b", absent=True, within=5), C), whole=30),
            "a0 b5 c7",
            [],
            id="in-the-last-minute-of-its-own-time-it-may-not",
        ),
        pytest.param(Declared((A, B), whole=10, strict=True), "a0 c1 b2", [], id="strict"),
        pytest.param(AB, "a0 c1 b2", [("fired", 0, 2), ("cleared", 0, 2)], id="relaxed"),
        pytest.param(
            Declared((A, Want("b", within=5), Want("c", within=5)), whole=8),
            "a0 b5 c9",
            [],
            id="each-in-time-but-not-the-whole",
        ),
        pytest.param(
            Declared((Want("a", times=3, within=10), B), whole=30),
            "a0 a9 a11 a12 b13",
            [("fired", 9, 13), ("cleared", 9, 13)],
            id="three-times",
        ),
        pytest.param(
            Declared((A, Want("b", same=True)), whole=10),
            "a0:1 b1:2 b2:1",
            [("fired", 0, 2), ("cleared", 0, 2)],
            id="the-same-lane",
        ),
        pytest.param(
            Declared((A, B), whole=10, again=60),
            "a0 b1 a2 b3 a61 b62",
            [("fired", 0, 1), ("cleared", 0, 1), ("fired", 61, 62), ("cleared", 61, 62)],
            id="never-for-an-hour",
        ),
        pytest.param(
            Declared((A, B), whole=10, quiet=20),
            "a0 b1 a2 b3 a22 b23",
            [("fired", 0, 1), ("cleared", 0, 21), ("fired", 22, 23), ("cleared", 22, 43)],
            id="nothing-begins-while-the-alert-is-open",
        ),
        pytest.param(
            Declared((A, B), whole=10, quiet=20, again="at-once"),
            "a0 b1 a2 b3",
            [("fired", 0, 1), ("cleared", 0, 23)],
            id="seen-again-the-alert-goes-on",
        ),
    ],
)
def test_a_sequence_as_people_say_it(said: Declared, events: str, expected: list) -> None:
    assert play(stage(said), line(events)) == expected
    assert told(said, line(events), UNTIL) == expected


def test_the_evidence_lists_each_step_with_its_time() -> None:
    scene = stage(Declared((Want("a", times=2, within=9), NO_B), whole=30))
    play(scene, line("a0 a5"), until=31)
    facts = scene.logic.life.open["k"][""].facts
    assert facts["size"] == 2
    assert facts["due"] == T0 + 30 * MIN
    assert [(step["step"], step["first"] - T0, step["at"] - T0) for step in facts["steps"]] == [
        ("begun", 0, 5 * MIN)
    ]


def test_what_ended_the_alert_is_in_its_evidence() -> None:
    scene = stage(LEAK)
    came: list[Any] = []
    judge: Any = scene.judge
    announce = judge.announce

    def look(key: str, episode: Any, *rest: Any) -> None:
        came.append(episode.facts.get("came"))
        announce(key, episode, *rest)

    judge.announce = look
    play(scene, line("a0 b31"))
    assert came[0] is None
    assert came[1]["at"] == T0 + 31 * MIN


def test_the_oldest_run_gives_way_and_that_is_told_once() -> None:
    scene = stage(Declared((A, Want("b", same=True)), whole=100), runs=2)
    said: list[tuple[str, str, int]] = []
    logic: Any = scene.logic
    logic.host.tell = lambda *trouble: said.append(trouble)
    assert play(scene, line("a0:0 a1:1 a2:2 a3:3 b4:1 b5:2"), until=50) == [
        ("fired", 2, 5),
        ("cleared", 2, 5),
    ]
    assert said == [("too-many-runs", "k: 2", T0 + 2 * MIN)]


def test_runs_that_are_equally_far_are_kept_once() -> None:
    scene = stage(Declared((A, B, C), whole=100))
    play(scene, line("a0 a1 a2 b3 a4 a5"), until=6)
    assert [run.start - T0 for run in scene.logic.keys["k"].runs] == [2 * MIN, 5 * MIN]


def test_two_sequences_of_one_instant_are_two_alerts() -> None:
    scene = stage(AB)
    parts: list[str] = []
    judge: Any = scene.judge
    announce = judge.announce

    def look(key: str, episode: Any, *rest: Any) -> None:
        parts.append(episode.part)
        announce(key, episode, *rest)

    judge.announce = look
    play(scene, line("a0 b0 a0 b0"))
    assert parts == ["", "", "1", "1"]
    assert scene.logic.size() == 0


kinds = st.sampled_from("aaabbc")
gaps = st.sampled_from([0, 0, 1, 2, 3, 3, 6, 6, 9, 12, 20])
"""Minutes between events, of which the limits of these declarations are made."""


def placed(found: list[tuple[int, str, int]]) -> list[Ev]:
    minute, events = 0, []
    for gap, kind, number in found:
        minute += gap
        events.append(Ev(minute, kind, number))
    return events


events = st.lists(st.tuples(gaps, kinds, st.integers(0, 1)), min_size=5, max_size=20).map(placed)


@st.composite
def declarations(draw: st.DrawFn) -> Declared:
    """Two to five steps, some of which must not happen, with every way to end and begin again."""
    whole = draw(st.sampled_from([0, 15, 40, 40]))
    times = draw(st.sampled_from([1, 1, 1, 2]))
    steps = [Want("a", times=times, within=draw(st.sampled_from([0, 9])) or (0 if whole else 9))]
    for _ in range(draw(st.sampled_from([1, 1, 2, 2, 3, 4]))):
        absent = draw(st.sampled_from([False, False, True]))
        steps.append(
            Want(
                draw(st.sampled_from("abbc")),
                absent,
                draw(st.sampled_from([0, 0, 6, 20])) or (0 if whole else 12),
                1 if absent else draw(st.sampled_from([1, 1, 1, 2])),
                draw(st.sampled_from([False, False, False, True])),
            )
        )
    again: list[str | int] = ["after-end", "after-end", "at-once", 30]
    return Declared(
        tuple(steps),
        whole,
        draw(st.sampled_from([False, False, False, True])),
        draw(st.sampled_from(again)),
        draw(st.sampled_from([True, True, False])),
        draw(st.sampled_from([0, 0, 10])),
    )


cases = st.tuples(declarations(), events)


@settings(max_examples=700, deadline=None)
@given(cases)
def test_every_sequence_is_found_and_no_other(case: tuple[Declared, list[Ev]]) -> None:
    said, happened = case
    assert play(stage(said), happened) == told(said, happened, UNTIL)


@settings(max_examples=300, deadline=None)
@given(cases)
def test_a_restart_before_any_event_changes_nothing(case: tuple[Declared, list[Ev]]) -> None:
    said, happened = case
    everywhere = tuple(range(len(happened)))
    assert play(stage(said), happened, restarts=everywhere) == told(said, happened, UNTIL)


@settings(max_examples=200, deadline=None)
@given(cases)
def test_memory_returns_to_nothing_once_no_alert_is_open(case: tuple[Declared, list[Ev]]) -> None:
    said, happened = case
    scene = stage(said)
    play(scene, happened, until=900)
    if "k" not in scene.logic.life.open:
        assert scene.logic.size() == 0
        assert scene.saved == {}
        assert scene.logic.save("k") is None


def test_most_cases_of_these_laws_fire() -> None:
    fired: list[bool] = []

    @settings(max_examples=300, deadline=None, database=None)
    @given(cases)
    def look(case: tuple[Declared, list[Ev]]) -> None:
        fired.append(bool(told(*case, UNTIL)))

    look()
    assert sum(fired) > 0.3 * len(fired)
