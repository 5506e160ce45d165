"""Overrides laid over a rule: as if it were written so; each event belongs to one version."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.edge.files import read_project
from engine.ruleset.describe import Shelf, describe_declared
from engine.ruleset.document import Document, Mark
from engine.ruleset.expr import compile_condition
from engine.ruleset.load import DeclaredFile, Loaded, load_project
from engine.ruleset.load_shared import overridden_list
from engine.ruleset.notes import Notes
from engine.ruleset.overrides import Laid, Override
from engine.ruleset.schema_pack import DifferenceModel
from engine.ruleset.spec import ListSpec

BASES = Path(__file__).parent / "bases"
DWELL = "hazmat-abnormal-dwell"


def loaded_with(pack: str, **overrides: str) -> Loaded:
    files = {file.path.split("bases/")[-1]: file.raw for file in read_project([BASES / pack])}
    for name, text in overrides.items():
        stem = name.replace("_", "-")
        files[f"{pack}/overrides/{stem}.yaml"] = f"override: {stem}\n{text}".encode()
    return load_project([DeclaredFile(path, raw) for path, raw in files.items()])


def laid_over(value: Any, *changes: tuple[str, dict[str, Any]]) -> Laid:
    """A value with the `replace` of several overrides laid over it, in order."""
    laid = Laid(Document("rule.yaml", value, [], {(): Mark(0, 0, 0, 0)}, {}), value)
    for name, replace in changes:
        document = Document(f"{name}.yaml", {}, [], {(): Mark(0, 0, 0, 0)}, {})
        override = Override(name, Notes(document), {}, None)
        laid.lay(override, DifferenceModel(rule="r", replace=replace), ("changes", 0))
    return laid


keys = st.sampled_from(["a", "b", "c"])
values = st.integers(0, 3) | st.sampled_from(["x", "y"])
trees = st.recursive(values, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6)
mappings = st.dictionaries(keys, trees, max_size=3)


def merged(old: Any, new: Any) -> Any:
    """What overriding is meant to do, said in the plainest way."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {
        key: merged(old[key], new[key]) if key in old and key in new else new.get(key, old.get(key))
        for key in {**old, **new}
    }


@settings(max_examples=500, deadline=None)
@given(mappings, mappings)
def test_replacing_goes_through_mappings_key_by_key(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    laid = laid_over(old, ("one", new))
    assert laid.value == merged(old, new)
    for changed in laid.overridden:
        found: Any = laid.value
        for step in changed.path:
            found = found[step]
        assert found == changed.new


@settings(max_examples=300, deadline=None)
@given(mappings, mappings, mappings)
def test_the_order_of_overrides_says_nothing_about_what_results(
    old: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = (
        laid_over(old, ("one", one), ("other", other)),
        laid_over(old, ("other", other), ("one", one)),
    )
    if first.value != second.value:  # then both overrides wanted the same value, and that is told
        assert set(merged(one, other)) & set(one) & set(other)


def test_a_value_is_described_with_where_it_comes_from() -> None:
    loaded = loaded_with(
        "hazmat",
        harbour=f"changes:\n  - rule: {DWELL}\n"
        "    replace: {when: {dwell: {at_least: 20m}}}\n"
        '    append: {except: ["speed > 100 km/h"]}\n',
    )
    assert loaded.project is not None, loaded.report()
    rule = loaded.project.rules[DWELL]
    assert [one.path for one in rule.overridden] == [("when", "dwell", "at_least"), ("except",)]
    assert str(rule.overridden[0].at) == "hazmat/overrides/harbour.yaml:4:40"
    sheet = describe_declared(DWELL, Shelf(loaded.project), "en")[0].as_json()
    assert sheet["about"]["overridden"] == [
        "when.dwell.at_least = '20m'  (was '30m')  (harbour, hazmat/overrides/harbour.yaml:4:40)",
        "except + 'speed > 100 km/h'  (harbour, hazmat/overrides/harbour.yaml:5:23)",
    ]
    assert len(rule.excepts) == 5


def test_null_takes_a_key_away() -> None:
    loaded = loaded_with(
        "hazmat",
        calm=f"changes:\n  - {{rule: {DWELL}, replace: {{levels: null}}}}\n",
    )
    assert loaded.project is not None, loaded.report()
    assert loaded.project.rules[DWELL].levels == ()


@pytest.mark.parametrize("accuracy", [10, 30, 60])
@pytest.mark.parametrize("load", [None, "full", "empty"])
def test_each_event_belongs_to_one_version_of_a_rule(load: str | None, accuracy: float) -> None:
    one = f"only: load == 'full'\nchanges: [{{rule: {DWELL}, replace: {{severity: blue}}}}]\n"
    other = f"only: accuracy > 20 meters\nchanges: [{{rule: {DWELL}, replace: {{for: 1m}}}}]\n"
    loaded = loaded_with("hazmat", full=one, vague=other)
    assert loaded.project is not None, loaded.report()
    event = type("Event", (), {"load": load, "accuracy": accuracy, "hazard_class": "3"})()
    seen = [
        name
        for name, rule in loaded.project.rules.items()
        if name.startswith(DWELL)
        and compile_condition(rule.where["vehicle-gps"])(event, {}) is True
    ]
    want = f"{DWELL}-full" if load == "full" else f"{DWELL}-vague" if accuracy > 20 else DWELL
    assert seen == ([want] if accuracy <= 50 else [])


def test_a_rule_that_reads_alerts_of_a_rule_reads_those_of_its_variants() -> None:
    files = {f.path.split("bases/")[-1]: f.raw for f in read_project([BASES / "hazmat"])}
    files["hazmat/overrides/fast.yaml"] = (
        b"override: fast\nonly: speed > 50 km/h\n"
        b"changes: [{rule: hazmat-abnormal-dwell, replace: {severity: blue}}]\n"
    )
    files["hazmat/again.yaml"] = (
        "rule: again\ntitle: {zh: 又, en: Again}\nseverity: orange\nfrom: alerts\n"
        "of: hazmat-abnormal-dwell\nby: key\n"
        "when: {match: {condition: true, times: {count: 2, within: 7d}, quiet: 1d}}\n"
    ).encode()
    loaded = load_project([DeclaredFile(path, raw) for path, raw in files.items()])
    assert loaded.project is not None, loaded.report()
    assert loaded.project.rules["again"].of == (DWELL, f"{DWELL}-fast")


def test_the_hash_of_a_rule_changes_when_a_part_of_its_events_goes_elsewhere() -> None:
    plain = loaded_with("hazmat")
    split = loaded_with(
        "hazmat",
        fast=f"only: speed > 50 km/h\nchanges: [{{rule: {DWELL}, replace: {{for: 1m}}}}]\n",
    )
    assert plain.project is not None
    assert split.project is not None, split.report()
    assert plain.project.rules[DWELL].hash != split.project.rules[DWELL].hash


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abcd"), unique=True), st.lists(st.sampled_from("abcdef")))
def test_appending_to_a_list_keeps_its_order_and_adds_what_is_new(
    old: list[str], more: list[str]
) -> None:
    override = Override(
        "more", Notes(Document("more.yaml", {}, [], {(): Mark(0, 0, 0, 0)}, {})), {}, None
    )
    change = DifferenceModel(list="one", append=more)
    found = overridden_list(ListSpec("one", tuple(old)), [(override, change, ("changes", 0))])
    assert list(found.values[: len(old)]) == old
    assert set(found.values) == set(old) | set(more)


def test_a_list_with_other_values_in_some_places() -> None:
    loaded = loaded_with(
        "river",
        upstream="only: station == 'Z9'\nchanges: [{list: city_stations, append: [Z9]}]\n",
    )
    assert loaded.project is not None, loaded.report()
    rule = loaded.project.rules["flood-level"]
    assert "Z9" in rule.when.expressions("gauges")[0].describe()


def test_a_macro_may_be_replaced_by_plain_yes() -> None:
    files = {
        "river/macros/high.yaml": "macro: high\nmeans: event_time != null\n",
        "river/overrides/dry.yaml": "override: dry\nchanges: [{macro: high, replace: true}]\n",
    }
    declared = [*read_project([BASES / "river"])]
    found = load_project(
        [DeclaredFile(file.path.split("bases/")[-1], file.raw) for file in declared]
        + [DeclaredFile(path, text.encode()) for path, text in files.items()]
    )
    assert [one for one in found.problems if one.at.file in files and one.code != "W270"] == []


@pytest.mark.parametrize("how", ["a macro", "an override"])
def test_a_layer_that_is_only_read_through(how: str) -> None:
    """Neither is in the text of the rule, and yet the layer is used."""
    square = [[120.9, 32.0], [120.91, 32.0], [120.91, 32.01], [120.9, 32.0]]
    feature = {
        "type": "Feature", "properties": {"id": "p1"},
        "geometry": {"type": "Polygon", "coordinates": [square]},
    }  # fmt: skip
    rule = VANS_RULE
    files = {
        "v/zones/ports.geojson": json.dumps({"type": "FeatureCollection", "features": [feature]})
    }
    if how == "a macro":
        files["v/macros/in_port.yaml"] = 'macro: in_port\nmeans: inside(position, "ports")\n'
        rule = rule.replace("by: van", "by: van\nwhere: in_port")
    else:
        files["v/overrides/port.yaml"] = (
            'override: port\nonly: inside(position, "ports")\n'
            "changes: [{rule: fast, replace: {severity: red}}]\n"
        )
    files |= {"v/pack.yaml": VANS_PACK, "v/feeds/vans.yaml": VANS_FEED, "v/fast.yaml": rule}
    found = load_project([DeclaredFile(path, text.encode()) for path, text in files.items()])
    assert [one.code for one in found.problems if one.level.value == "error"] == []
    assert "W212" not in {one.code for one in found.problems}


VANS_PACK = "pack: v\ntitle: {zh: 货车, en: Vans}\nowner: me\nversion: 0.1.0\n"
VANS_FEED = """feed: vans
title: {zh: 货车, en: Vans}
format: json
key: van
id: [van, at]
time: {field: at, format: epoch-ms}
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  van: text
  at: {type: time, format: epoch-ms}
  lon: number
  lat: number
  speed: {type: number, unit: km/h}
"""
VANS_RULE = """rule: fast
title: {zh: 快, en: Fast}
owner: me
severity: blue
from: vans
by: van
when: {match: speed > 90 km/h}
annotations: {summary: {zh: 快, en: fast}}
"""
