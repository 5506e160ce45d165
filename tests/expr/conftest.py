"""A feed of vehicles, its scope and a way to ask an expression, for all tests of expressions."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import Location
from engine.ruleset.expr import (
    ALERT_EXTRAS,
    EXTRAS,
    Scope,
    Tools,
    Type,
    Typed,
    check,
    compile_condition,
    compile_value,
    parse,
)

AT = Location("rule.yaml", 3, 8)
T0 = 1_772_413_800_000  # Monday 2026-03-02 09:10 in Shanghai
NUMBER = Type("number")


@pytest.fixture(scope="session")
def scope() -> Scope:
    """Fields of a vehicle, look-ups, and the engine's own names."""
    waybill = {
        "destination_zone": Type("text"),
        "depart": Type("time"),
        "load": Type("number", unit="kg"),
    }
    start = {"contract_sum": Type("number", unit="CNY"), "rate": Type("number", unit="%")}
    names = {
        "vehicle": Type("text"),
        "speed": Type("number", nullable=True, unit="km/h"),
        "hazard_class": Type("text", nullable=True),
        "accuracy": Type("number", unit="m"),
        "lon": NUMBER,
        "lat": NUMBER,
        "workers": NUMBER,
        "amount": Type("number", nullable=True, unit="CNY"),
        "score": Type("number", nullable=True),
        "reported": Type("time", nullable=True),
        "located": Type("bool"),
        "valve_open": Type("bool", nullable=True),
        "waybill": Type("record", nullable=True, fields=waybill),
        "start": Type("record", nullable=True, fields=start),
        "site": Type("record", nullable=True, fields={"name": Type("text")}),
        "watched": Type("list", item=Type("text")),
        **EXTRAS,
        **ALERT_EXTRAS,
    }
    event = {
        "vehicle", "speed", "hazard_class", "accuracy", "lon", "lat", "workers", "amount", "score",
        "reported", "located", "valve_open",
    }  # fmt: skip
    zones = {"licensed-sites", "park-3"}
    return Scope(names, event, ("lon", "lat"), zones, {"cn"})


@pytest.fixture
def event() -> SimpleNamespace:
    """A tanker of class 3 that creeps along."""
    return SimpleNamespace(
        vehicle="苏F12345-yellow",
        speed=4.0,
        hazard_class="3",
        accuracy=20,
        lon=120.91,
        lat=32.01,
        workers=3,
        amount=2_000_000,
        score=None,
        reported=T0,
        located=True,
        valve_open=None,
    )


@pytest.fixture
def extras() -> dict[str, object]:
    """The rest of what a rule knows 40 hours later."""
    return {
        "event_time": T0 + 40 * 3_600_000,
        "key": "苏F12345-yellow",
        "anchor": (120.91, 32.011),
        "held": 2_700_000,
        "left": None,
        "since": T0,
        "severity": "yellow",
        "place": "park-3",
        "region": {"code": "320682", "county": "如皋"},
        "waybill": {"destination_zone": "park-3", "depart": T0, "load": 12_000},
        "start": {"contract_sum": 1_000_000, "rate": 2},
        "site": None,
        "watched": ["苏F12345-yellow"],
    }


@pytest.fixture
def typed(scope: Scope) -> Callable[..., Typed]:
    """Parse and check, or fail with the report."""

    def make(text: str, expect: str | None = None) -> Typed:
        parsed = parse(text, AT)
        result = parsed if isinstance(parsed, list) else check(parsed, scope, expect)
        assert not isinstance(result, list), "\n".join(problem.report() for problem in result)
        return result

    return make


@pytest.fixture
def codes(scope: Scope) -> Callable[..., list[str]]:
    """The codes of what is wrong with an expression."""

    def ask(text: str, expect: str | None = None) -> list[str]:
        parsed = parse(text, AT)
        result = parsed if isinstance(parsed, list) else check(parsed, scope, expect)
        assert isinstance(result, list), f"accepted as {result.describe()}"
        return [problem.code for problem in result]

    return ask


@pytest.fixture
def answer(
    typed: Callable[..., Typed], event: SimpleNamespace, extras: Mapping[str, object]
) -> Callable[..., Any]:
    """The value of an expression for the creeping tanker, with some fields changed."""

    def ask(text: str, tools: Tools | None = None, **changed: object) -> Any:
        whole = typed(text)
        now = SimpleNamespace(**{**vars(event), **changed})
        value = compile_value(whole, tools)(now, extras)
        if whole.type.kind == "bool":
            assert compile_condition(whole, tools)(now, extras) is (value is True)
        return value

    return ask
