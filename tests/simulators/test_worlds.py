"""Worlds are the same for the same seed, of the asked size, and in order of arrival."""

import json
from collections import Counter
from itertools import islice, pairwise
from typing import Any

import pytest

from simulators.city import City
from simulators.scenario import Kind
from simulators.worlds import WORLDS, make, simulate

SMALL: dict[str, dict[str, Any]] = {
    "fleet": {"vehicles": 6, "hours": 5.0},
    "payroll": {"projects": 12, "days": 120},
    "city": {"vehicles": 4, "hours": 3.0, "projects": 5, "days": 100},
}
NOISES = ("none", "default", "heavy")


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_makes_the_same_bytes(name, noise):
    one, other = (list(simulate(name, seed=3, noise=noise, **SMALL[name])) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("name", SMALL)
def test_another_seed_makes_another_world(name):
    assert list(simulate(name, seed=3, **SMALL[name])) != list(
        simulate(name, seed=4, **SMALL[name])
    )


@pytest.mark.parametrize("name", SMALL)
def test_noise_does_not_change_the_truth(name):
    clean, noisy = (list(make(name, noise=noise, **SMALL[name]).stories()) for noise in NOISES[:2])
    assert clean == noisy


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", SMALL)
def test_records_come_in_order_of_arrival(name, noise):
    items = list(make(name, noise=noise, **SMALL[name]).items())
    assert all(one.arrival_ms <= other.arrival_ms for one, other in pairwise(items))


@pytest.mark.parametrize("name", SMALL)
def test_every_feed_ends_with_a_heartbeat_at_the_end_of_the_world(name):
    world = make(name, **SMALL[name])
    last = {item.feed: item for item in world.items() if not item.key}
    assert set(last) == {feed.name for feed in world.feeds}
    for item in last.values():
        assert json.loads(item.value) == {"$watermark": world.end_ms}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", SMALL)
def test_heartbeats_are_true(name, noise):
    promised: dict[str, int] = {}
    late: Counter[str] = Counter()
    filed_late = {"deposits", "payments"}  # some ledgers are filed days late, by the script
    for item in make(name, noise=noise, **SMALL[name]).items():
        if not item.key:
            promised[item.feed] = max(promised.get(item.feed, 0), item.time_ms)
        elif item.time_ms < promised.get(item.feed, 0):
            late[item.feed] += 1
    assert set(late) <= filed_late


def test_a_world_has_the_size_asked_for():
    vehicles = {key for _, key, _, _ in simulate("fleet", vehicles=9, hours=2.0) if key}
    assert len(vehicles) == 9
    times = [time for _, key, time, _ in simulate("fleet", vehicles=9, hours=2.0) if key]
    assert max(times) - min(times) < 2 * 3_600_000


def test_a_large_world_begins_at_once():
    assert len(list(islice(simulate("fleet", vehicles=1_000, hours=1.0), 10))) == 10


@pytest.mark.parametrize("name", ["fleet", "payroll"])
def test_the_default_world_has_a_hundred_stories_of_each_kind_for_each_rule(name):
    counts = Counter((story.rule, story.kind) for story in WORLDS[name].build().stories())
    rules = {rule for rule, _ in counts}
    assert {(rule, kind): counts[rule, kind] >= 100 for rule in rules for kind in Kind} == {
        (rule, kind): True for rule in rules for kind in Kind
    }


@pytest.mark.parametrize("name", SMALL)
def test_only_hits_say_when_a_rule_must_fire(name):
    world = make(name, **SMALL[name])
    for story in world.stories():
        assert (story.kind is Kind.HIT) == (story.fire_ms is not None)
        if story.fire_ms is not None:
            assert world.start_ms <= story.begin_ms <= story.fire_ms < world.end_ms
            later = [at for at in (story.clear_ms, story.retract_ms) if at is not None]
            assert all(story.fire_ms < at < world.end_ms for at in later)


def test_both_halves_of_a_city_end_together():
    city = City(**SMALL["city"])
    assert city.fleet.end_ms == city.payroll.end_ms == city.end_ms
