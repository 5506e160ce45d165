"""What `timings.yaml` may say: hours that count, limits of each stage, ladders behind them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.cases.declared.schema import DeskHoursModel
from engine.ruleset.quantities import PeriodText
from engine.ruleset.schema_types import Id, Names, Text
from engine.ruleset.shape import Strict, refuse

StageName = Literal["dispatch", "sign", "arrive", "resolve", "verify", "call-back", "return"]
StepName = Literal["remind", "supervise", "lift", "criticise", "reassign"]


class DeskLimitModel(Strict):
    """How long a stage may take."""

    within: PeriodText
    hours: Text | None = None
    warn: PeriodText | None = None
    extend: PeriodText | None = None
    pausable: bool = True


class DeskRungModel(Strict):
    """One step of a ladder."""

    after: PeriodText
    do: StepName
    sinks: Names | None = None
    to: Text | None = None

    @model_validator(mode="after")
    def _to_whom(self) -> Self:
        if self.do == "reassign" and self.to is None:
            refuse("R148", missing="to", kind="reassign")
        if self.do != "reassign" and self.to is not None:
            refuse("R147", text="to", kind=self.do, at="to")
        return self


class DeskTimingModel(Strict):
    """The limits of every stage, and what happens when one passes."""

    source: Text
    status: Literal["verified", "unverified", "proposed"]
    limits: Annotated[dict[StageName, DeskLimitModel], Field(min_length=1)]
    ladder: dict[StageName, list[DeskRungModel]] = Field(default={})


class TimingsModel(Strict):
    """`timings.yaml`, key by key."""

    hours: dict[Id, DeskHoursModel] = Field(default={})
    timings: Annotated[dict[Id, DeskTimingModel], Field(min_length=1)]
