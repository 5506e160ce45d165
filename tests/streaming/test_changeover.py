"""Other rules for the open partitions of a worker, on paper: what a change of rules is to be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest
import pytest_asyncio
import stream_world as world
from paper_kafka import PaperStage, PaperWorker
from stream_worker import PACK, program

from engine.edge.files import read_project
from engine.edge.streaming.adoption import OLDER
from engine.errors import StateError
from engine.handover import edited, hand_over, taken_over
from engine.model.change import Change, Transition
from engine.pipeline import Engine
from engine.ports import Outcome, Record, SourceId, Write
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile
from engine.saved import rows_of

END_MS = world.end_ms()
MID_MS = world.START_MS + 90 * world.MINUTE
WAITS_MS = 2 * world.MINUTE
"""The sources say at the change that they are complete up to so long before it, as events are."""
RECORDS = world.story(seed=21)
OLD = program("t")
HASHES = {name: rule.spec.hash[:6] for name, rule in OLD.rules.items()}


def edit(do: str, rule: str = "vehicle-dwell") -> Mapping[str, str]:
    """Another limit of one rule, and what becomes of its state."""
    before, after = {
        "vehicle-dwell": ("at_least: 20m", "at_least: 16m"),
        "company-speeding": ("speed > 95 km/h", "speed > 90 km/h"),
        "deposit-missing": ("within: 2h", "within: 90m"),
    }[rule]
    word = f"\non_change: {{from: {HASHES[rule]}, do: {do}}}\nannotations:"
    return {
        before: after,
        f"annotations:\n  summary: {{zh: {QUOTED[rule]}": (
            f"{word[1:]}\n  summary: {{zh: {QUOTED[rule]}"
        ),
    }


QUOTED = {
    "vehicle-dwell": '"{{ vehicle }} 停留',
    "company-speeding": '"{{ company }} 超速"',
    "deposit-missing": '"{{ key }} 未足额"',
}


def renewed(edits: Mapping[str, str], more: str = "", without: str = "") -> Program:
    """The pack with an edit, another rule or one less; what was not edited is what it was."""
    files = [
        DeclaredFile(one.path, _replaced(one.raw, {**edits, "topic: feed.": "topic: t."}))
        for one in read_project([PACK])
        if not without or without not in one.path
    ]
    if more:
        beside = files[0].path.rsplit("/", 1)[0]
        files.append(DeclaredFile(f"{beside}/racing.yaml", more.encode()))
    loaded = load_project(files)
    project = loaded.project
    assert project is not None, [one.report() for one in loaded.problems]
    old = OLD.project.rules
    same = {
        name for name, one in project.rules.items() if name in old and one.hash == old[name].hash
    }
    return compile_project(project, OLD, same)


def _replaced(raw: bytes, words: Mapping[str, str]) -> bytes:
    for before, after in words.items():
        raw = raw.replace(before.encode(), after.encode())
    return raw


def halves() -> tuple[list[world.Sent], list[world.Sent]]:
    return [r for r in RECORDS if r.at_ms < MID_MS], [r for r in RECORDS if r.at_ms >= MID_MS]


def in_process(new: Program) -> tuple[list[Change], dict[str, list[Write]]]:
    """The same change of rules without Kafka, one partition a key space."""
    outcomes: list[Outcome] = []
    rows: dict[str, list[Write]] = {}
    for name, old in Engine(OLD).spaces.items():
        space, kept = old, dict[tuple[str, str], bytes]()
        for feed in space.program.feeds:
            space.announce(SourceId(feed))
        first = 0
        for part, until_ms in zip(halves(), (MID_MS - WAITS_MS, END_MS), strict=True):
            for feed in space.program.feeds:
                taken = [
                    Record(first + n, r.value, r.at_ms)
                    for n, r in enumerate(part)
                    if r.feed == feed
                ]
                taken.append(Record(first + len(part), world.heartbeat(until_ms), until_ms))
                space.ingest(feed, SourceId(feed), taken)
            first += len(part) + 1
            found = [space.advance()]
            if space is old:
                wanted = rows_of(old, edited(old.program, new.spaces[name]))
                space = hand_over(old, Engine(new).spaces[name], wanted)
                found.append(taken_over(space))
            outcomes += found
            for row in (row for one in found for row in one.writes):
                kept.pop((row.rule, row.key), None)
                if row.value is not None:
                    kept[row.rule, row.key] = row.value
        if kept:
            rows[name] = sorted(Write(*place, value) for place, value in kept.items())
    changes = [change for one in outcomes for change in one.changes]
    key = lambda one: (one.rule, one.key, one.at_ms, one.delivery_id)  # noqa: E731
    return sorted(changes, key=key), rows


async def first_half(stage: PaperStage, *workers: PaperWorker) -> None:
    """Everything before the change is read and saved."""
    stage.send(halves()[0])
    stage.beat(MID_MS - WAITS_MS)
    for worker in workers:
        await worker.until(lambda: stage.complete(MID_MS - WAITS_MS))


async def second_half(stage: PaperStage, worker: PaperWorker) -> None:
    """Everything after it too."""
    stage.send(halves()[1])
    stage.beat(END_MS)
    await worker.until(lambda: stage.complete(END_MS))


@pytest_asyncio.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PaperStage]:
    monkeypatch.setattr("engine.edge.streaming.hub.RETRY_S", 0.0)
    made = PaperStage(OLD, monkeypatch)
    yield made
    await made.close()


RACING = """rule: racing
title: {zh: 超速, en: A vehicle races}
status: stable
owner: tests
severity: blue
from: gps
by: vehicle
when: {match: {condition: speed > 95 km/h, quiet: 10m}}
annotations:
  summary: {zh: 超速, en: races}
"""
CHANGES = {
    "keep": renewed(edit("keep")),
    "migrate": renewed(edit("migrate")),
    "reset": renewed(edit("reset")),
    "a routed rule": renewed(edit("keep", "company-speeding")),
    "two feeds": renewed(edit("migrate", "deposit-missing")),
    "one more": renewed({}, RACING),
    "one for another": renewed({}, RACING, "vehicle-dwell"),
    "nothing": renewed({}),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_while_running_is_what_the_core_makes_of_it(
    stage: PaperStage, name: str
) -> None:
    new = CHANGES[name]
    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    assert await worker.hub.go_over(new) < 60_000
    await second_half(stage, worker)

    changes, rows = in_process(new)
    assert len(changes) > 40
    assert stage.alerts() == changes
    assert stage.rows() == rows
    kinds = {(one.rule, one.transition) for one in changes}
    assert ("racing", Transition.FIRED) in kinds or "one" not in name
    assert ("vehicle-dwell", Transition.DROPPED) in kinds or name not in {
        "reset",
        "one for another",
    }


async def test_where_one_partition_cannot_none_goes_over(stage: PaperStage) -> None:
    """The edit says nothing of what was saved; everybody goes on as if nobody had asked."""
    silent = renewed({"at_least: 20m": "at_least: 16m"})
    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    saved = stage.rows()
    with pytest.raises(StateError):
        await worker.hub.go_over(silent)
    assert stage.rows() == saved
    await second_half(stage, worker)
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["nothing"])


@pytest.mark.parametrize("refused", ["t-t.state-vehicle-1", "t-t.state-company-0", ""])
async def test_a_transaction_that_fails_after_the_change_comes_to_the_same(
    stage: PaperStage, refused: str
) -> None:
    """The unit is opened anew, from what was saved by the old rules, with the new ones."""
    failed: list[str] = []

    def refuses(name: str) -> bool:
        hit = "state" in name and (not refused or name == refused) and name not in failed
        failed.extend([name] * hit)
        return hit

    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    stage.paper.refuses = refuses
    going = asyncio.create_task(worker.hub.go_over(CHANGES["keep"]))
    await worker.until(going.done)
    assert len(failed) == (1 if refused else 9)
    await second_half(stage, worker)
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["keep"])


async def test_in_the_midst_of_a_rebalance_a_change_waits_for_its_end(stage: PaperStage) -> None:
    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    await worker.hub.revoked(set())
    going = asyncio.create_task(worker.hub.go_over(CHANGES["migrate"]))
    await asyncio.sleep(0.05)
    assert not going.done()
    await worker.hub.assigned(stage.places(), worker.generation + 1)
    await worker.until(going.done)
    await second_half(stage, worker)
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["migrate"])


async def test_a_rebalance_in_the_midst_of_a_change_waits_for_its_end(stage: PaperStage) -> None:
    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    going = asyncio.create_task(worker.hub.go_over(CHANGES["migrate"]))
    await asyncio.sleep(0)
    await worker.hub.revoked(set())
    await worker.hub.assigned(stage.places(), worker.generation + 5)
    await worker.until(going.done)
    await second_half(stage, worker)
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["migrate"])


async def test_two_workers_go_over_one_after_the_other(stage: PaperStage) -> None:
    """Partitions of a routed feed are worked on by old rules here and by new ones there."""
    workers = [stage.worker(OLD), stage.worker(OLD)]
    for number, worker in enumerate(workers):
        await worker.assign({place for place in stage.places() if place.partition % 2 == number})
    stage.send(halves()[0])
    stage.beat(MID_MS - WAITS_MS)
    await both(workers, lambda: stage.complete(MID_MS - WAITS_MS))
    for worker in workers:
        await worker.hub.go_over(CHANGES["keep"])
    stage.send(halves()[1])
    stage.beat(END_MS)
    await both(workers, lambda: stage.complete(END_MS))
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["keep"])


async def both(workers: Sequence[PaperWorker], holds: Callable[[], bool]) -> None:
    await asyncio.gather(*(worker.until(holds) for worker in workers))


async def test_who_gives_up_waiting_changes_nothing(
    stage: PaperStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.edge.streaming.changeover.WHOLE_S", 0.05)
    worker = stage.worker(OLD)
    with pytest.raises(TimeoutError):
        await worker.hub.go_over(CHANGES["keep"])
    await worker.assign(set())
    assert await worker.hub.go_over(CHANGES["keep"]) >= 0, "who has nothing goes over at once"
    await worker.assign(stage.places())
    await first_half(stage, worker)
    assert {one.rule_hash for one in stage.alerts() if one.rule == "vehicle-dwell"} == {
        CHANGES["keep"].rules["vehicle-dwell"].spec.hash
    }


async def test_a_partition_that_newer_rules_worked_on_waits_until_its_worker_has_them(
    stage: PaperStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.edge.streaming.hub.LONGEST_RETRY_S", 0.02)
    asked: list[str] = []
    old, new = stage.worker(OLD, lambda: asked.append("asked")), stage.worker(OLD)
    odd = {place for place in stage.places() if place.partition % 2}
    await old.assign(stage.places() - odd)
    await new.assign(odd)
    stage.send(halves()[0])
    stage.beat(MID_MS - WAITS_MS)
    await both([old, new], lambda: stage.complete(MID_MS - WAITS_MS))
    await new.hub.go_over(CHANGES["migrate"])
    await new.hub.close()
    await old.assign(stage.places())
    await old.until(lambda: bool(asked))
    assert not old.stopped
    assert await old.hub.go_over(CHANGES["migrate"]) >= 0
    await second_half(stage, old)
    assert asked == ["asked"]
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["migrate"])


@pytest.mark.parametrize("patient", [True, False])
async def test_who_does_not_get_the_newer_rules_ends(
    stage: PaperStage, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    """After a while; at once where nobody can bring them, or where it was started with others."""
    monkeypatch.setattr("engine.edge.streaming.hub.LONGEST_RETRY_S", 0.02)
    monkeypatch.setattr("engine.edge.streaming.changeover.OLDER_S", 0.1)
    first = stage.worker(OLD)
    await first.assign(stage.places())
    await first_half(stage, first)
    await first.hub.go_over(CHANGES["keep"])
    await first.hub.close()
    asked: list[str] = []
    old = stage.worker(OLD, lambda: asked.append("asked"))
    if patient:
        await old.assign(set())
    await old.assign(stage.places())
    await asyncio.wait_for(old.ended.wait(), 10)
    refused = old.stopped[0]
    assert isinstance(refused, StateError)
    assert refused.name == OLDER
    assert bool(asked) is patient


async def test_an_edit_may_be_taken_back_and_a_failing_transaction_does_not_hinder_it(
    stage: PaperStage,
) -> None:
    """The partitions are opened anew with [old, new] as their last rules, by the old ones."""
    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    await worker.hub.go_over(CHANGES["one more"])
    failed: list[str] = []
    stage.paper.refuses = lambda name: name not in failed and not failed.append(name)  # type: ignore[func-returns-value]
    going = asyncio.create_task(worker.hub.go_over(CHANGES["nothing"]))
    await worker.until(going.done)
    assert len(failed) >= 9
    await second_half(stage, worker)
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["nothing"])


async def test_a_batch_that_was_not_saved_is_read_again_before_anybody_goes_over(
    stage: PaperStage,
) -> None:
    """Its transaction has failed, and nobody has noticed yet: memory is further than it may be."""
    failed = asyncio.Event()

    def refuses(name: str) -> bool:
        hit = name == "t-t.state-vehicle-1" and not failed.is_set()
        if hit:
            failed.set()
        return hit

    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await worker.until(lambda: worker.hub.ready)
    stage.paper.refuses = refuses
    stage.send(halves()[0])
    worker.poll()
    await failed.wait()
    going = asyncio.create_task(worker.hub.go_over(CHANGES["nothing"]))
    await worker.until(going.done)
    assert going.result() > 0
    stage.beat(MID_MS - WAITS_MS)
    await worker.until(lambda: stage.complete(MID_MS - WAITS_MS))
    await second_half(stage, worker)
    assert (stage.alerts(), stage.rows()) == in_process(CHANGES["nothing"])


async def test_another_patience_with_silent_sources_counts_at_once(stage: PaperStage) -> None:
    """With the old rules a source may be silent for five minutes, with the new ones for two."""
    worker = stage.worker(OLD)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    worker.time += 200
    await worker.until(lambda: worker.hub.ready)
    assert not stage.ticks()
    await worker.hub.go_over(renewed({"idle_after: 5m": "idle_after: 2m"}))
    await worker.until(lambda: b"gps" in stage.ticks())
    assert worker.time < 290, "that is not the patience of before"
    assert b"permits" not in stage.ticks()


async def test_what_no_rule_wanted_before_is_routed_from_now_on(stage: PaperStage) -> None:
    narrow = renewed({"by: company": "by: company\nwhere: speed > 299 km/h"})
    worker = stage.worker(narrow)
    await worker.assign(stage.places())
    await first_half(stage, worker)
    await worker.hub.go_over(OLD)
    await second_half(stage, worker)
    fired = [one.at_ms for one in stage.alerts() if one.rule == "company-speeding"]
    assert fired
    assert min(fired) >= MID_MS - WAITS_MS
