"""Rules over rules: what key spaces hand to each other obeys the laws of streaming too."""

import random

from chain_world import program
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import MIN, T0, Line, fix, payment

from engine.model.change import Change
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

LATENESS = 5 * MIN

cars = st.sampled_from(["a", "b", "c"])
moves = st.tuples(
    cars,
    st.sampled_from([0.5, 1, 2, 3, 6]),
    st.sampled_from([0, 0, 0, 1, 3, 5]),
    st.sampled_from([0, 0, 0, 2, 30, 90, 95]),
)


@st.composite
def worlds(draw: st.DrawFn) -> list[Line]:
    """Cars that stand, race and drive off, often enough that rules over rules have work."""
    clock, place, lines = dict.fromkeys("abc", 0.0), dict.fromkeys("abc", 0), []
    for car in "ab":
        stands = draw(st.integers(6, 26))
        lines += [fix(minute, car, 0, 0) for minute in range(stands)]
        lines += [fix(stands + 1 + n / 2, car, 40 + 40 * n, 95) for n in range(3)]
        clock[car], place[car] = stands + 3.0, 160
    for car, wait, where, speed in draw(st.lists(moves, min_size=5, max_size=50)):
        clock[car] += wait
        place[car] = place[car] + 40 if speed > 20 else where + place[car] // 40 * 40
        lines.append(fix(clock[car], car, place[car], speed))
        if speed == 95:
            lines.append(payment(clock[car] + 3, car, draw(st.sampled_from([40, 60, 100]))))
    return sorted(set(lines))


def play(
    world: list[Line], batch: int = 50, restarts: frozenset[int] = frozenset()
) -> list[Change]:
    letters = [Letter(feed, at, value) for at, feed, value in world]
    until = max((at for at, _, _ in world), default=T0) + 60 * MIN
    played = Bench(program(), until).play(Script(letters, batch, restarts))
    return sorted(played.changes, key=lambda change: (change.at_ms, change.delivery_id))


def test_each_key_space_comes_after_those_it_reads() -> None:
    spaces = program().spaces
    assert list(spaces) == ["car", "car/key-over-1", "key-over-1", "rule-over-1", "car-over-2"]
    assert spaces["car-over-2"].upstream == {"alerts": ("key-over-1",)}
    assert spaces["car/key-over-1"].feeds == ("alerts", "gps")


def test_a_rule_sees_only_the_alerts_it_names() -> None:
    stands = [fix(minute, "a", 0, 0) for minute in range(15)]
    rules = {change.rule for change in play(stands)}
    assert rules == {"stays", "drives-off"}


def test_alerts_of_two_rules_about_one_car_make_an_alert_over_them() -> None:
    world = [fix(minute, "a", 0, 0) for minute in range(15)]
    world += [fix(15 + n, "a", 40 * n + 40, 95) for n in range(4)]
    over = [change for change in play(world) if change.rule in ("again", "high")]
    assert [(change.rule, change.key, str(change.transition)) for change in over][:2] == [
        ("again", "a", "fired"),
        ("high", "a", "fired"),
    ]
    assert over[0].at_ms == over[1].at_ms
    assert over[0].evidence["events"][0]["fields"]["rule"] == "races"


@settings(max_examples=150, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_no_order_within_lateness_and_no_cut_changes_an_alert(
    world: list[Line], rnd: random.Random
) -> None:
    shuffled = sorted(world, key=lambda line: line[0] + rnd.randrange(LATENESS))
    assert play(shuffled, rnd.choice([1, 3, 7, 1000])) == play(world)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_no_restart_and_no_repeated_event_changes_an_alert(
    world: list[Line], rnd: random.Random
) -> None:
    batch = rnd.choice([1, 3, 9])
    twice = [line for line in world for _ in range(2)]
    restarts = frozenset(rnd.randrange(1 + 2 * len(world) // batch) for _ in range(5))
    assert play(twice, batch, restarts) == play(world)


def test_most_worlds_of_these_laws_raise_alerts_over_alerts() -> None:
    """A law that holds because nothing happens proves nothing."""
    fired: list[set[str]] = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(worlds())
    def look(world: list[Line]) -> None:
        fired.append({change.rule for change in play(world)})

    look()
    for rule in ("again", "many", "high", "drives-off"):
        assert sum(rule in rules for rules in fired) > 0.3 * len(fired), rule


def test_the_event_of_an_alert_over_alerts_is_the_alert() -> None:
    world = [fix(minute, car, 0, 0) for minute in range(15) for car in "ab"]
    (many,) = [change for change in play(sorted(world)) if change.rule == "many"][:1]
    assert many.evidence["events"][0]["feed"] == "alerts"
    assert many.evidence["events"][0]["fields"]["rule"] == "stays"
