"""Noise disturbs records, but never beyond what the feeds promise."""

import json
from collections import Counter
from dataclasses import asdict

import pytest

from simulators.area import metres
from simulators.fleet import Fleet
from simulators.noise import LEDGERS, POSITIONS
from simulators.payroll import Payroll
from simulators.reasons import sight

LEVELS = ("none", "default", "heavy")


def fleet(noise):
    return Fleet(seed=11, vehicles=12, hours=6.0, datum="wgs84", noise=noise)


@pytest.mark.parametrize("noise", LEVELS)
@pytest.mark.parametrize("build", [fleet, lambda noise: Payroll(projects=20, days=90, noise=noise)])
def test_no_record_is_late_by_its_feeds_own_word(build, noise):
    world = build(noise)
    lateness = {feed.name: feed.lateness_ms for feed in world.feeds}
    newest: dict[str, int] = {}
    scripted = {"deposits", "payments"}
    for item in world.items():
        if not item.key or item.feed in scripted:
            continue
        newest[item.feed] = max(newest.get(item.feed, 0), item.time_ms)
        assert item.time_ms >= newest[item.feed] - lateness[item.feed]


def test_without_noise_each_record_arrives_as_it_happens():
    assert all(item.arrival_ms == item.time_ms for item in fleet("none").items() if item.key)


def test_noise_repeats_loses_delays_and_moves_records():
    clean = {(i.key, i.time_ms): json.loads(i.value) for i in fleet("none").items() if i.key}
    noisy = [item for item in fleet("heavy").items() if item.key]
    repeats = Counter((item.key, item.time_ms, item.value) for item in noisy)
    assert any(count > 1 for count in repeats.values())
    assert len(repeats) < len(clean)
    assert any(item.arrival_ms != item.time_ms for item in noisy)
    assert any(not json.loads(item.value)["located"] for item in noisy)


def test_the_default_jitter_is_that_of_a_good_receiver():
    clean = {(i.key, i.time_ms): json.loads(i.value) for i in fleet("none").items() if i.key}
    far = []
    for item in fleet("default").items():
        fix = json.loads(item.value)
        for skew in range(-10_000, 11_000, 1_000):
            same = clean.get((item.key, item.time_ms + skew))
            if same is not None and not fix["speed"] and not same["speed"]:
                far.append(metres((fix["lon"], fix["lat"]), (same["lon"], same["lat"])))
                break
    far.sort()
    assert 2 < far[len(far) // 2] < 20
    assert far[int(len(far) * 0.95)] < 40


@pytest.mark.parametrize("levels", [POSITIONS, LEDGERS])
def test_levels_grow(levels):
    assert levels["none"].silent
    assert levels["default"].delay_max_ms < levels["heavy"].delay_max_ms
    assert levels["default"].repeats < levels["heavy"].repeats


def test_a_stop_seen_without_noise_is_seen_whole():
    stories = [asdict(story) for story in fleet("none").stories() if story.story == "secret-stop"]
    assert stories
    for story in stories:
        seen = sight(fleet("none"), story)
        assert seen is not None
        assert (seen.late_s, seen.early_s, seen.far_m, seen.lost) == (0, 0, 0, 0)
        assert seen.silence_s <= 120


def test_what_noise_does_to_a_stop_is_said_in_one_line():
    story = next(asdict(s) for s in fleet("heavy").stories() if s.story == "secret-stop")
    seen = sight(fleet("heavy"), story)
    assert seen is not None
    assert seen.far_m > 0
    assert seen.sentence().startswith(f"first fix {seen.late_s} s after arrival")
