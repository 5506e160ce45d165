"""The laws of streaming: what arrives when, how often and in which batches changes no alert."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import MIN, Line, program, run
from small_worlds import told, worlds

LATENESS = 5 * MIN


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_any_cut_into_batches_gives_the_same_alerts(world: list[Line], rnd: random.Random) -> None:
    cuts = [rnd.randrange(len(world) + 1) for _ in range(rnd.randrange(8))]
    assert told(run(world, cuts).changes) == told(run(world).changes)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_any_order_within_lateness_gives_the_same_alerts(
    world: list[Line], rnd: random.Random
) -> None:
    shuffled = sorted(world, key=lambda line: line[0] + rnd.randrange(LATENESS))
    assert told(run(shuffled, range(0, 99, 7)).changes) == told(run(world).changes)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_every_event_ten_times_gives_the_same_alerts(world: list[Line]) -> None:
    assert told(
        run([line for line in world for _ in range(10)], range(0, 999, 13)).changes
    ) == told(run(world).changes)


@settings(max_examples=500, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_a_restart_after_any_batch_gives_the_same_alerts_and_state(
    world: list[Line], rnd: random.Random
) -> None:
    shuffled = sorted(world, key=lambda line: line[0] + rnd.randrange(LATENESS))
    cuts = sorted({rnd.randrange(len(world) + 1) for _ in range(6)})
    plain = run(shuffled, cuts)
    broken = run(shuffled, cuts, restarts=cuts)
    assert told(broken.changes) == told(plain.changes)
    assert broken.rows == plain.rows


@settings(max_examples=300, deadline=None)
@given(
    worlds(),
    st.randoms(use_true_random=False),
    st.sampled_from([("paid", "gps"), ("gps", "paid")]),
)
def test_a_restart_that_reads_one_log_before_the_other_changes_nothing(
    world: list[Line], rnd: random.Random, order: tuple[str, str]
) -> None:
    """What waits in one log is not passed by while another is read first."""
    cuts = sorted({rnd.randrange(len(world) + 1) for _ in range(6)})
    broken = run(world, cuts, restarts=cuts, hasty=order)
    assert told(broken.changes) == told(run(world, cuts).changes)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_events_behind_the_lateness_are_judged_alike_in_any_cut(
    world: list[Line], rnd: random.Random
) -> None:
    wild = sorted(world, key=lambda line: line[0] + rnd.randrange(6 * LATENESS))
    cuts = [rnd.randrange(len(world) + 1) for _ in range(rnd.randrange(8))]
    plain = run(wild)
    assert told(run(wild, cuts).changes) == told(plain.changes)
    assert told(run(wild, cuts, restarts=cuts).changes) == told(plain.changes)


def test_most_worlds_of_these_laws_raise_alerts() -> None:
    """A law that holds because nothing happens proves nothing."""
    fired: list[bool] = []

    @settings(max_examples=100, deadline=None, database=None)
    @given(worlds())
    def look(world: list[Line]) -> None:
        fired.append(bool(run(world).changes))

    look()
    assert sum(fired) > 0.3 * len(fired)


def test_the_small_project_has_one_direct_space() -> None:
    assert set(program().spaces) == {"car"}
    assert not program().spaces["car"].direct
