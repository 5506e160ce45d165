"""Whom to ask how far a key is: one function for each operator's logic."""

from collections.abc import Mapping

from engine.model.progress import Progress
from engine.operators.base import Logic
from engine.operators.change import ChangeLogic
from engine.operators.cluster import ClusterLogic
from engine.operators.correlate import CorrelateLogic
from engine.operators.correlate_places import PlacesLogic
from engine.operators.corridor import CorridorLogic
from engine.operators.cross import CrossLogic
from engine.operators.deadline import DeadlineLogic
from engine.operators.dwell import DwellLogic
from engine.operators.match import MatchLogic
from engine.operators.near import NearLogic
from engine.operators.near_apart import ApartLogic
from engine.operators.near_cells import CellsLogic
from engine.operators.scatter import ScatterLogic
from engine.operators.sequence import SequenceLogic
from engine.operators.silence import SilenceLogic
from engine.operators.towards import (
    change,
    cluster,
    correlate,
    correlate_places,
    corridor,
    cross,
    deadline,
    dwell,
    match,
    near,
    sequence,
    silence,
    window,
)
from engine.operators.towards.base import NO_SIGHT, Ask, Sight
from engine.operators.window import WindowLogic
from engine.operators.window_session import SessionLogic

ASKED: Mapping[type, Ask] = {
    ApartLogic: near.apart,
    CellsLogic: near.in_cells,
    ChangeLogic: change.change,
    ClusterLogic: cluster.cluster,
    CorrelateLogic: correlate.correlate,
    PlacesLogic: correlate_places.at_places,
    CorridorLogic: corridor.corridor,
    CrossLogic: cross.cross,
    DeadlineLogic: deadline.deadline,
    DwellLogic: dwell.dwell,
    MatchLogic: match.match,
    NearLogic: near.gathered,
    ScatterLogic: near.scattered,
    SequenceLogic: sequence.sequence,
    SessionLogic: window.session,
    SilenceLogic: silence.silence,
    WindowLogic: window.window,
}


def progress_of(logic: Logic, key: str, at_ms: int, sight: Sight = NO_SIGHT) -> list[Progress]:
    """Every try of a key at an instant (event time, UTC ms), with the event that is looked at.

    It only looks: nothing of the operator's state is changed by it. A part of a rule that nobody
    asks about has no tries.
    """
    for one in logic.__class__.__mro__:  # what a crash point has put before it says so too
        if one in ASKED:
            return ASKED[one](logic, key, at_ms, sight)
    return []
