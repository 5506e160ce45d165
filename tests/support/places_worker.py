"""A worker process of the tests over places: `python places_worker.py '{"bootstrap": ...}'`."""

import json
import logging
import sys

from near_world import FEED, KIND, PACK, PLAIN, RULE, declared
from small_world import compiled
from stream_worker import link

from engine.edge.streaming.worker import run_worker
from engine.ruleset.compile import Program

ESCORT = """
rule: escort-lost
title: {zh: 失去押运, en: Escort lost}
owner: tests
severity: orange
from: gps
by: car
when:
  near: {radius: 300 meters, at_least: 4m, tolerate: {silent: 8m},
         kinds: {a: {where: kind == 'a'}, b: {where: kind == 'b'}}, apart: {kind: a, from: b}}
"""
STAYS = """
rule: stays
title: {zh: 停留, en: Stays}
owner: tests
severity: yellow
from: gps
by: car
when: {dwell: {radius: 100 meters, at_least: 12m, tolerate: {silent: 6m}}}
"""
OVER = """
rule: again
title: {zh: 又一次, en: Another gathering}
owner: tests
severity: red
from: alerts
of: [company, pairs]
by: rule
when: {match: {condition: transition == 'fired', times: {count: 2, within: 30m}, quiet: 20m}}
"""


def program(tag: str, idle_after: str = "5m") -> Program:
    """Rules over places and one over their alerts, with topics of their own for each test."""
    feed = FEED.replace("topic: feed.", f"topic: {tag}.")
    feed = feed.replace("lateness: 5m", f"lateness: 1m\nidle_after: {idle_after}")
    pairs = RULE.format(near=declared(PLAIN), more="levels: {orange: size >= 5}")
    return compiled(
        {
            "n/pack.yaml": PACK,
            "n/feeds/gps.yaml": feed,
            "n/company.yaml": RULE.format(near=declared(KIND), more=""),
            "n/pairs.yaml": pairs.replace("rule: company", "rule: pairs"),
            "n/escort-lost.yaml": ESCORT,
            "n/stays.yaml": STAYS,
            "n/again.yaml": OVER,
        }
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asked = json.loads(sys.argv[1])
    idle_after = asked.pop("idle_after", "5m")
    run_worker(link(**asked), program(asked["tag"], idle_after))
