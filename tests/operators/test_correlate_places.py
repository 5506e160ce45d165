"""correlate by place: sites around their oldest signal, whoever the signals come from."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from math import cos, radians

import pytest
from correlate_places_oracle import Event
from correlate_places_oracle import told as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import PACK, T0, project
from near_world import Run
from small_world import compiled

from engine.feeds.derived import log_of, source_of
from engine.model.change import Change
from engine.pipeline import Space
from engine.ports import Record, SourceId
from engine.ruleset.compile import Program
from engine.ruletest.bench import Bench, Played
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

FEED = """
feed: readings
title: {zh: 线索, en: Signs}
topic: feed.readings
format: json
key: who
id: [number]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5ms
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  who: text
  number: text
  what: text
  lon: {type: number, optional: true}
  lat: {type: number, optional: true}
  at: {type: time, format: epoch-ms}
purpose: [tests]
"""
SIGNALS = """  correlate:
    near: 100 meters
    within: 30ms
    signals:
      a: {feed: readings, where: what == "a"}
      b: {feed: readings, where: what == "b", within: 20ms, weight: 2}
      c: {feed: readings, where: what == "c", within: 12ms, weight: 4}
"""
WITHIN = {"a": 30, "b": 20, "c": 12}
WEIGHT = {"a": 1.0, "b": 2.0, "c": 4.0}
WAYS = {
    "two": "    at_least: 2\n",
    "odd": "    condition: a and not b\n",
    "fades": "    score: {reach: 4, half_life: 10ms}\n",
}
END = 400
"""A minute of these stories is a millisecond, so that the watcher misses none between."""
LAT = 32.0


@cache
def program(more: str = "") -> Program:
    rules = {name: f"by: who\nwhen:\n{SIGNALS}{way}{more}" for name, way in WAYS.items()}
    return project(FEED, rules)


def enough(way: str) -> object:
    def two(best: Mapping[str, int | None], _minute: int) -> bool:
        return len(best) >= 2

    def odd(best: Mapping[str, int | None], _minute: int) -> bool:
        return "a" in best and "b" not in best

    def fades(best: Mapping[str, int | None], minute: int) -> bool:
        worth = (
            WEIGHT[name] * (1.0 if at is None else 0.5 ** ((minute - at) / 10))
            for name, at in best.items()
        )
        return sum(worth) >= 4.0

    return {"two": two, "odd": odd, "fades": fades}[way]


def letters(events: Sequence[Event]) -> list[Letter]:
    found = []
    for number, (minute, who, what, east, _) in enumerate(events):
        at = T0 + minute
        lon = 120.9 + east / (111_194.93 * cos(radians(LAT)))
        event = {
            "who": who,
            "number": f"{number:03}",
            "what": what,
            "lon": lon,
            "lat": LAT,
            "at": at,
        }
        found.append(Letter("readings", at, json.dumps(event).encode()))
    return found


def play(
    sent: list[Letter], batch: int = 9, restarts: frozenset[int] = frozenset(), more: str = ""
) -> Played:
    played = Bench(program(more), T0 + END).play(Script(sent, batch, restarts))
    assert not played.troubles, played.troubles
    return played


def told(changes: list[Change], way: str) -> list[tuple[str, str, int, float]]:
    found = []
    for one in changes:
        if one.rule == way:
            assert one.lon is not None
            east = round((one.lon - 120.9) * 111_194.93 * cos(radians(LAT)))
            found.append((one.transition.value, one.key, one.at_ms - T0, east))
    return sorted(found, key=lambda one: (one[2], one[1], one[3], one[0]))


def run(events: Sequence[Event], way: str) -> list[tuple[str, str, int, float]]:
    return told(play(letters(events)).changes, way)


def test_two_signals_of_two_keys_near_each_other_make_a_site_of_the_older() -> None:
    events = [(0, "x", "a", 0, "seen"), (5, "y", "b", 90, "seen")]
    assert run(events, "two") == [("fired", "x", 5, 0), ("cleared", "x", 25, 0)]


def test_signals_exactly_at_the_radius_are_near_and_a_little_further_are_not() -> None:
    near = [(0, "x", "a", 0, "seen"), (5, "y", "b", 99.9, "seen")]
    far = [(0, "x", "a", 0, "seen"), (5, "y", "b", 100.1, "seen")]
    assert len(run(near, "two")) == 2
    assert run(far, "two") == []


def test_ten_signals_of_one_kind_are_one_kind_of_sign() -> None:
    assert run([(m, f"k{m}", "a", 0, "seen") for m in range(10)], "two") == []


def test_a_site_does_not_creep_further_than_the_radius() -> None:
    events = [(m, f"k{m}", "ab"[m % 2], 60.0 * m, "seen") for m in range(6)]
    fired = [one for one in run(events, "two") if one[0] == "fired"]
    assert [(key, east) for _, key, _, east in fired] == [("k0", 0), ("k2", 120), ("k4", 240)]


def test_a_signal_near_two_sites_belongs_to_the_older() -> None:
    events = [
        (0, "x", "a", 0, "seen"), (1, "y", "b", 0, "seen"),
        (2, "v", "a", 120, "seen"), (3, "w", "b", 120, "seen"), (15, "z", "c", 60, "seen"),
    ]  # fmt: skip
    ends = [one for one in run(events, "two") if one[0] == "cleared"]
    assert ends == [("cleared", "v", 23, 120), ("cleared", "x", 27, 0)]


def test_a_signal_without_a_place_is_none() -> None:
    sent = letters([(0, "x", "a", 0, "seen"), (5, "y", "b", 0, "seen")])
    bare = json.loads(sent[1].value) | {"lon": None, "lat": None}
    sent[1] = Letter("readings", sent[1].at_ms, json.dumps(bare).encode())
    assert told(play(sent).changes, "two") == []


def test_a_signal_that_comes_again_elsewhere_is_there_and_not_here() -> None:
    events = [
        (0, "x", "a", 0, "seen"), (1, "y", "b", 0, "seen"), (4, "y", "b", 900, "seen"),
    ]  # fmt: skip
    assert run(events, "two") == [("fired", "x", 1, 0), ("cleared", "x", 4, 0)]


def test_the_contributions_are_itemised_with_their_keys_and_places() -> None:
    events = [(0, "x", "a", 0, "seen"), (5, "y", "b", 90, "seen"), (6, "z", "c", 30, "seen")]
    changes = play(letters(events)).changes
    fired = next(one for one in changes if one.rule == "fades" and one.transition == "fired")
    items = fired.evidence["operator"]["signals"]
    assert [(one["name"], one["key"], one["weight"]) for one in items] == [
        ("a", "x", 1.0), ("b", "y", 2.0), ("c", "z", 4.0),
    ]  # fmt: skip
    assert fired.evidence["operator"]["seen"] == "a, b, c"
    assert fired.evidence["operator"]["value"] == pytest.approx(
        0.5**0.6 + 2 * 0.5**0.1 + 4, abs=1e-5
    )


def test_clear_uses_the_signals_up() -> None:
    events = [
        (0, "x", "a", 0, "seen"), (1, "y", "b", 0, "seen"), (2, "z", "c", 0, "seen"),
        (3, "y", "b", 0, "seen"),
    ]  # fmt: skip
    more = "clear: size >= 3\n"
    changes = play(letters(events), more=more).changes
    assert told(changes, "two") == [("fired", "x", 1, 0), ("cleared", "x", 2, 0)]


def test_an_alert_that_comes_back_while_it_is_kept_open_goes_on() -> None:
    events = [(0, "x", "a", 0, "seen"), (1, "y", "b", 0, "seen"), (25, "y", "b", 0, "seen")]
    changes = play(letters(events), more="keep_firing_for: 10ms\n").changes
    assert told(changes, "two") == [("fired", "x", 1, 0), ("cleared", "x", 40, 0)]


def test_what_an_alert_that_ends_sets_free_may_begin_another_with_its_neighbours() -> None:
    events: list[Event] = [
        (0, "x", "a", 0.0, "seen"), (0, "y", "b", 0.0, "seen"),  # too few from 20 on
        (25, "z", "a", 80.0, "seen"),  # part of the site as long as its alert goes on
        (26, "w", "b", 160.0, "seen"),  # too far from its anchor
    ]  # fmt: skip
    changes = play(letters(events), more="keep_firing_for: 10ms\n").changes
    assert told(changes, "two") == [
        ("fired", "x", 0, 0), ("cleared", "x", 30, 0), ("fired", "z", 30, 80),
        ("cleared", "z", 56, 80),
    ]  # fmt: skip


ALERTS = {
    "hot": "by: who\nwhen: {match: {condition: what == 'r', quiet: 8ms}}\n",
    "two": """by: {readings: who, alerts: key}
when:
  correlate:
    near: 100 meters
    within: 10ms
    signals: {a: {feed: readings, where: what == 'a'}, r: {rule: hot}}
    at_least: 2
""",
}


HEAD = """
rule: {0}
title: {{zh: 规则, en: Rule}}
owner: tests
severity: yellow
"""


@cache
def over_alerts() -> Program:
    files = {
        "small/pack.yaml": PACK,
        "small/feeds/readings.yaml": FEED,
        "small/hot.yaml": HEAD.format("hot") + "from: readings\n" + ALERTS["hot"],
        "small/two.yaml": HEAD.format("two") + ALERTS["two"],
    }
    return compiled(files)


def test_alerts_of_other_rules_are_signals_at_their_places_while_they_are_open() -> None:
    events = [
        (0, "x", "r", 0, "seen"), (3, "y", "a", 80, "seen"), (5, "z", "a", 400, "seen"),
    ]  # fmt: skip
    played = Bench(over_alerts(), T0 + END).play(Script(letters(events), 2, frozenset({1})))
    assert told(played.changes, "two") == [("fired", "x", 3, 0), ("cleared", "x", 13, 0)]


def test_an_alert_that_ended_counts_for_a_while_and_came_once() -> None:
    events = [(0, "x", "r", 0, "seen"), (12, "y", "a", 80, "seen")]
    changes = Bench(over_alerts(), T0 + END).play(Script(letters(events), 2, frozenset())).changes
    assert told(changes, "two") == [("fired", "x", 12, 0), ("cleared", "x", 18, 0)]
    fired = next(one for one in changes if one.rule == "two" and one.transition == "fired")
    items = {one["name"]: one for one in fired.evidence["operator"]["signals"]}
    assert (items["r"]["times"], items["r"]["open"]) == (1, False)


draws = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 2, 3, 5, 8, 13]),
        st.sampled_from("pqrst"),
        st.sampled_from("abc"),
        st.sampled_from([0.0, 0.0, 60.0, 60.0, 120.0, 180.0, 500.0]),
    ),
    min_size=5, max_size=22,
)  # fmt: skip


def events_of(drawn: list) -> list[Event]:
    minute, events = 0, []
    for step, who, what, east in drawn:
        minute += step
        events.append((minute, who, what, east, "seen"))
    # of one instant the engine takes events by key, then by number
    return sorted(events, key=lambda one: (one[0], one[1]))


@settings(max_examples=500, deadline=None)
@given(draws, st.randoms(use_true_random=False))
def test_it_is_told_as_a_watcher_of_the_whole_city_would(drawn: list, rnd: random.Random) -> None:
    events = events_of(drawn)
    sent = letters(events)
    shuffled = sorted(sent, key=lambda one: one.at_ms + rnd.randrange(5))
    twice = [one for one in shuffled for _ in range(2)]
    tellings = (
        play(sent),
        play(twice, rnd.randrange(1, 9), frozenset(rnd.sample(range(6), 3))),
    )
    for way in WAYS:
        expected = oracle(events, 100.0, WITHIN, enough(way), END)  # type: ignore[arg-type]
        expected.sort(key=lambda one: (one[2], one[1], one[3], one[0]))
        for played in tellings:
            assert lasting(told(played.changes, way)) == lasting(expected)


def lasting(found: list) -> list:
    """Without alerts that begin and end in one instant.

    At the instant at which a signal expires and comes again, a condition with `not` may hold
    between two records; the watcher looks at everything after each, the engine at what is near.
    """
    at_once = Counter(tuple(one[1:]) for one in found)
    return [one for one in found if at_once[tuple(one[1:])] == 1]


def test_a_signal_that_comes_again_as_it_expires_leaves_no_gap_for_an_alert() -> None:
    events: list[Event] = [
        (0, "p", "b", 0.0, "seen"), (5, "p", "a", 0.0, "seen"), (18, "p", "a", 0.0, "seen"),
        (20, "p", "c", 120.0, "seen"), (20, "p", "b", 0.0, "seen"),
    ]  # fmt: skip
    assert told(play(letters(events)).changes, "odd") == [
        ("fired", "p", 40, 0), ("cleared", "p", 48, 0),
    ]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(draws)
def test_when_all_signals_are_over_nothing_is_remembered(drawn: list) -> None:
    run = Run(program(), "readings", "who")
    run.take(letters(events_of(drawn)))
    run.finish(T0 + END)
    assert run.rows() == {}
    assert set(run.sizes().values()) == {0}


def test_every_way_fires_often() -> None:
    fired: list[set[str]] = []

    @settings(max_examples=80, deadline=None, database=None)
    @given(draws)
    def look(drawn: list) -> None:
        fired.append({one.rule for one in play(letters(events_of(drawn))).changes})

    look()
    for way in WAYS:
        assert sum(way in one for one in fired) > 0.3 * len(fired), way


def spread(sent: Sequence[Letter], workers: int, rnd: random.Random) -> list[Change]:
    """Each key's events go to one of so many workers; what they send is read in any order."""
    ground = Space(program().spaces["ground"])
    senders = [Space(program().spaces["who"]) for _ in range(workers)]
    feeds = program().spaces["ground"].feeds
    places = dict.fromkeys(((number, feed) for number in range(workers) for feed in feeds), 0)
    for number in range(workers):
        for feed in feeds:
            ground.announce(source_of(feed, "who", number))
    logs: list[list[Record]] = [[] for _ in senders]
    for one in sent:
        who = one.value.split(b'"who": "')[1][:1]
        log = logs[who[0] % workers]
        log.append(Record(len(log), one.value))
    changes: list[Change] = []
    pieces = [(n, start) for n, log in enumerate(logs) for start in range(0, len(log), 3)]
    order = [number for number, _ in pieces]
    rnd.shuffle(order)
    read = [0] * workers
    for number in [*order, *range(workers)]:
        sender, start = senders[number], read[number]
        read[number] = start + 3
        over = T0 + END if start >= len(logs[number]) else None
        sender.ingest("log", SourceId("readings", number), logs[number][start : start + 3])
        outcome = sender.advance(over)
        for told in outcome.sent:
            source = source_of(told.feed, "who", number)
            place = places[number, told.feed]
            places[number, told.feed] += 1
            log_name = f"{log_of(told.feed, 'who')}/{number}"
            ground.ingest(log_name, source, [Record(place, told.value)])
        for feed in feeds:
            ground.mark(source_of(feed, "who", number), outcome.watermark_ms)
        changes += ground.advance().changes
    changes += ground.advance(T0 + END).changes
    return sorted(changes, key=lambda one: (one.at_ms, one.delivery_id))


@settings(max_examples=150, deadline=None)
@given(draws, st.randoms(use_true_random=False))
def test_three_workers_tell_what_one_does(drawn: list, rnd: random.Random) -> None:
    sent = letters(events_of(drawn))
    alone = spread(sent, 1, rnd)
    assert spread(sent, 3, rnd) == alone
    assert spread(sent, 2, rnd) == alone


def test_these_worlds_are_not_quiet() -> None:
    fired: set[str] = set()

    @settings(max_examples=40, deadline=None, database=None)
    @given(draws)
    def look(drawn: list) -> None:
        changes = spread(letters(events_of(drawn)), 3, random.Random(7))
        fired.update(one.rule for one in changes)

    look()
    assert set(WAYS) <= fired
