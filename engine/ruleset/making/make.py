"""Which file makes which operator ready."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.operators.specs.base import OperatorSpec
from engine.operators.specs.change import ChangeSpec
from engine.operators.specs.deadline import DeadlineSpec
from engine.operators.specs.dwell import DwellSpec
from engine.operators.specs.match import MatchSpec
from engine.operators.specs.window import WindowSpec
from engine.operators.specs.silence import SilenceSpec
from engine.ruleset.making import change, deadline, dwell, match, silence, window
from engine.ruleset.making.base import Make, Making

MAKERS: Mapping[type[OperatorSpec], Callable[[Any, Making], Make]] = {
    MatchSpec: match.make,
    DwellSpec: dwell.make,
    DeadlineSpec: deadline.make,
    ChangeSpec: change.make,
    WindowSpec: window.make,
    SilenceSpec: silence.make,
}


def maker(at: Making) -> Make:
    """The function that makes the rule's operator for one partition."""
    return MAKERS[type(at.rule.when)](at.rule.when, at)
