"""What a start finds from before: which saved state fits the rules, and where to read on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from engine.edge import crashpoint
from engine.edge.state_tools.plan import Does, Line, refuse_misfit
from engine.edge.store import Saved, Store
from engine.errors import StateError
from engine.model.change import Change
from engine.ports import Core, Outcome, Position, Trouble, Write
from engine.ruleset.spec import RuleSpec
from engine.state.codec import OWN, unpack_meta
from engine.state.taking import closings

PARTITION = 0
"""The embedded daemon has one partition a key space."""


@runtime_checkable
class Adopting(Protocol):
    """A core that tells what taking up the state of edited rules changed."""

    def adopted(self) -> Outcome | None:
        """What must be saved before anything else happens, if anything."""


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
    """Give every key space its saved state, forgetting only what the rules say may be forgotten.

    Raises:
        StateError: an edited rule does not say what becomes of its state. Nothing was changed.

    """
    crashpoint.passing("recovery-start")
    saved = await store.saved()
    lines = refuse_misfit({space: kept.rows for (space, _), kept in saved.items()}, rules, lang)
    starts: dict[tuple[str, str], int] = {}
    frontiers: dict[tuple[str, str], int] = {}
    adopted: dict[tuple[str, int], Outcome] = {}
    for name, core in spaces.items():
        kept = saved.get((name, PARTITION), Saved())
        if kept.meta is None and not kept.rows:
            continue
        for log, position in take_up(core, kept, lang).items():
            place = Position(*position)
            starts[name, log] = place.committed
            if place.committed < place.frontier:
                frontiers[name, log] = place.frontier
        if isinstance(core, Adopting) and (outcome := core.adopted()) is not None:
            adopted[name, PARTITION] = outcome
        crashpoint.passing("recovery-half")
    if adopted:
        await store.apply(adopted)
    await _let_go(store, saved, set(spaces))
    for line in forgotten(lines):
        await store.trouble(Trouble("state-dropped", line.rule, f"{line.does} {line.keys}", 0))
    crashpoint.passing("recovery-end")
    return Recovery(starts, frontiers)


def take_up(core: Core, kept: Saved, lang: str) -> Mapping[str, Position]:
    """Give a core its saved state.

    Raises:
        StateError: a row cannot be read by its rule as it is now; in the language asked for.

    """
    try:
        return core.restore(kept.meta, kept.rows)
    except StateError as error:
        raise StateError(error.said(lang)) from error


def forgotten(lines: Sequence[Line]) -> list[Line]:
    """Of a plan, what is forgotten by it."""
    return [line for line in lines if line.old and line.does in (Does.GONE, Does.RESET)]


async def _let_go(
    store: Store, saved: Mapping[tuple[str, int], Saved], spaces: Collection[str]
) -> None:
    """Forget key spaces that no rule has any more; receivers hear that their alerts are closed."""
    lost = {space for space, _ in saved} - set(spaces)
    if not lost:
        return
    changes: list[Change] = []
    for (space, _), kept in sorted(saved.items()):
        if space in lost:
            watermark = 0 if kept.meta is None else unpack_meta(kept.meta).watermark
            changes += closing_of(kept.rows, watermark)
    if changes:
        await store.accept(changes, {})
    await store.forget((), lost)


def closing_of(rows: Sequence[Write], watermark: int) -> list[Change]:
    """The ends of the open alerts in the rows of a key space that is gone."""
    own = sorted(row for row in rows if not row.rule.startswith(OWN))
    return [change for row in own for change in closings(row, watermark)]
