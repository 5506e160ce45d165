"""The one operator of a rule: which there are, and that exactly one is declared."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator

from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import OperatorModel, exactly_one
from engine.ruleset.when.change import ChangeModel
from engine.ruleset.when.cluster import ClusterModel
from engine.ruleset.when.correlate import CorrelateModel
from engine.ruleset.when.corridor import CorridorModel
from engine.ruleset.when.cross import CrossModel
from engine.ruleset.when.deadline import DeadlineModel
from engine.ruleset.when.dwell import DwellModel
from engine.ruleset.when.match import MatchModel, MatchText, bare_condition
from engine.ruleset.when.near import NearModel
from engine.ruleset.when.sequence import SequenceModel
from engine.ruleset.when.silence import SilenceModel
from engine.ruleset.when.window import WindowModel


class WhenModel(Strict):
    """The one operator of a rule."""

    match: Annotated[
        MatchModel | None, BeforeValidator(bare_condition, json_schema_input_type=MatchText)
    ] = None
    dwell: DwellModel | None = None
    deadline: DeadlineModel | None = None
    cross: CrossModel | None = None
    correlate: CorrelateModel | None = None
    cluster: ClusterModel | None = None
    near: NearModel | None = None
    change: ChangeModel | None = None
    window: WindowModel | None = None
    sequence: SequenceModel | None = None
    corridor: CorridorModel | None = None
    silence: SilenceModel | None = None

    @model_validator(mode="after")
    def _not_null(self) -> Self:
        exactly_one({name: getattr(self, name) for name in OPERATORS}, *OPERATORS)
        return self

    def chosen(self) -> tuple[str, OperatorModel]:
        """The operator that is declared, with its name."""
        return next(
            (name, model) for name in OPERATORS if (model := getattr(self, name)) is not None
        )


OPERATORS = tuple(WhenModel.model_fields)


def one_operator(value: Any) -> Any:
    """Exactly one operator."""
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        refuse("R129", count=len(value), choices=", ".join(OPERATORS))
    return value
