"""The schema that editors use says yes to what we accept, and no to what has the wrong shape."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from engine.edge.cli import main
from engine.edge.cli.schema_verb import DESK, KINDS, schema
from engine.edge.files import read_project
from engine.edge.settings import Settings
from engine.errors import Level
from engine.ruleset.folders import Kind, sort_files
from engine.ruleset.json_schema import DECLARATIONS, TEST, key_name, schema_of, written_keys
from engine.ruleset.json_schema_test import CASE, TEST_SCHEMA
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile, read
from engine.ruletest import cases
from engine.ruletest.expect import Word
from engine.text import LANGUAGES

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/ruleset/golden"
BASES = ROOT / "tests/ruleset/bases"
PACKS = read_project([ROOT / "rules"])
LEAST_REFUSED = 25
_SHAPE = re.compile(r"R1[0-9][0-9]")
_FENCE = re.compile(r"^```yaml([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_KIND = {
    Kind.PACK: "pack",
    Kind.ROUTES: "routes",
    Kind.FEED: "feed",
    Kind.TABLE: "table",
    Kind.CALENDAR: "calendar",
    Kind.PLAYBOOK: "playbook",
    Kind.LIST: "list",
    Kind.RULE: "rule",
    Kind.TEST: "test",
}


@cache
def validator(kind: str) -> Draft202012Validator:
    made = schema(kind, "en")
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def faults(kind: str, value: Any) -> list[str]:
    return [f"{one.json_path}: {one.message}" for one in validator(kind).iter_errors(value)]


def declared(files: list[DeclaredFile]) -> list[tuple[str, DeclaredFile]]:
    """Every YAML file of some packs with its kind."""
    parts = sort_files(files).parts
    return [(_KIND[kind], part.file) for kind in _KIND for part in parts[kind]]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", ["", *KINDS])
def test_every_schema_is_one(kind, lang):
    made = schema(kind, lang)
    Draft202012Validator.check_schema(made)
    text = json.dumps(made, ensure_ascii=False)
    assert made["$schema"].endswith("2020-12/schema")
    assert "say:" not in text
    assert "x-type" not in text
    for name in re.findall(r"#/\$defs/([^\"]+)", text):
        assert name in made["$defs"]


@pytest.mark.parametrize(
    ("kind", "file"), declared(PACKS), ids=lambda one: getattr(one, "path", one)
)
def test_every_shipped_file_fits_the_schema(kind, file):
    document = read(file).document
    assert document is not None
    assert faults(kind, document.value) == []
    assert faults("", document.value) == []


@pytest.mark.parametrize("path", sorted((ROOT / "rules/desk").glob("*.yaml")), ids=lambda p: p.name)
def test_every_file_of_the_shipped_desk_fits_the_schema(path):
    names = {"routes": "desk-routes", "routes_test": "route-tests"}
    document = read(DeclaredFile(path.name, path.read_bytes())).document
    assert document is not None
    assert faults(names.get(path.stem, path.stem), document.value) == []
    assert faults("", document.value) == []


def test_every_yaml_block_of_the_docs_fits_the_schema():
    seen = 0
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        for note, text in _FENCE.findall(page.read_text("utf-8")):
            document = read(DeclaredFile("block.yaml", text.encode())).document
            assert document is not None
            kind = "settings" if note.strip() == "settings" else ""
            if note.strip() == "file=forewarn.yaml":
                kind = "settings"
            assert faults(kind, document.value) == [], (page.name, text)
            seen += 1
    assert seen > 40


def broken() -> list[tuple[str, str, Any]]:
    """Of the golden cases of one wrong file: the case, what it declares, what was read."""
    found = []
    for case in sorted(CASES.iterdir()):
        said = json.loads((case / "case.json").read_text()) if (case / "case.json").exists() else {}
        if "repeat" in said:
            continue
        files = read_project([case / "input"]) if (case / "input").exists() else []
        for kind, file in declared(
            [DeclaredFile(Path(one.path).relative_to(case).as_posix(), one.raw) for one in files]
        ):
            reading = read(file)
            if reading.document is not None:
                found.append((case.name, kind, reading.document.value))
    return found


def test_what_has_the_wrong_shape_does_not_fit_the_schema():
    refused = set()
    for name, kind, value in broken():
        codes = set(re.findall(r": error (\w+):", (CASES / name / "expected.en.txt").read_text()))
        if codes and all(_SHAPE.fullmatch(code) for code in codes) and faults(kind, value):
            refused.add(name)
    assert len(refused) >= LEAST_REFUSED, sorted(refused)


def test_what_loads_without_error_fits_the_schema():
    """Cases that only warn are right in shape, so an editor must not mark them."""
    seen = 0
    for name, kind, value in broken():
        if ": error " not in (CASES / name / "expected.en.txt").read_text("utf-8"):
            assert faults(kind, value) == [], name
            seen += 1
    assert seen > 5


FEED = {
    "feed": "gps",
    "title": "Positions",
    "format": "json",
    "key": "car",
    "time": {"field": "at", "format": "iso8601"},
    "fields": {"car": "text", "at": {"type": "time"}, "speed": "number", "名": "text"},
}
RULE = {
    "rule": "fast",
    "title": "Too fast",
    "severity": "red",
    "from": "gps",
    "by": "car",
    "when": {"match": "speed > 3"},
}


def as_file(value: dict[str, Any]) -> DeclaredFile:
    kind = next(iter(value))
    path = {"feed": "p/feeds/gps.yaml", "rule": "p/fast.yaml"}[kind]
    return DeclaredFile(path, json.dumps(value, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="one text for both languages, a bare condition, a single key"),
        pytest.param({"title": {"zh": "快", "en": "Fast"}}, id="a text for each language"),
        pytest.param({"by": ["car"]}, id="a list of fields"),
        pytest.param({"by": {"gps": "car"}}, id="a field for each feed"),
        pytest.param({"by": {"gps": ["car"]}}, id="fields for each feed"),
        pytest.param({"from": ["gps"]}, id="a list of feeds"),
        pytest.param({"where": True}, id="a truth value as a condition"),
        pytest.param({"where": {"gps": "speed > 1"}}, id="a condition for each feed"),
        pytest.param({"except": "speed > 9"}, id="one exception"),
        pytest.param({"except": ["speed > 9", True]}, id="several exceptions"),
        pytest.param({"basis": {"title": "Act"}}, id="one legal basis"),
        pytest.param({"basis": [{"title": "Act", "from": "2020-01-01"}]}, id="a list of them"),
        pytest.param({"severity": "blue", "levels": {"red": "speed > 9"}}, id="a bare level"),
        pytest.param({"for": "1h30m"}, id="hours and minutes"),
        pytest.param({"for": "45 分钟"}, id="a Chinese duration"),
        pytest.param({"when": {"match": {"condition": "speed > 1", "quiet": "10m"}}}, id="long"),
        pytest.param({"schedule": {"hours": "08:00-12:00, 22:00-06:00"}}, id="hours of the day"),
        pytest.param({"owner": None}, id="a null where nothing is said"),
    ],
)
def test_every_shorthand_that_loads_fits_the_schema(change):
    rule = {**RULE, **change}
    pack = {"pack": "p", "title": "P", "owner": "o", "version": "1.0.0"}
    files = [DeclaredFile("p/pack.yaml", json.dumps(pack).encode()), as_file(FEED), as_file(rule)]
    loaded = load_project(files, LoadOptions(lint=False))
    assert [one.code for one in loaded.problems if one.level is Level.ERROR] == []
    assert faults("rule", rule) == []
    assert faults("feed", FEED) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"for": "50"}, id="a duration without unit"),
        pytest.param({"for": 50}, id="a number where a duration stands"),
        pytest.param({"when": {"match": "a > 1", "dwell": {}}}, id="two operators"),
        pytest.param({"when": {}}, id="no operator"),
        pytest.param({"severity": "pink"}, id="no severity"),
        pytest.param({"sevrity": "red"}, id="an unknown key"),
        pytest.param({"levels": {"pink": "speed > 1"}}, id="an unknown level"),
        pytest.param({"by": []}, id="an empty key"),
        pytest.param({"labels": {"9x": "a"}}, id="a label that is no name"),
        pytest.param({"lookup": {"a": {"table": "t", "zone": "z"}}}, id="two kinds of look-up"),
        pytest.param({"schedule": {"hours": "8-12"}}, id="hours that are none"),
        pytest.param({"rule": "Fast Car"}, id="a name that cannot be"),
        pytest.param({"title": {"zh": "快"}}, id="one language missing"),
    ],
)
def test_what_is_wrong_in_a_rule_is_seen_by_the_editor(change):
    assert faults("rule", {**RULE, **change})


def models(start: type[BaseModel], seen: list[type[BaseModel]]) -> None:
    """A model and all that it holds."""

    def inside(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            models(annotation, seen)
        for part in get_args(annotation):
            inside(part)

    if start not in seen:
        seen.append(start)
        for field in start.model_fields.values():
            inside(field.annotation)


def test_every_key_of_a_declaration_is_explained():
    """A new key needs its entry `key-<model>-<key>` in engine/text/authoring.toml."""
    seen: list[type[BaseModel]] = []
    for model in (*DECLARATIONS.values(), *(model for model, _ in DESK.values())):
        models(model, seen)
    missing = [
        f"{model.__name__}: {key}"
        for model in seen
        if model.__name__ != "WhenModel"
        for key, _ in written_keys(model)
        if not key_name(model, key)
    ]
    assert missing == []
    assert all(key_name(Settings, key) for key, _ in written_keys(Settings))


def test_a_name_is_checked_wherever_it_stands():
    made = schema_of("rule")
    assert "pattern" in made["$defs"]["identifier"]
    assert made["properties"]["labels"]["propertyNames"] == {"$ref": "#/$defs/identifier"}
    assert "patternProperties" not in json.dumps(made)


def test_settings_and_connectors_are_explained_by_their_docstrings_in_english():
    english, chinese = schema("settings", "en")["$defs"], schema("settings", "zh")["$defs"]
    webhook = english["sinks-webhook"]["properties"]
    assert webhook["timeout_s"]["description"] == "Longest wait for an answer."
    assert webhook["secret"]["description"].endswith("Without one nothing is signed.")
    assert "description" not in chinese["sinks-webhook"]["properties"]["timeout_s"]
    assert "english:" not in json.dumps([english, chinese])


def test_a_default_is_shown_as_people_write_it():
    feed = schema_of("feed")["properties"]
    assert feed["lateness"]["default"] == "0s"
    assert feed["idle_after"]["default"] == "5m"
    assert "default" not in schema_of("rule")["properties"]["late"]


def test_the_keys_of_a_test_are_those_its_reader_knows():
    """Its reader checks keys against tuples of its own; both must hold the same."""
    line = TEST_SCHEMA["$defs"]["line"]["properties"]
    for keys, name in ((CASE, "_CASE"), (TEST_SCHEMA["properties"], "_FILE"), (line, "_LINE")):
        assert set(keys) == set(vars(cases)[name])
    assert set(TEST_SCHEMA["$defs"]["expected"]["properties"]) == {one.value for one in Word}
    wrong = {"tests": [{"nosuch": 1, "name": "x", "expect": [{"hit": {"no": 1}}]}]}
    assert len(faults(TEST, wrong)) == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_one_schema_is_printed_in_the_language_asked_for(lang, capsys):
    assert main(["schema", "rule", "--lang", lang]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["properties"]["by"]["description"].startswith({"en": "The key", "zh": "键"}[lang])


def test_all_schemas_are_written_into_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["schema", "--out", "schemas", "--lang", "en"]) == 0
    said = capsys.readouterr().out
    names = {path.name for path in Path("schemas").iterdir()}
    assert names == {f"{kind}.schema.json" for kind in (*KINDS, "forewarn")}
    assert "# yaml-language-server: $schema=schemas/rule.schema.json" in said
    assert main(["schema", "feed", "--out", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"files": {"feed": "one/feed.schema.json"}}


def test_a_kind_that_is_none_is_exit_64_with_the_nearest(capsys):
    assert main(["schema", "ruel", "--lang", "en"]) == 64
    assert "did you mean 'rule'?" in capsys.readouterr().err
    assert main(["schema", "--out", "/dev/null/x", "--lang", "en"]) == 4
