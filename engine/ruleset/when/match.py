"""`match` as declared: an event satisfies the condition, or several do within a time."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from engine.operators.specs.match import MatchSpec
from engine.ruleset.quantities import Duration
from engine.ruleset.schema_types import Expression
from engine.ruleset.shape import Strict
from engine.ruleset.when.base import Doubt, Loading, OperatorModel

_MANY_HITS = 1000


def bare_condition(value: Any) -> Any:
    """A bare condition where a mapping may stand."""
    return {"condition": value} if isinstance(value, str | bool) else value


class Times(Strict):
    """N events within a time."""

    count: Annotated[int, Field(ge=1, le=10_000)]
    within: Duration


class MatchModel(OperatorModel):
    """`match`: an event satisfies the condition."""

    condition: Expression
    times: Times | None = None
    quiet: Duration | None = None

    def doubts(self) -> Iterable[Doubt]:
        """Counting keeps the time of every hit."""
        if self.times and self.times.count > _MANY_HITS:
            yield ("times", "count"), "W103", {"count": self.times.count}


MatchText = Expression | MatchModel | None
"""`match` as written: a bare condition, or its mapping."""


def load(model: MatchModel, at: Loading) -> MatchSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    condition = at.condition(model.condition, "match", "condition")
    if condition is None:
        return None
    count, within = (model.times.count, model.times.within) if model.times else (1, 0)
    if model.times:
        at.positive(within, "match", "times", "within")
    at.positive(model.quiet, "match", "quiet")
    return MatchSpec(condition, count, within, model.quiet or 0)
