"""What `routes_test.yaml` may say: facts of an alert, and where it must go."""

from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import BeforeValidator, Field

from engine.cases.declared.schema import AreaCode, Instant, TierName, digits_as_text
from engine.cases.declared.schema_routes import Emptiable
from engine.cases.declared.schema_timings import StageName
from engine.ruleset.schema_types import Identifier, SeverityName, Text
from engine.ruleset.shape import Strict

LabelText = Annotated[str, BeforeValidator(digits_as_text, json_schema_input_type=Text | int)]


class RouteTestAlertModel(Strict):
    """The facts of an alert; what is left out its rule says."""

    rule: Text
    severity: SeverityName | None = None
    key: Text = "1"
    pack: Text | None = None
    dispatch: Text | None = None
    labels: dict[Identifier, LabelText] = Field(default={})
    at: Annotated[list[float | int], Field(min_length=2, max_length=2)] | None = None


class RouteTestExpectModel(Strict):
    """What must be decided; what is not named is not looked at."""

    route: Text | None = None
    lead: Text | None = None
    host: Text | None = None
    assisting: Emptiable | None = None
    tier: TierName | None = None
    centre: AreaCode | None = None
    area: AreaCode | None = None
    timing: Text | None = None
    dispatch: Literal["at-once", "by-hand"] | None = None
    sinks: Emptiable | None = None
    quiet: Text | Literal[False] | None = None
    due: dict[StageName, Instant] = Field(default={})


class RouteTestModel(Strict):
    """One alert at one instant, and what must come of it."""

    name: Text
    alert: RouteTestAlertModel
    time: Instant = "2026-03-02 09:00"
    open: list[RouteTestAlertModel] = Field(default=[])
    expect: RouteTestExpectModel


class RouteTestsModel(Strict):
    """`routes_test.yaml`, key by key."""

    route_tests: Annotated[list[RouteTestModel], MinLen(1)]
