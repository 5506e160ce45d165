"""When the stream proves a matter over: after the end, once `verify` has held for its duration."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import MIN, Stage

from engine.alerts.lifecycle import Life
from engine.alerts.proof import GIVE_UP_MS
from engine.operators.base import Host

HOLD = 10
"""Minutes that `verify` has to hold in these tests."""


class Switch:
    """The simplest operator: an event says itself whether the condition holds."""

    def __init__(self, judge: Any, host: Host, codec: Any) -> None:
        self.life = Life(judge, host, codec)
        self.keys: dict[str, Any] = {}

    def handler(self, _feed: str) -> Any:
        def take(key: str, event: Any, at_ms: int) -> None:
            if event["on"]:
                self.life.hold(key, at_ms, at_ms, event, {"feed": "f"})
            else:
                self.life.gone(key, at_ms, event)

        return take

    def on_timer(self, key: str, at_ms: int) -> None:
        self.life.on_timer(key, at_ms)

    def begin(self, since_ms: int) -> None:
        pass

    def save(self, key: str) -> Any:
        return self.life.save(key) or None

    def load(self, key: str, saved: Any) -> None:
        self.life.load(key, saved)

    def size(self) -> int:
        return len(self.keys)


def staged(keep_min: int = 0, hold_min: int = HOLD) -> Stage:
    def make(judge: Any, host: Host, codec: Any) -> Switch:
        judge.verify_ms, judge.keep_ms = hold_min * MIN, keep_min * MIN
        judge.verify = lambda event: event["far"]
        return Switch(judge, host, codec)

    return Stage(make)


LETTERS = {
    "#": {"on": True, "far": False},
    "+": {"on": True, "far": True},
    ".": {"on": False, "far": False},
    "v": {"on": False, "far": True},
    "?": {"on": False, "far": None},
}


def told(stage: Stage) -> list[tuple[str, int]]:
    return [(what, at_ms // MIN) for what, _, _, at_ms, _ in stage.judge.said]


def live(story: str, stage: Stage | None = None, restarts: tuple[int, ...] = ()) -> Stage:
    """One letter a minute: # alert, + alert and away, . ended, v ended and away, ? not known."""
    stage = stage or staged()
    for minute, letter in enumerate(story):
        if minute in restarts:
            stage.timers_before(minute * MIN)
            stage.restart(list(stage.saved), minute * MIN)
        if letter != " ":
            stage.event("f", "k", LETTERS[letter], minute * MIN)
    stage.timers_before(len(story) * MIN)
    return stage


@pytest.mark.parametrize(
    ("story", "proved"),
    [
        pytest.param("#vvvvvvvvvvvv", [11], id="away-from-the-end-on"),
        pytest.param("#v           ", [11], id="also-when-nothing-more-is-heard"),
        pytest.param("#vvvvvvvvvv.v", [], id="back-at-the-last-instant"),
        pytest.param("#vvvvvvvvvvv.", [11], id="back-a-minute-too-late"),
        pytest.param("#....vvvvvvvvvvvv", [15], id="away-only-later"),
        pytest.param("#vvvvv.vvvvvvvvvvvv", [17], id="away-anew"),
        pytest.param("#v??????????????", [11], id="what-is-not-known-disproves-nothing"),
        pytest.param("#++++++++++++++v", [15], id="away-long-before-the-end"),
        pytest.param("#++++++++++++++.v", [], id="no-longer-away-when-it-ends"),
        pytest.param("#+++++vvvvvvvvvvvv", [11], id="away-before-and-after-the-end"),
        pytest.param("#vvv#vvvvvvvvvvvvvv", [15, 15], id="two-alerts-are-proved-by-one-absence"),
        pytest.param(".vvvvvvvvvvvvvvvv", [], id="no-alert-no-proof"),
    ],
)
def test_a_matter_is_proved_over(story: str, proved: list[int]) -> None:
    stage = live(story)
    assert [at for what, at in told(stage) if what == "verified"] == proved


def test_the_end_comes_first() -> None:
    assert told(live("#vvvvvvvvvvvv")) == [("fired", 0), ("cleared", 1), ("verified", 11)]


def test_what_must_not_hold_for_any_time_is_proved_by_one_event() -> None:
    assert told(live("#..v", staged(hold_min=0)))[-1] == ("verified", 3)


def test_a_withdrawn_alert_is_not_proved_over() -> None:
    stage = live("#")
    stage.logic.life.retract("k", MIN, None)
    stage.save()
    assert told(live(" vvvvvvvvvvvvvvv", stage)) == [("fired", 0), ("retracted", 1)]
    assert stage.saved == {}


def test_a_proof_that_does_not_come_is_waited_for_a_day() -> None:
    stage = live("#.")
    ends = MIN + HOLD * MIN + GIVE_UP_MS
    stage.timers_before(ends)
    assert stage.saved
    stage.timers_before(ends + 1)
    assert stage.saved == {}
    assert told(stage)[-1] == ("cleared", 1)


def test_nothing_is_kept_after_the_proof() -> None:
    stage = live("#vvvvvvvvvvvvvv")
    stage.timers_before(GIVE_UP_MS * 2)
    assert stage.saved == {}
    assert stage.logic.life.proofs is not None
    assert stage.logic.life.proofs.keys == {}


def proofs_of(story: str, keep: int) -> list[int]:
    """The same, minute by minute and without any of our code: when each alert is proved over."""
    found: list[int] = []
    alerts: list[dict[str, int | None]] = []
    is_open, gone = False, None
    for minute in range(len(story) + 2 * HOLD):
        letter = story[minute] if minute < len(story) else " "
        far = {"v": True, "+": True, "#": False, ".": False}.get(letter)
        for alert in alerts:
            if far is False:
                alert["away"] = None
            elif far and alert["away"] is None:
                alert["away"] = minute
        if letter in "#+":
            gone = None
            if not is_open:
                is_open = True
                alerts.append({"away": None, "over": None})
        elif letter in ".v?" and is_open and gone is None:
            gone = minute
        if is_open and gone is not None and minute >= gone + keep:
            is_open, gone = False, None
            alerts[-1]["over"] = minute
        for alert in list(alerts):
            over, away = alert["over"], alert["away"]
            if over is not None and away is not None and minute >= max(away + HOLD, over):
                found.append(minute)
                alerts.remove(alert)
    return found


@settings(max_examples=300, deadline=None)
@given(
    story=st.lists(
        st.tuples(st.sampled_from("#+.v?v v"), st.integers(1, 9)), min_size=1, max_size=12
    ).map(lambda runs: "".join(letter * times for letter, times in runs)),
    keep=st.sampled_from([0, 3]),
    restarts=st.lists(st.integers(0, 60), max_size=3).map(tuple),
)
def test_it_agrees_with_counting_minute_by_minute_also_over_restarts(
    story: str, keep: int, restarts: tuple[int, ...]
) -> None:
    stage = live(story, staged(keep), restarts)
    stage.timers_before((len(story) + 2 * HOLD) * MIN)
    proved = [at for what, at in told(stage) if what == "verified"]
    assert proved == proofs_of(story, keep)
    plain = live(story, staged(keep))
    plain.timers_before((len(story) + 2 * HOLD) * MIN)
    assert plain.judge.said == stage.judge.said
