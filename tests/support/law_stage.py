"""One operator in a small project: the laws of streaming, held against any lines of records."""

import random
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from dormant_rows import check_dormant
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy
from kept_rows import check_kept
from small_world import Line, Saved, compiled

from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program

T0 = 1_772_413_200_000  # 2026-03-02 09:00 in Shanghai
MIN = 60_000
LATENESS = 5 * MIN
PACK = """
pack: small
title: {zh: 小, en: Small}
owner: tests
version: "1.0"
"""
READINGS = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: who
id: [who, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 0s
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  who: text
  what: {type: text, optional: true}
  level: {type: number, optional: true}
  lon: {type: number, optional: true}
  lat: {type: number, optional: true}
  at: {type: time, format: epoch-ms}
purpose: [tests]
"""
"""A feed of all that edits of rules are tried on."""
NUMBERED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: sensor
id: [sensor, number]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 0s
fields:
  sensor: text
  number: integer
  at: {type: time, format: epoch-ms}
purpose: [tests]
"""
"""A feed whose records may come late, each told apart by its number."""
Drawn = TypeVar("Drawn")


def project(feed: str, rules: dict[str, str], status: str = "stable", **more: str) -> Program:
    """The program of one feed `readings` and some rules, each given by what follows its name."""
    files = {"small/pack.yaml": PACK, "small/feeds/readings.yaml": feed}
    for name, words in rules.items():
        files[f"small/{name}.yaml"] = (
            f"rule: {name}\ntitle: {{zh: 规则, en: Rule}}\nstatus: {status}\nowner: tests\n"
            f"severity: yellow\nfrom: readings\n{words}"
        )
    return compiled(
        files | {f"small/{path.replace('__', '/')}": text for path, text in more.items()}
    )


class Stage:
    """Runs lines of the feed `readings` through a program, cut and restarted as told."""

    def __init__(self, program: Program, forgets_after_ms: int) -> None:
        self.program = program
        self.forgets_after_ms = forgets_after_ms

    def run(
        self, lines: Sequence[Line], cuts: Sequence[int] = (), restarts: Sequence[int] = ()
    ) -> Saved:
        """Feed lines in their order; cut after the indexes `cuts`; lose memory at `restarts`."""
        saved, log = Saved(), [Record(n, value) for n, (_, _, value) in enumerate(lines)]
        engine, read = self._start(saved)
        begin = 0
        for cut in sorted({*cuts, len(lines)}):
            if begin in restarts:
                engine, read = self._start(saved)
            begin = cut
            for name, space in engine.spaces.items():
                space.ingest("log", SourceId("readings"), log[read.get(name, 0) : cut])
                read[name] = cut
                saved.keep(name, space.advance())
                check_kept(space, saved.rows[name])
        until = max((at for at, _, _ in lines), default=T0) + self.forgets_after_ms
        for name, space in engine.spaces.items():
            saved.keep(name, space.advance(until))
        return saved

    def _start(self, saved: Saved) -> tuple[Engine, dict[str, int]]:
        engine = Engine(self.program)
        read: dict[str, int] = {}
        for name, space in engine.spaces.items():
            space.announce(SourceId("readings"))
            rows = [Write(*key, value) for key, value in saved.rows.get(name, {}).items()]
            for position in space.restore(saved.meta.get(name), rows).values():
                read[name] = position.committed
            check_dormant(space)
        return engine, read

    def hold(self, world: Sequence[Line], rnd: random.Random) -> list[Change]:
        """Assert every law of one world; answers what was announced."""
        plain = self.run(world)
        cuts = sorted({rnd.randrange(len(world) + 1) for _ in range(6)})
        shuffled = sorted(world, key=lambda line: line[0] + rnd.randrange(LATENESS))
        tellings = {
            "cut": self.run(world, cuts),
            "shuffled": self.run(shuffled, cuts),
            "doubled": self.run([line for line in world for _ in range(2)], range(0, 200, 13)),
            "restarted": self.run(shuffled, cuts, restarts=cuts),
        }
        for name, saved in tellings.items():
            assert told(saved.changes) == told(plain.changes), name
        assert tellings["restarted"].rows == tellings["shuffled"].rows
        assert not any(plain.rows.values()), "what is not needed any more is forgotten"
        return plain.changes


def fires_often(
    stage: Stage,
    draws: SearchStrategy[Drawn],
    world: Callable[[Drawn], Sequence[Line]],
    rules: Collection[str],
) -> None:
    """Assert that each rule fires in more than three worlds of ten; else its laws say nothing."""
    fired: list[set[str]] = []

    @settings(max_examples=80, deadline=None, database=None)
    @given(draws)
    def look(drawn: Drawn) -> None:
        fired.append({change.rule for change in stage.run(world(drawn)).changes})

    look()
    for rule in rules:
        assert sum(rule in one for one in fired) > 0.3 * len(fired), rule


def told(changes: Sequence[Change]) -> list[Change]:
    """What was announced, in an order that does not depend on the interleaving of spaces."""
    return sorted(changes, key=lambda change: (change.at_ms, change.delivery_id))
