"""What a start finds from before: which saved state fits the rules, and where to read on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from engine.edge import crashpoint
from engine.edge.store import Place, Saved, Store
from engine.errors import StateError
from engine.ports import Core, Position, Trouble, Write
from engine.ruleset.spec import RuleSpec
from engine.state.codec import CLEANING, Fate, Plan, pack_row, plan_state, unpack_row
from engine.text import say

PARTITION = 0
"""The embedded daemon has one partition a key space."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where a restored daemon goes on.

    Attributes:
        starts: For each (key space, log), the offset below which that space needs nothing.
        frontiers: For each (key space, log) of which records waited for their turn, the end of
            what had been read: up to there they must be read again before event time moves on.

    """

    starts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    frontiers: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def resume(self, readers: Collection[str]) -> dict[str, int]:
        """From where each log is read for these key spaces: the lowest offset any of them needs.

        A log that one of them never read is not named: it is read from its start, and the
        others pass over what they have.
        """
        logs = {log for _, log in self.starts}
        return {
            log: min(self.starts[name, log] for name in readers)
            for log in logs
            if readers and all((name, log) in self.starts for name in readers)
        }


async def recover(
    store: Store, spaces: Mapping[str, Core], rules: Mapping[str, RuleSpec], lang: str
) -> Recovery:
    """Give every key space its saved state, dropping only what the rules say may be dropped.

    Raises:
        StateError: an edited rule does not say what becomes of its state. Nothing was changed.

    """
    crashpoint.passing("recovery-start")
    saved = await store.saved()
    every = [row for kept in saved.values() for row in kept.rows]
    plan = plan_state(rules, every)
    _refuse(plan, saved, rules, lang)
    await _drop(store, saved, plan, spaces, rules)
    await _approve(store, saved, plan, rules)
    saved = await store.saved()
    starts: dict[tuple[str, str], int] = {}
    frontiers: dict[tuple[str, str], int] = {}
    for name, core in spaces.items():
        kept = saved.get((name, PARTITION), Saved())
        if kept.meta is None and not kept.rows:
            continue
        for log, position in core.restore(kept.meta, kept.rows).items():
            place = Position(*position)
            starts[name, log] = place.committed
            if place.committed < place.frontier:
                frontiers[name, log] = place.frontier
        crashpoint.passing("recovery-half")
    crashpoint.passing("recovery-end")
    return Recovery(starts, frontiers)


def _refuse(
    plan: Plan, saved: Mapping[Place, Saved], rules: Mapping[str, RuleSpec], lang: str
) -> None:
    """Stop with the whole plan when any rule's state has no declared fate."""
    lines: list[str] = []
    for rule, (fate, old) in sorted(plan.fates.items()):
        if fate is Fate.ORPHAN:
            continue
        count = sum(row.rule == rule for kept in saved.values() for row in kept.rows)
        spec = rules[rule]
        moved = sorted(
            {
                space
                for (space, _), kept in saved.items()
                if space != spec.space and any(row.rule == rule for row in kept.rows)
            }
        )
        if fate is Fate.REFUSED:
            new = spec.hash
            lines.append(
                say("state-misfit-rule", lang, rule=rule, count=count, old=old[:6], new=new[:6])
            )
        elif moved and fate is not Fate.RESET:
            found = {"rule": rule, "count": count, "hash": old[:6]}
            lines.append(
                say("state-misfit-space", lang, old=", ".join(moved), new=spec.space, **found)
            )
    orphans = sorted(rule for rule, (fate, _) in plan.fates.items() if fate is Fate.ORPHAN)
    if orphans and len(orphans) == len(plan.fates):
        lines.append(say("state-misfit-all", lang, rules=", ".join(orphans)))
    if lines:
        raise StateError("\n".join([say("state-misfit", lang), *lines]))


async def _drop(
    store: Store,
    saved: Mapping[Place, Saved],
    plan: Plan,
    spaces: Mapping[str, Core],
    rules: Mapping[str, RuleSpec],
) -> None:
    """Forget the state of rules that are gone or reset, and of key spaces that are gone."""
    gone: dict[tuple[str, str], tuple[str, int]] = {}
    for (space, _), kept in saved.items():
        for rule, count in _counts(kept.rows).items():
            fate = plan.fates[rule][0]
            if fate in (Fate.ORPHAN, Fate.RESET) or rules[rule].space != space:
                gone[space, rule] = (str(fate), count)
    lost = {space for space, _ in saved} - set(spaces)
    if not gone and not lost:
        return
    await store.forget(gone.keys(), lost)
    for (_, rule), (why, count) in gone.items():
        await store.trouble(Trouble("state-dropped", rule, f"{why} {count}", 0))


async def _approve(
    store: Store, saved: Mapping[Place, Saved], plan: Plan, rules: Mapping[str, RuleSpec]
) -> None:
    """Note on kept rows that the rule as it is now has taken them over.

    Without this a second edit would have to approve the hashes of both rules before it.
    """
    for place, kept in saved.items():
        taken = [
            Write(row.rule, row.key, pack_row(rules[row.rule].hash, unpack_row(row.value)[1]))
            for row in kept.rows
            if row.value is not None
            and row.rule in plan.fates
            and plan.fates[row.rule][0] is Fate.KEEP
        ]
        if taken:
            await store.rewrite(place, taken)


def _counts(rows: Sequence[Write]) -> dict[str, int]:
    """Keys by rule, the feeds' own cleaning left out."""
    counts: dict[str, int] = {}
    for row in rows:
        if not row.rule.startswith(CLEANING):
            counts[row.rule] = counts.get(row.rule, 0) + 1
    return counts
