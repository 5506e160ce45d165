"""Who hears of a change: by route, severity and status, and nobody by accident."""

from typing import Any

import pytest
from daemon_stage import change

from engine.dispatch.route import sinks_for, unknown_sinks
from engine.ruleset.spec import RouteSpec, Severity

ROUTES = {
    "hazmat": RouteSpec("hazmat", ("console", "bureau", "console"), Severity.YELLOW),
    "red-only": RouteSpec("red-only", ("phone",), Severity.RED),
    "default": RouteSpec("default", ("log",)),
    "flood": RouteSpec("flood", ("river",), labels={"kind": "flood", "area": "north"}),
}
FLOOD = {"kind": "flood", "area": "north", "more": "x"}


@pytest.mark.parametrize(
    ("words", "sinks"),
    [
        pytest.param({"dispatch": "hazmat"}, ("console", "bureau"), id="each-sink-once"),
        pytest.param({"dispatch": "hazmat", "severity": "blue"}, (), id="below-the-route"),
        pytest.param({"dispatch": "red-only", "severity": "red"}, ("phone",), id="at-the-limit"),
        pytest.param({"dispatch": "flood", "labels": FLOOD}, ("river",), id="all-labels"),
        pytest.param(
            {"dispatch": "flood", "labels": {"kind": "flood"}}, ("log",), id="a-label-less"
        ),
        pytest.param({}, ("log",), id="no-route-named-is-the-default"),
        pytest.param({"dispatch": "gone"}, (), id="unknown-route-is-nobody"),
        pytest.param({"dispatch": "hazmat", "status": "shadow"}, (), id="shadow-is-kept-only"),
        pytest.param({"dispatch": "hazmat", "status": "draft"}, (), id="draft-is-kept-only"),
    ],
)
def test_who_hears(words: dict[str, Any], sinks: tuple[str, ...]) -> None:
    assert sinks_for(change("a", **words), ROUTES) == sinks


def test_without_a_default_route_nobody_hears_of_rules_that_name_none() -> None:
    assert sinks_for(change("a"), {"hazmat": ROUTES["hazmat"]}) == ()


def test_labels_that_no_route_asks_for_go_nowhere() -> None:
    other = change("a", dispatch="flood", labels={"kind": "drought"})
    flood = {"flood": ROUTES["flood"]}
    assert sinks_for(other, flood) == ()
    assert sinks_for(other, {**flood, "default": RouteSpec("default", ("x",), labels=FLOOD)}) == ()


def test_routes_to_sinks_that_are_not_there_are_found() -> None:
    found = unknown_sinks(ROUTES.values(), ["console", "log", "phone", "river"])
    assert [(route.name, sink) for route, sink in found] == [("hazmat", "bureau")]
