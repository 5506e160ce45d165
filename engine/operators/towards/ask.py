"""Whom to ask how far a key is: one function for each operator's logic."""

from collections.abc import Mapping

from engine.model.progress import Progress
from engine.operators.base import Logic
from engine.operators.deadline import DeadlineLogic
from engine.operators.dwell import DwellLogic
from engine.operators.match import MatchLogic
from engine.operators.towards import deadline, dwell, match
from engine.operators.towards.base import NO_SIGHT, Ask, Sight

ASKED: Mapping[type, Ask] = {
    DeadlineLogic: deadline.deadline,
    DwellLogic: dwell.dwell,
    MatchLogic: match.match,
}


def progress_of(logic: Logic, key: str, at_ms: int, sight: Sight = NO_SIGHT) -> list[Progress]:
    """Every try of a key at an instant (event time, UTC ms), with the event that is looked at.

    It only looks: nothing of the operator's state is changed by it.
    """
    return ASKED[type(logic)](logic, key, at_ms, sight)
