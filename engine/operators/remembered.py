"""Which rows a rule would leave if it saved all that it remembers now: the keys of those rows.

Most operators keep one row for each key of their key space. Rules over places keep rows for what
is in a map cell, or for what is anywhere, under one owner.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.model.row_keys import row_key
from engine.operators.correlate_places import PlacesLogic
from engine.operators.near import NearLogic
from engine.operators.near_apart import ApartLogic
from engine.operators.near_cells import CellsLogic
from engine.operators.near_ground import GroundLogic

Keys = Callable[[Any], Iterable[str]]


def rows_remembered(logic: Any) -> set[str]:
    """The keys of all rows that `save` might answer something for."""
    own = OWN.get(type(logic), _each)
    return set(own(logic))


def _each(logic: Any) -> set[str]:
    """Keys with anything of the operator's own, an open episode, a rest, or a proof to come."""
    life = logic.life
    keys: set[str] = {*logic.keys, *life.open, *life.rests}
    return keys if life.proofs is None else keys | life.proofs.keys.keys()


def _of_cells(logic: CellsLogic) -> Iterable[str]:
    return (row_key(cell, who) for cell, full in logic.keys.items() for who in full.members)


def _on_ground(logic: GroundLogic) -> Iterable[str]:
    return map(logic.host.row, _each(logic))


def _at_sites(logic: PlacesLogic) -> Iterable[str]:
    return map(logic.host.row, _each(logic) | {site.ref[0] for site in logic.sites.values()})


OWN: Mapping[type, Keys] = {
    CellsLogic: _of_cells,
    NearLogic: _on_ground,
    ApartLogic: _on_ground,
    PlacesLogic: _at_sites,
}
