"""What of a partition is saved, and how it is taken up again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.errors import StateError
from engine.ports import Position, SourceId, Write
from engine.state.codec import Fate, Meta, pack_meta, plan_state, unpack_meta, unpack_row
from engine.state.log import Log

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
    )
    return pack_meta(meta)


def restore(space: "Space", meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
    """Take up what was saved; answers from where each log must be read again.

    Raises:
        StateError: The state was written by other rules and no `on_change` says what to do.

    """
    plan = plan_state({rule.spec.id: rule.spec for rule in space.program.rules}, rows)
    if plan.refused:
        raise StateError(", ".join(sorted(plan.refused)))
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
    _load(space, plan.fates, rows)
    for rule, logic in zip(space.program.rules, space.logics, strict=True):
        if rule.spec.id in found.fired:
            budget = logic.life.judge.budget
            budget.hour, budget.count = found.fired[rule.spec.id]
    return {name: place.position for name, place in space.logs.items()}


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


def _load(space: "Space", fates: Mapping[str, tuple[Fate, str]], rows: Sequence[Write]) -> None:
    """Give every row to the rule, or the feed's cleaning, that wrote it."""
    numbers = {rule.spec.id: number for number, rule in enumerate(space.program.rules)}
    cleanings = {cleaning.rule: cleaning for cleaning in space.cleaning.values()}
    for row in rows:
        if row.value is None:
            continue
        if row.rule in cleanings:
            cleanings[row.rule].load(row.key, unpack_row(row.value)[1])
        elif row.rule in numbers and fates[row.rule][0] is not Fate.RESET:
            space.logics[numbers[row.rule]].load(row.key, unpack_row(row.value)[1])


def _text(source: SourceId) -> str:
    return f"{source.partition}/{source.feed}"


def _source(text: str) -> SourceId:
    partition, feed = text.split("/", 1)
    return SourceId(feed, int(partition))
