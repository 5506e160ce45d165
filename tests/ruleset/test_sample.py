"""The rule, feed and test of the language's design page load as they stand."""

from pathlib import Path

import pytest

from engine.edge.files import read_project
from engine.model.units import parse_duration, parse_speed
from engine.operators.specs.dwell import DwellSpec
from engine.ruleset.load import Loaded, load_project
from engine.ruleset.spec import Project, RuleSpec, Severity

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load_project(read_project([SAMPLE]))


@pytest.fixture
def project(loaded: Loaded) -> Project:
    assert loaded.report() == ""
    assert loaded.project is not None
    return loaded.project


@pytest.fixture
def rule(project: Project) -> RuleSpec:
    return project.rules["hazmat-abnormal-dwell"]


def test_the_dwell_is_in_metres_milliseconds_and_metres_a_second(rule: RuleSpec) -> None:
    assert rule.when == DwellSpec(
        at_least_ms=parse_duration("30m"),
        radius_m=150.0,
        slower_than_mps=parse_speed("5 km/h"),
        speed_field="speed",
        speed_scale=parse_speed("1 km/h"),
        outside_ms=60_000,
        silent_ms=300_000,
    )


def test_a_feed_has_the_fields_that_its_clock_and_position_imply(project: Project) -> None:
    fields = project.feeds["vehicle-gps"].fields
    assert {"gps_time", "lon", "lat", "accuracy"} <= set(fields)
    assert fields["accuracy"].optional
    assert fields["accuracy"].unit == "m"


def test_the_alert_climbs_and_its_texts_are_in_two_languages(rule: RuleSpec) -> None:
    assert [(level.severity, level.at_least_ms) for level in rule.levels] == [
        (Severity.ORANGE, parse_duration("2h"))
    ]
    words = {"vehicle": "苏F12345-yellow", "place": "金沙街道", "held": 2_700_000}
    assert rule.summary["zh"].render(words, "zh") == "苏F12345-yellow 在 金沙街道 停留 45 分钟"


def test_everything_else_of_the_page_arrives(rule: RuleSpec, project: Project) -> None:
    assert [lookup.name for lookup in rule.lookups] == ["waybill", "site"]
    assert [item.text for item in rule.excepts] == [
        "site.exists",
        "inside(anchor, waybill.destination_zone)",
    ]
    assert rule.verify.endswith("for 10m")
    assert rule.on_change is not None
    assert (rule.on_change.from_hash, rule.on_change.do) == ("3f9c2a", "keep")
    assert rule.schedule is not None
    assert rule.schedule.hours == ((0, 1440),)
    assert (rule.late, rule.late_allow_ms) == ("drop", 120_000)
    assert (rule.limits.keys, rule.limits.alerts_per_hour) == (50_000, 500)
    assert rule.basis[0].article == "45"
    assert set(rule.labels) == {"area", "kind"}
    assert rule.space == "vehicle"
    assert set(project.zones) == {"licensed-sites", "regions"}
    assert list(project.tests) == [(SAMPLE / "hazmat/hazmat-abnormal-dwell_test.yaml").as_posix()]
