"""`match` made ready."""

from engine.operators.match import MatchLogic
from engine.operators.specs.match import MatchSpec
from engine.ruleset.making.base import Make, Making


def make(when: MatchSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    condition = at.function(when.condition)
    extras = at.names if at.asks_more(when.condition) else None
    return lambda host, emit, overflow, _owns: MatchLogic(
        when, condition, extras, at.judge(emit, overflow), host, at.codec
    )
