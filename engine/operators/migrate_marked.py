"""`on_change: migrate` for operators whose rows say themselves what they mean.

    row       [what was kept ..., mark], episodes        mark: a fingerprint of `spec.meaning()`
    edit      mark as before: limits, times, levels      the facts stay, the new rule judges them
              another mark: other steps, another value   refused: the facts are about something else

Rules in parts have rows in each: of `near` where keys are, who is in company in a cell, what has
lasted. What the new rule makes of them together is asked in each part at one instant (`anew`).

Buckets of a window mean what `of` and `every` meant, a run of a sequence is a place in its steps,
a side of `cross` belongs to one layer, progress on a corridor to one kind of watch. What only
judges these (how much, how long, how often) may change.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.operators import migrate
from engine.operators.change import ChangeLogic
from engine.operators.correlate_places import PlacesLogic
from engine.operators.corridor import CorridorLogic
from engine.operators.cross import CrossLogic
from engine.operators.migrate import Convert, Unconvertible, Why, episodes
from engine.operators.near import NearLogic
from engine.operators.near_apart import ApartLogic
from engine.operators.near_cells import CellsLogic
from engine.operators.near_ground import GroundLogic
from engine.operators.scatter import ScatterLogic
from engine.operators.sequence import SequenceLogic
from engine.operators.window import WindowLogic
from engine.operators.window_session import SessionLogic

_WAKE, _MARKED = 1, 4
_SESSION_WAKE, _SESSION_LAST, _SESSION_MARKED = 3, 1, 8
_HIT, _CHANGE_WAKE, _CHANGE_MARKED = 2, 4, 7
_FIX_AT, _HITS, _CROSS_WAKE, _CROSS_MARKED = 0, 4, 5, 7
_TIMES, _CORRIDOR_MARKED = 5, 7
_BOOK, _SEQUENCE_MARKED = 2, 4
_SCATTER_MARKED, _CELLS_MARKED, _GROUND_MARKED = 5, 4, 10
_SIGNAL_MARKED, _SITE_WAKE, _SITE_MARKED = 10, 5, 7


def migration(logic: Any) -> Convert | None:
    """How rows of this rule are converted, or None where only `keep` and `reset` are possible."""
    convert = MARKED.get(type(logic))
    if convert is None:
        return migrate.migration(logic)
    return lambda saved, now_ms: convert(logic, saved, now_ms)


def _facts(logic: Any, saved: Any, values: int) -> tuple[list[Any] | None, list[Any]]:
    """The operator's own part of a row, a copy, and the episodes.

    Raises:
        Unconvertible: Another operator wrote it, or an older build, or it is about something else.

    """
    plain, opened = _shaped(saved)
    if plain is None:
        return None, opened
    if len(plain) == values - 1:
        raise Unconvertible(Why.OLDER)
    if len(plain) != values:
        raise Unconvertible(Why.OPERATOR)
    if plain[-1] != logic.mark:
        raise Unconvertible(Why.MEANING)
    return list(plain), opened


def _shaped(saved: Any) -> tuple[list[Any] | None, list[Any]]:
    """The operator's own part of a row and the episodes, whatever the part holds."""
    if not isinstance(saved, list) or len(saved) != 2:  # noqa: PLR2004 - facts and episodes
        raise Unconvertible(Why.OPERATOR)
    return saved[0], saved[1]


def window(logic: WindowLogic, saved: Any, now_ms: int) -> Any:
    """Buckets stay; the window as it is now is judged at the next edge.

    A longer window has no buckets of before the old one reached: it fills up from the edit on.
    """
    plain, opened = _facts(logic, saved, _MARKED)
    if plain is not None:
        every, offset = logic.spec.every_ms, logic.offset_ms
        plain[_WAKE] = -(-(now_ms + offset) // every) * every - offset
    return [plain, episodes(logic.life, opened, now_ms)]


def session(logic: SessionLogic, saved: Any, now_ms: int) -> Any:
    """An open session goes on; by a shorter gap it may be over at once."""
    plain, opened = _facts(logic, saved, _SESSION_MARKED)
    if plain is not None:
        plain[_SESSION_WAKE] = max(plain[_SESSION_LAST] + logic.spec.gap_ms, now_ms)
    return [plain, episodes(logic.life, opened, now_ms)]


def change(logic: ChangeLogic, saved: Any, now_ms: int) -> Any:
    """Values stay; the next sample is judged by the new limit."""
    plain, opened = _facts(logic, saved, _CHANGE_MARKED)
    if plain is not None and plain[_HIT]:
        quiet = logic.spec.quiet_ms
        plain[_HIT] = max(plain[_HIT], now_ms - quiet) if quiet else 0
    return [plain, episodes(logic.life, opened, now_ms)]


def cross(logic: CrossLogic, saved: Any, now_ms: int) -> Any:
    """Settled sides stay settled; what they mean is judged by the next fix."""
    plain, opened = _facts(logic, saved, _CROSS_MARKED)
    if plain is not None:
        oldest = now_ms - logic.spec.quiet_ms if logic.spec.quiet_ms else 0
        plain[_HITS] = [[one, max(at, oldest)] for one, at in plain[_HITS]]
        plain[_CROSS_WAKE] = max(plain[_FIX_AT] + logic.spec.forget_ms, now_ms)
    return [plain, episodes(logic.life, opened, now_ms)]


def corridor(logic: CorridorLogic, saved: Any, now_ms: int) -> Any:
    """Where a key was on its route stays; whether that is too long is asked at once."""
    plain, opened = _facts(logic, saved, _CORRIDOR_MARKED)
    if plain is not None:
        holds, quiet, _ = plain[_TIMES]
        plain[_TIMES] = [holds, quiet, max(now_ms, 1)]
    return [plain, episodes(logic.life, opened, now_ms)]


def sequence(logic: SequenceLogic, saved: Any, now_ms: int) -> Any:
    """Steps that were taken stay taken; runs whose time is over by the new limits end at once."""
    plain, opened = _facts(logic, saved, _SEQUENCE_MARKED)
    if plain is not None:
        part, rest, quiet, last, dropped, _ = plain[_BOOK]
        plain[_BOOK] = [part, rest, quiet, last, dropped, max(now_ms, 1)]
    return [plain, episodes(logic.life, opened, now_ms)]


def scattered(logic: ScatterLogic, saved: Any, _now_ms: int) -> Any:
    """Where a key is stays; what it is to a gathering is judged by the parts that follow."""
    plain, opened = _facts(logic, saved, _SCATTER_MARKED)
    return [plain, opened]


def cells(logic: CellsLogic, saved: Any, now_ms: int) -> Any:
    """Who is in a cell stays; who of them is in company by the new numbers is told at once."""
    plain, opened = _facts(logic, _settled(saved, _CELLS_MARKED), _CELLS_MARKED)
    return [None if plain is None else [*plain, max(now_ms, 1)], opened]


def ground(logic: GroundLogic, saved: Any, now_ms: int) -> Any:
    """How long keys have been in company stays; whether that is enough is asked at once."""
    plain, opened = _facts(logic, _settled(saved, _GROUND_MARKED), _GROUND_MARKED)
    plain = None if plain is None else [*plain, max(now_ms, 1)]
    return [plain, episodes(logic.life, opened, now_ms)]


def places(logic: PlacesLogic, saved: Any, now_ms: int) -> Any:
    """Signals are known by their names, sites by their anchors; what is enough is asked at once."""
    plain, opened = _shaped(saved)
    if plain and isinstance(plain[0], str):
        (kept, _) = _facts(logic, _settled([plain, opened], _SIGNAL_MARKED), _SIGNAL_MARKED)
        return [[*(kept or ()), max(now_ms, 1)], []]
    sites = []
    for one in plain or ():
        (kept, _) = _facts(logic, _settled([one, []], _SITE_MARKED), _SITE_MARKED)
        kept = kept or []
        kept[_SITE_WAKE] = 0
        sites.append([*kept, max(now_ms, 1)])
    return [sites, episodes(logic.life, opened, now_ms)]


def _settled(saved: Any, values: int) -> Any:
    """A row without the instant at which an edit before this one was to be judged."""
    plain, opened = _shaped(saved)
    return [None if plain is None else plain[:values], opened]


MARKED: Mapping[type, Callable[[Any, Any, int], Any]] = {
    WindowLogic: window,
    SessionLogic: session,
    ChangeLogic: change,
    CrossLogic: cross,
    CorridorLogic: corridor,
    SequenceLogic: sequence,
    ScatterLogic: scattered,
    CellsLogic: cells,
    NearLogic: ground,
    ApartLogic: ground,
    PlacesLogic: places,
}
