"""From what was declared under `when` to the operator's spec."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.operators.specs.base import OperatorSpec
from engine.ruleset.when import (
    change,
    cluster,
    correlate,
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
from engine.ruleset.when.base import Loading

Load = Callable[[Any, Loading], OperatorSpec | None]

LOADERS: Mapping[str, Load] = {
    "match": match.load,
    "dwell": dwell.load,
    "correlate": correlate.load,
    "cluster": cluster.load,
    "deadline": deadline.load,
    "cross": cross.load,
    "near": near.load,
    "change": change.load,
    "window": window.load,
    "sequence": sequence.load,
    "corridor": corridor.load,
    "silence": silence.load,
}


def load_when(at: Loading) -> OperatorSpec | None:
    """The operator of a rule, or None when it cannot be built; what is wrong is noted."""
    name, model = at.model.when.chosen()
    return LOADERS[name](model, at)
