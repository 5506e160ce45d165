"""The desk that comes along: right beside the packs, for every rule of them, and tested itself."""

import csv
import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from recorded import path_of

from engine.cases.declared.around import Around
from engine.cases.declared.load import LoadedDesk, load_desk
from engine.cases.declared.route_tests import alert_of
from engine.cases.declared.schema_test import RouteTestAlertModel
from engine.cases.declared.trial import outcome, run
from engine.cases.model import Stage, Tier
from engine.edge.files import read_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project, Status

ROOT = Path(__file__).parents[3]
DESK = ROOT / "rules/desk"
MONDAY_9 = 1_772_413_200_000
"""2026-03-02 09:00 in Shanghai."""


@cache
def project() -> Project:
    loaded = load_project(read_project([ROOT / "rules"]), LoadOptions(lint=False))
    assert loaded.project is not None
    return loaded.project


@cache
def desk() -> LoadedDesk:
    around = Around(project(), ("order-system", "duty-room"), date(2026, 3, 2))
    return load_desk(read_project([DESK]), around)


def test_it_is_right_and_leaves_no_doubt() -> None:
    assert desk().report() == ""
    assert desk().policy is not None


@pytest.mark.parametrize("test", desk().tests, ids=lambda one: one.name)
def test_its_own_route_tests_pass(test) -> None:
    policy = desk().policy
    assert policy is not None
    assert [failure.said("en") for failure in run(test, policy).failures] == []


@pytest.mark.parametrize(
    "rule",
    sorted(
        name
        for name, one in project().rules.items()
        if one.dispatch and one.status is not Status.RETIRED
    ),
)
def test_every_rule_has_a_branch_a_department_a_sink_and_limits(rule: str) -> None:
    policy = desk().policy
    assert policy is not None
    model = RouteTestAlertModel.model_validate({"rule": rule, "labels": {"area": "320682"}})
    came = outcome(policy, alert_of(model, Around(project()), MONDAY_9), MONDAY_9)
    assert came.decision.route != "default"
    assert came.decision.lead != "command-centre"
    assert came.sinks
    assert came.due[Stage.SIGN] is not None
    assert came.due[Stage.RESOLVE] is not None
    assert came.decision.timing.source


def test_no_limit_is_called_verified_before_somebody_has_verified_it() -> None:
    policy = desk().policy
    assert policy is not None
    assert {one.status for one in policy.timings.values()} == {"proposed", "unverified"}


def test_its_three_tiers_are_the_city_ten_counties_and_their_towns() -> None:
    policy = desk().policy
    assert policy is not None
    tiers = {tier: [one for one in policy.centres.values() if one.tier is tier] for tier in Tier}
    assert {tier: len(found) for tier, found in tiers.items()} == {
        Tier.CITY: 1,
        Tier.COUNTY: 10,
        Tier.TOWN: 136,
    }
    counties = {one.area for one in tiers[Tier.COUNTY]}
    assert {one.area[:6] for one in tiers[Tier.TOWN]} <= counties
    assert all(re.fullmatch(r"3206[0-9]{5}", one.area) for one in tiers[Tier.TOWN])


def test_packs_are_read_without_the_desk_that_lies_beside_them() -> None:
    assert not [file.path for file in read_project([ROOT / "rules"]) if "/desk/" in file.path]
    assert {Path(file.path).name for file in read_project([DESK])} >= {"desk.yaml", "routes.yaml"}


def test_codes_are_those_of_the_public_list() -> None:
    data = path_of("nantong-streets.csv")
    policy = desk().policy
    assert policy is not None
    with data.open(encoding="utf-8") as rows:
        streets = {row["code"]: row["name"] for row in csv.DictReader(rows)}
    towns = {one.area: one.title["zh"] for one in policy.centres.values() if one.tier is Tier.TOWN}
    assert towns == streets
