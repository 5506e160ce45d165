"""A change of rules between two batches: what was not edited never notices, the rest restarts."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import FILES, MIN, T0, Line, Saved, compiled, fix, run
from small_worlds import told, worlds

from engine.errors import StateError
from engine.handover import edited, hand_over, taken_over
from engine.model.change import Transition
from engine.pipeline import Engine, Space
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program, compile_project

LATENESS = 5 * MIN

EARLY = {
    "small/a-first.yaml": """
rule: a-first
title: {zh: 快, en: Fast}
owner: tests
severity: blue
from: gps
by: car
when: {match: {condition: speed > 40 km/h, quiet: 3m}}
"""
}
"""A rule that comes before all others and so changes the number of each."""

LATE = {
    "small/z-last.yaml": """
rule: z-last
title: {zh: 慢, en: Slow}
owner: tests
severity: blue
from: [gps, paid]
by: car
when:
  deadline:
    start: {feed: gps, where: speed < 1 km/h}
    within: 4m
    need: {feed: paid, where: amount > 50 CNY}
"""
}
WITHOUT_PAYMENTS = {path: text for path, text in FILES.items() if "pays" not in path}
BASE = {"stays", "races", "pays"}
SETS: Sequence[Mapping[str, str]] = [FILES, FILES | EARLY, FILES | LATE, FILES | EARLY | LATE]


def edit(do: str, limit: str) -> Mapping[str, str]:
    """The small project with another limit of its stays."""
    path = "small/stays.yaml"
    before = compiled(FILES).rules["stays"].spec.hash[:6]
    text = FILES[path].replace("at_least: 10m", f"at_least: {limit}")
    return FILES | {path: text + f"on_change: {{from: {before}, do: {do}}}\n"}


class Swapped:
    """One key space whose rules change while it works; `rows` is what would be on disk."""

    def __init__(self, files: Mapping[str, str] = FILES) -> None:
        self.program = compiled(files)
        self.saved = Saved()
        self.logs: dict[str, list[Record]] = {"gps": [], "paid": []}
        self.space: Space = Engine(self.program).spaces["car"]
        for feed in ("gps", "paid"):
            self.space.announce(SourceId(feed))

    def take(self, lines: Sequence[Line]) -> None:
        """Read some lines."""
        for _, feed, value in lines:
            self.logs[feed].append(Record(len(self.logs[feed]), value))
        for feed, records in self.logs.items():
            if feed in self.space.program.feeds:
                fresh = records[self.space.log(feed).next :]
                self.space.ingest(feed, SourceId(feed), fresh)
        newest = max((at for at, _, _ in lines), default=T0)
        for feed in self.logs:
            if feed in self.space.program.feeds:
                self.space.mark(SourceId(feed), newest - LATENESS)
        self.saved.keep("car", self.space.advance())

    def swap(self, program: Program) -> None:
        """Go on under another program."""
        part = program.spaces["car"]
        wanted = edited(self.space.program, part)
        kept = self.saved.rows.get("car", {})
        rows = [Write(*name, value) for name, value in kept.items() if name[0] in wanted]
        self.space = hand_over(self.space, Space(part), rows)
        self.saved.keep("car", taken_over(self.space))
        self.program = program

    def restart(self, program: Program) -> None:
        """The same by a stop and a start."""
        space = Engine(program).spaces["car"]
        for feed in program.spaces["car"].feeds:
            space.announce(SourceId(feed))
        rows = [Write(*name, value) for name, value in self.saved.rows["car"].items()]
        space.restore(self.saved.meta["car"], rows)
        if (adopted := space.adopted()) is not None:
            self.saved.keep("car", adopted)
        self.space, self.program = space, program
        self.take([])

    def end(self, lines: Sequence[Line]) -> Saved:
        """Everything up to an hour after the last line happens."""
        until = max((at for at, _, _ in lines), default=T0) + 60 * MIN
        self.saved.keep("car", self.space.advance(until))
        return self.saved


@cache
def other(number: int) -> Program:
    """Another set of rules around the same three, compiled on its own."""
    return compiled(SETS[number])


def through(
    lines: Sequence[Line], cuts: Sequence[int], swap: Callable[[Swapped, int], None]
) -> Saved:
    """Run lines through, with something done between the batches."""
    life, begin = Swapped(), 0
    for turn, cut in enumerate(sorted({*cuts, len(lines)})):
        if turn:
            swap(life, turn)
        life.take(lines[begin:cut])
        begin = cut
    return life.end(lines)


def of(saved: Saved, rules: Collection[str] = BASE) -> tuple[object, object]:
    """What was announced and what is remembered of some rules."""
    changes = told([change for change in saved.changes if change.rule in rules])
    rows = {name: value for name, value in saved.rows["car"].items() if name[0] in rules}
    return changes, rows


@settings(max_examples=150, deadline=None)
@given(worlds(), st.randoms(use_true_random=False), st.booleans())
def test_rules_that_are_not_edited_never_notice_a_change_of_the_others(
    world: list[Line], rnd: random.Random, reuse: bool
) -> None:
    """Both where they go over as they stand and where they are compiled and loaded anew."""
    shuffled = sorted(world, key=lambda line: line[0] + rnd.randrange(LATENESS))
    cuts = [rnd.randrange(len(world) + 1) for _ in range(6)]

    def swap(life: Swapped, _turn: int) -> None:
        project = other(rnd.randrange(len(SETS))).project
        life.swap(compile_project(project, life.program, BASE if reuse else ()))

    assert of(through(shuffled, cuts, swap)) == of(run(shuffled, sorted(cuts)))


@settings(max_examples=100, deadline=None)
@given(worlds(), st.randoms(use_true_random=False), st.sampled_from(["keep", "migrate", "reset"]))
def test_an_edit_while_running_does_what_a_restart_does(
    world: list[Line], rnd: random.Random, do: str
) -> None:
    program = compiled(edit(do, "8m"))
    shuffled = sorted(world, key=lambda line: line[0] + rnd.randrange(LATENESS))
    cut = rnd.randrange(len(world) + 1)
    once = {"hot": True}

    def swap(life: Swapped, _turn: int) -> None:
        if once["hot"]:
            life.swap(compile_project(program.project, life.program, BASE - {"stays"}))
        else:
            life.restart(program)

    hot = through(shuffled, [cut], swap)
    once["hot"] = False
    assert of(hot) == of(through(shuffled, [cut], swap))


def test_a_refused_edit_leaves_the_running_rules_as_they_were() -> None:
    lines = [fix(n, "a", 0, 0) for n in range(30)]
    life = Swapped()
    life.take(lines[:20])
    path = "small/stays.yaml"
    silent = FILES | {path: FILES[path].replace("at_least: 10m", "at_least: 8m")}
    for _ in range(3):
        with pytest.raises(StateError):
            life.swap(compiled(silent | EARLY))
    life.take(lines[20:])
    plain = Swapped()
    plain.take(lines[:20])
    plain.take(lines[20:])
    assert of(life.end(lines)) == of(plain.end(lines))


def test_an_alert_of_a_rule_that_is_taken_out_is_dropped_at_once() -> None:
    life = Swapped(FILES | EARLY)
    life.take([fix(n, "a", 40 * n, 90) for n in range(12)])
    assert "a-first" in {change.rule for change in life.saved.changes}
    life.saved.changes.clear()
    life.swap(compiled(FILES))
    assert [(c.rule, c.transition) for c in life.saved.changes] == [("a-first", Transition.DROPPED)]
    assert not [name for name in life.saved.rows["car"] if name[0] == "a-first"]


def test_a_new_rule_hears_what_waits_for_its_turn() -> None:
    life = Swapped()
    life.take([fix(0, "a", 0, 90), fix(4, "a", 90, 90)])
    life.swap(compiled(FILES | EARLY))
    life.take([fix(20, "a", 400, 0)])
    fired = [c for c in life.saved.changes if c.rule == "a-first"]
    assert (fired[0].at_ms - T0) / MIN == 0


def test_a_rule_that_reads_what_nobody_read_hears_what_comes_after() -> None:
    """What stood in the field of an event that waits was never decoded."""
    rule = EARLY["small/a-first.yaml"].replace("speed > 40 km/h", "fuel > 10")
    gps = FILES["small/feeds/gps.yaml"].replace("  lon: number", "  fuel: number\n  lon: number")
    before = WITHOUT_PAYMENTS | {"small/feeds/gps.yaml": gps}
    life = Swapped(before)
    fuelled = [
        (at, feed, value.replace(b'{"car"', b'{"fuel":50,"car"'))
        for at, feed, value in [fix(n, "a", 0, 0) for n in range(30)]
    ]
    life.take(fuelled[:10])
    life.swap(compiled(before | {"small/a-first.yaml": rule}))
    life.take(fuelled[10:])
    life.end(fuelled)
    first = next(c for c in life.saved.changes if c.rule == "a-first")
    assert (first.at_ms - T0) / MIN == 10
    stays = [c.transition for c in life.saved.changes if c.rule == "stays"]
    assert stays[:2] == [Transition.FIRED, Transition.RAISED]


def test_a_feed_that_no_rule_reads_any_more_holds_nothing_back() -> None:
    life = Swapped()
    life.take([fix(0, "a", 0, 0)])
    life.swap(compiled(WITHOUT_PAYMENTS))
    life.take([fix(n, "a", 0, 0) for n in range(1, 20)])
    assert ("stays", Transition.FIRED) in {(c.rule, c.transition) for c in life.saved.changes}
