"""correlate: k of n, a condition, a score that fades; alerts count while they are open."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from correlate_oracle import Event
from correlate_oracle import told as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import Stage

from engine.operators.correlate import CorrelateLogic, SignalTest
from engine.operators.specs.correlate import CorrelateSpec, Signal

T0 = 1_772_409_600_000
MIN = 1  # a minute of these stories is a millisecond, so that the oracle misses none between
WITHIN = {"a": 20, "b": 35, "c": 15, "r": 10}
WEIGHT = {"a": 1.0, "b": 2.0, "c": 4.0, "r": 3.0}
NAMES = list(WITHIN)


def signals() -> tuple[Signal, ...]:
    return tuple(
        Signal(name, "alerts" if name == "r" else "feed", None, "r" * (name == "r"),
               WEIGHT[name], WITHIN[name] * MIN)
        for name in NAMES
    )  # fmt: skip


def test_of(number: int) -> SignalTest:
    name = NAMES[number]
    if name == "r":
        return SignalTest(number, "r", None, None)
    return SignalTest(number, "", lambda e, _x: e.name == name, None)


test_of.__test__ = False  # type: ignore[attr-defined]


def stage(**way: Any) -> Stage:
    condition = way.pop("condition", None)
    stands: Any = object() if condition else None
    spec = CorrelateSpec(signals(), condition=stands, **way)
    tests = {"feed": [test_of(n) for n in range(3)], "alerts": [test_of(3)]}
    return Stage(
        lambda judge, host, codec: CorrelateLogic(spec, tests, condition, judge, host, codec)
    )


def tell(
    scene: Stage, events: list[Event], until: int, restarts: tuple[int, ...] = ()
) -> list[tuple[str, int]]:
    for minute, name, what in sorted(events, key=lambda event: event[0]):
        at = T0 + minute * MIN
        scene.timers_before(at)
        if minute in restarts:
            scene.restart(["k"], at)
        event = SimpleNamespace(name=name, rule=name, transition=what)
        scene.event("alerts" if name == "r" else "feed", "k", event, at)
    scene.timers_before(T0 + until * MIN + 1)
    return [(what, (at - T0) // MIN) for what, _, _, at, _ in scene.judge.said]


def test_two_of_four_fire_until_the_first_of_them_is_over() -> None:
    assert tell(stage(at_least=2), [(0, "a", "seen"), (5, "b", "seen")], 60) == [
        ("fired", 5), ("cleared", 20),
    ]  # fmt: skip


def test_a_signal_that_is_just_over_counts_no_more() -> None:
    assert tell(stage(at_least=2), [(0, "a", "seen"), (20, "b", "seen")], 60) == []


def test_a_signal_that_comes_again_counts_once_from_its_newest_time() -> None:
    events = [(0, "a", "seen"), (9, "a", "seen"), (10, "b", "seen")]
    assert tell(stage(at_least=2), events, 60) == [("fired", 10), ("cleared", 29)]


def test_an_alert_counts_while_it_is_open_and_a_while_after() -> None:
    events = [(0, "r", "fired"), (50, "b", "seen"), (60, "r", "cleared")]
    assert tell(stage(at_least=2), events, 120) == [("fired", 50), ("cleared", 70)]


def test_the_end_of_an_alert_that_was_never_seen_is_no_signal() -> None:
    scene = stage(at_least=1)
    assert tell(scene, [(0, "r", "cleared")], 30) == []
    assert scene.logic.size() == 0


def test_a_score_that_fades_clears_at_the_instant_it_is_too_small() -> None:
    scene = stage(reach=4.0, half_life_ms=10 * MIN)
    assert tell(scene, [(0, "b", "seen"), (0, "c", "seen")], 60) == [
        ("fired", 0),
        ("cleared", 6),
    ]  # 6 * 0.5 ** 0.585 is 4


def test_the_contributions_are_itemised() -> None:
    scene = stage(reach=3.0)
    scene.event("feed", "k", SimpleNamespace(name="b", rule="", transition=""), T0)
    scene.event("alerts", "k", SimpleNamespace(name="", rule="r", transition="fired"), T0 + MIN)
    episode = scene.logic.life.find("k")
    assert episode is not None
    facts = episode.facts
    assert (facts["size"], facts["value"], facts["seen"]) == (2, 5.0, "b, r")
    assert [(item["name"], item["worth"], item["open"]) for item in facts["signals"]] == [
        ("b", 2.0, False), ("r", 3.0, True),
    ]  # fmt: skip


def test_signals_end_with_an_alert_that_the_rule_cleared() -> None:
    scene = stage(at_least=2)
    scene.judge.has_clear = True
    scene.judge.clear = lambda event: event.transition == "stop"
    scene.logic.life.listens = True
    tell(scene, [(0, "a", "seen"), (1, "b", "seen")], 2)
    scene.event("feed", "k", SimpleNamespace(name="", rule="", transition="stop"), T0 + 3 * MIN)
    assert [what for what, *_ in scene.judge.said] == ["fired", "cleared"]
    assert scene.logic.size() == 0


WAYS: dict[str, Any] = {
    "two-of-four": ({"at_least": 2}, lambda counts, _m: len(counts) >= 2),
    "one-of-four": ({"at_least": 1}, lambda counts, _m: len(counts) >= 1),
    "a-condition": (
        {"condition": lambda _e, x: (x["a"] or x["r"]) and not x["c"]},
        lambda counts, _m: ("a" in counts or "r" in counts) and "c" not in counts,
    ),
    "a-score": (
        {"reach": 5.0},
        lambda counts, _m: sum(WEIGHT[name] for name in counts) >= 5.0,
    ),
    "a-score-that-fades": ({"reach": 4.0, "half_life_ms": 16 * MIN}, None),
}


def fades(counts: Mapping[str, int | None], minute: int) -> bool:
    return (
        sum(
            WEIGHT[name] * (1 if at is None else 0.5 ** ((minute - at) / 16))
            for name, at in counts.items()
        )
        >= 4.0
    )


events = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.sampled_from(NAMES),
        st.sampled_from(["seen", "fired", "fired", "cleared"]),
    ).map(
        lambda e: (
            (e[0], e[1], "seen") if e[1] != "r" else (e[0], "r", e[2].replace("seen", "fired"))
        )
    ),
    max_size=14,
).map(lambda found: sorted(found, key=lambda event: event[0]))


def both(way: str, story: list[Event], restarts: tuple[int, ...] = ()) -> tuple[list, list]:
    words, is_enough = WAYS[way]
    expected = oracle(story, WITHIN, is_enough or fades, 200)
    found = tell(stage(**words), story, 200, restarts)
    return found, expected


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=150, deadline=None)
@given(story=events)
def test_every_coincidence_is_found_and_no_other(way: str, story: list[Event]) -> None:
    found, expected = both(way, story)
    assert found == expected


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(story=events)
def test_a_restart_before_any_event_changes_nothing(way: str, story: list[Event]) -> None:
    found, expected = both(way, story, restarts=tuple(minute for minute, *_ in story))
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(story=events)
def test_memory_returns_to_nothing(story: list[Event]) -> None:
    scene = stage(at_least=2)
    tell(scene, [*story, (125, "r", "cleared")], 400)
    assert scene.logic.size() == 0
    assert scene.timers == []


def test_most_stories_of_these_laws_fire() -> None:
    fired: list[bool] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(story=events)
    def look(story: list[Event]) -> None:
        fired.append(bool(both("two-of-four", story)[0]))

    look()
    assert sum(fired) > 0.3 * len(fired)
