"""`change` made ready."""

from engine.operators.change import ChangeLogic
from engine.operators.specs.change import ChangeSpec
from engine.ruleset.making.base import Make, Making


def make(when: ChangeSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    of, limit = at.function(when.of), at.maybe(when.limit)
    return lambda host, emit, overflow, _owns: ChangeLogic(
        when, of, limit, at.names, at.judge(emit, overflow), host, at.codec
    )
