"""What of a partition is saved, and how it is taken up again."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.operators.remembered import rows_remembered
from engine.ports import Outcome, Position, SourceId, Write
from engine.ruleset.spec import RuleSpec
from engine.state.codec import REMEMBERED, Meta, pack_meta, pack_row, unpack_meta
from engine.state.log import Log
from engine.state.taking import passed, take_up

if TYPE_CHECKING:
    from engine.pipeline import Space


def record(space: "Space", watermark: int) -> bytes:
    """The partition's own record: positions, watermarks, repeats, quarantine, budgets."""
    logs = sorted(space.logs.items())
    resting = {p.source for p in space.logs.values() if p.rests and p.source is not None}
    budgets = {
        rule.spec.id: (budget.hour, budget.count)
        for rule, logic in zip(space.program.rules, space.logics, strict=True)
        if (budget := logic.life.judge.budget).limit
    }
    meta = Meta(
        watermark=watermark,
        sources={_text(source): w for source, w in sorted(space.progress.sources.items())},
        positions={name: place.position for name, place in logs},
        origins={name: _text(place.source) for name, place in logs if place.source is not None},
        idle=sorted(map(_text, space.progress.idle | resting)),
        seen=sorted(
            (space.program.feeds[feed], key, rank, at)
            for (feed, key, rank), at in space.seen.items()
        ),
        troubled=space.quarantine.save(),
        fired=budgets,
        rulesets=space.rulesets,
    )
    return pack_meta(meta)


def collect(space: "Space", outcome: Outcome, released: int) -> None:
    """Collect the state rows that changed and how far each log was read."""
    for place in space.logs.values():
        place.settle(space.buffer, released)
        outcome.positions[place.name] = place.position
    for rule, logic, dirty in zip(space.program.rules, space.logics, space.dirty, strict=True):
        stamp, save = rule.spec.hash, logic.save
        for key in sorted(dirty):
            kept = save(key)
            value = None if kept is None else pack_row(stamp, kept)
            outcome.writes.append(Write(rule.spec.id, key, value))
    for cleaning in space.cleaning.values():
        outcome.writes += cleaning.writes()
    if space.carried:
        outcome.writes += passed(space)
    if space.pending:
        there = {(write.rule, write.key) for write in outcome.writes}
        outcome.writes += [Write(*one, None) for one in sorted(space.pending - there)]
        space.pending = set()


def rows_of(space: "Space", rules: Collection[str]) -> list[Write]:
    """The rows of some rules (by id), packed from memory: what the outcomes so far have saved.

    Ask between two outcomes. Rows that lie dormant are given as they were read. A key that came
    from a partition that was further on has its row without that instant, which the partition
    itself remembers (`space.floors`).
    """
    found: list[Write] = []
    for number, (rule, logic) in enumerate(zip(space.program.rules, space.logics, strict=True)):
        name = rule.spec.id
        if name not in rules:
            continue
        rows = dict(space.dormant.rows.get(number, {}))
        for key in rows_remembered(logic) - rows.keys():
            if (kept := logic.save(key)) is not None:
                rows[key] = pack_row(rule.spec.hash, kept)
        found += [Write(name, key, rows[key]) for key in sorted(rows)]
    return found


def restore(
    space: "Space", meta: bytes | None, rows: Sequence[Write]
) -> tuple[Mapping[str, Position], list[tuple[int, str]]]:
    """Take up what was saved.

    Returns:
        From where each log must be read again, and the keys (rule number, key) that must be
        written anew because their rule was edited.

    Raises:
        StateError: The state was written by other rules and no `on_change` says what to do.

    """
    found = Meta() if meta is None else unpack_meta(meta)
    if meta is not None:
        space.progress.watermark = found.watermark
    for text, watermark in found.sources.items():
        if space.program.hears(_source(text)):  # one that is gone would hold time back for ever
            space.progress.reach(_source(text), watermark)
    for text in found.idle:
        if space.program.hears(_source(text)):
            space.progress.rest(_source(text))
    for name, position in found.positions.items():
        _resume(space, space.log(name), Position(*position), found)
    space.seen = {
        (space.feed_numbers[feed], key, rank): at
        for feed, key, rank, at in found.seen
        if feed in space.feed_numbers
    }
    space.quarantine.load(found.troubled)
    space.handlers.settle()
    anew = take_up(space, rows)
    for rule, logic in zip(space.program.rules, space.logics, strict=True):
        if rule.spec.id in found.fired:
            budget = logic.life.judge.budget
            budget.hour, budget.count = found.fired[rule.spec.id]
    space.rulesets = with_last(found.rulesets, ruleset(rule.spec for rule in space.program.rules))
    return {name: place.position for name, place in space.logs.items()}, anew


def _resume(space: "Space", place: Log, position: Position, found: Meta) -> None:
    """Take up one log; its waiting records hold the watermark back until they are read again."""
    place.resume(position)
    origin = found.origins.get(place.name)
    if origin is None or not space.program.hears(_source(origin)):
        return
    place.source = _source(origin)
    if place.rereading:
        place.rests = origin in found.idle
        space.progress.reread(place.source, position.before_ms)


def ruleset(rules: Iterable[RuleSpec]) -> str:
    """Fingerprint of the rules of a key space and of what their edits say about state."""
    lines = sorted(
        f"{rule.id} {rule.hash}"
        + (f" {rule.on_change.from_hash} {rule.on_change.do}" if rule.on_change else "")
        for rule in rules
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def with_last(before: list[str], own: str) -> list[str]:
    """The rule sets that worked on a partition, ours last."""
    return [*(one for one in before if one != own), own][-REMEMBERED:]


def _text(source: SourceId) -> str:
    return f"{source.partition}/{source.feed}"


def _source(text: str) -> SourceId:
    partition, feed = text.split("/", 1)
    return SourceId(feed, int(partition))
