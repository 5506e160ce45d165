"""What `routes.yaml` may say: what holds everywhere, and the branches that say otherwise."""

from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import BeforeValidator, Field

from engine.cases.declared.schema import DeskMatchModel, TierName
from engine.ruleset.quantities import Distance, Duration
from engine.ruleset.schema_types import Id, Names, SeverityName, Text
from engine.ruleset.shape import Strict

Severities = Literal["blue", "yellow", "orange", "red", "never"]
By = Literal["entity", "place", "rule", "area", "labels"]


def _listed(value: Any) -> Any:
    """A single word where a list may stand."""
    return [value] if isinstance(value, str) else value


def _none(value: Any) -> Any:
    """`false` says that there is none, where a name may stand."""
    return "" if value is False else value


Sinkless = Annotated[
    str, BeforeValidator(_none, json_schema_input_type=Text | Literal[False]), Field(max_length=80)
]
"""A sink, or `false` for none."""

Emptiable = Annotated[
    list[Text], BeforeValidator(_listed, json_schema_input_type=Text | list[Text])
]
"""Names, or `[]` for none although the branch above has some."""


class DeskGroupModel(Strict):
    """When an alert joins an incident that is open instead of opening its own."""

    by: Annotated[
        list[By],
        BeforeValidator(_listed, json_schema_input_type=By | list[By]),
        MinLen(1),
    ] = Field(default=["entity", "rule"])
    labels: Names | None = None
    radius: Distance | None = None
    within: Duration = 0
    recur: Duration = 0


class DeskProofModel(Strict):
    """What must be there before a case may close."""

    stream: bool = True
    receipt: bool = True
    call_back: bool = False
    quiet: Duration = 600_000
    verdict: Literal["true", "false", "duplicate", "elsewhere"] | None = None


class DeskSayModel(Strict):
    """What a branch may say about the alerts that come to it."""

    host: Text | None = None
    assisting: Emptiable | None = None
    group: DeskGroupModel | None = None
    proof: DeskProofModel | None = None
    dispatch: Literal["at-once", "by-hand"] | None = None
    lift_from: SeverityName | Literal["never"] | None = None
    repeat: Duration | None = None
    refer: Sinkless | None = None
    sinks: Emptiable | None = None


class DeskDefaultModel(DeskSayModel):
    """What holds for every alert unless a branch says otherwise."""

    lead: Text
    tier: TierName
    timing: Text


class DeskBranchModel(DeskSayModel):
    """A branch: which alerts come to it, and what it says otherwise than the branch above it."""

    route: Id
    when: DeskMatchModel = DeskMatchModel()
    lead: Text | None = None
    tier: TierName | None = None
    timing: Text | None = None
    go_on: bool = False
    branches: Annotated[list["DeskBranchModel"], Field(max_length=1000)] = Field(default=[])


class DeskRoutesModel(Strict):
    """`routes.yaml`, key by key."""

    default: DeskDefaultModel
    branches: Annotated[list[DeskBranchModel], Field(max_length=1000)] = Field(default=[])
