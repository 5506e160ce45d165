"""Rules over alerts that are withdrawn or dropped: what they hear of it, and when."""

import json
import random

import pytest
from law_stage import MIN, PACK, T0
from small_world import compiled

from engine.ruleset.compile import Program
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

FEED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: who
id: [who, what, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 0s
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  who: text
  what: text
  lon: number
  lat: number
  at: {type: time, format: epoch-ms}
purpose: [tests]
"""
HEAD = "rule: {0}\ntitle: {{zh: 规则, en: Rule}}\nowner: tests\nseverity: yellow\n"
SILENT = (
    "from: readings\nby: who\nwhere: what == 'here'\nwhen: {silence: {at_least: 20m}}\n"
    "late: {allow: 6h, then: retract}\n"
)
SIGNALS = (
    "signals: {a: {feed: readings, where: what == 'a'}, r: {rule: silent}}, "
    "within: 10m, at_least: 2"
)
OVER = {
    "by-key": f"by: {{readings: who, alerts: key}}\nwhen:\n  correlate: {{{SIGNALS}}}\n",
    "by-place": (
        f"by: {{readings: who, alerts: key}}\nwhen:\n  correlate: {{near: 100 meters, {SIGNALS}}}\n"
    ),
    "match": (
        "from: alerts\nof: [silent]\nby: key\nwhen: {match: {condition: transition == 'fired'}}\n"
        "clear: transition != 'fired'\n"
    ),
}
KEY = "unit 7 of the port"
"""A key with blanks in it, as addresses have."""


def program(over: str) -> Program:
    files = {
        "small/pack.yaml": PACK,
        "small/feeds/readings.yaml": FEED,
        "small/silent.yaml": HEAD.format("silent") + SILENT,
        "small/over.yaml": HEAD.format("over") + OVER[over],
    }
    return compiled(files)


def letter(minute: float, what: str, who: str = KEY) -> Letter:
    at = T0 + round(minute * MIN)
    event = {"who": who, "what": what, "lon": 120.9, "lat": 32.0, "at": at}
    return Letter("readings", at, json.dumps(event).encode())


STORY = [
    letter(0, "here"),
    letter(25, "a"),  # silent since 20: both signals are there
    letter(30, "here", "someone else"),
    letter(15, "here"),  # told late: it was not silent at 20
    letter(34, "here"),
    letter(45, "a"),  # the withdrawn alert counts no more: within 10 minutes of minute 30 it did
    letter(46, "here", "someone else"),
]


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("seed", range(4))
def test_an_alert_that_is_withdrawn_goes_on_for_nobody(over: str, seed: int) -> None:
    rnd = random.Random(seed)
    script = Script(STORY, rnd.randrange(1, 5), frozenset({rnd.randrange(1, 4)}))
    changes = Bench(program(over), T0 + 49 * MIN).play(script).changes
    mine = [one for one in changes if one.key == KEY]
    told = {
        rule: [(str(one.transition), (one.at_ms - T0) // MIN) for one in mine if one.rule == rule]
        for rule in ("silent", "over")
    }
    assert told["silent"] == [("fired", 20), ("retracted", 20)]
    # They hear of the withdrawal at the place of the late record in the order: minute 30.
    first, last = (20, 30) if over == "match" else (25, 35)
    assert told["over"] == [("fired", first), ("cleared", last)]
