"""A macro is the same as its meaning written out in brackets, wherever it stands."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.edge.files import read_project
from engine.errors import Location
from engine.ruleset.describe import Shelf, describe_declared
from engine.ruleset.document import Document
from engine.ruleset.expr import Scope, Type, check, compile_condition, parse
from engine.ruleset.load import DeclaredFile, Loaded, load_project
from engine.ruleset.macros import Macro, expand

HERE = Location("rule.yaml")
SCOPE = Scope({name: Type("number", nullable=True) for name in "abc"})
HAZMAT = Path(__file__).parent / "bases" / "hazmat"
DWELL = "hazmat/hazmat-abnormal-dwell.yaml"


def macro(name: str, means: str, *takes: str) -> Macro:
    parsed = parse(means, Location(f"{name}.yaml"))
    assert not isinstance(parsed, list)
    return Macro(name, takes, parsed, Document(f"{name}.yaml", means, [means], {}, {}))


def answer(text: str, macros: dict[str, Macro], values: dict[str, float | None]) -> Any:
    parsed = parse(text, HERE)
    assert not isinstance(parsed, list)
    expanded = expand(parsed, macros, SCOPE.names)
    assert not isinstance(expanded, list)
    typed = check(expanded[0], SCOPE, "bool")
    assert not isinstance(typed, list), typed
    event = type("Event", (), values)()
    return compile_condition(typed)(event, {})


numbers = st.integers(-3, 3).map(str)
names = st.sampled_from("abc")
terms = st.recursive(
    names | numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda one: f"({one[0]} {one[1]} {one[2]})"
    ),
    max_leaves=4,
)
conditions = st.recursive(
    st.tuples(terms, st.sampled_from(["<", "<=", "==", "!="]), terms).map(
        lambda one: f"{one[0]} {one[1]} {one[2]}"
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda one: f"({one[0]}) {one[1]} ({one[2]})"
        ),
    ),
    max_leaves=4,
)
values = st.fixed_dictionaries({name: st.none() | st.integers(-3, 3) for name in "abc"})


@settings(max_examples=500, deadline=None)
@given(conditions, conditions, terms, values)
def test_a_macro_is_its_meaning_in_brackets(
    inner: str, outer: str, term: str, at: dict[str, float | None]
) -> None:
    macros = {"known": macro("known", inner), "twice": macro("twice", "x + x == " + term, "x")}
    used = f"known and ({outer}) or not twice({term})"
    written = f"({inner}) and ({outer}) or not (({term}) + ({term}) == ({term}))"
    assert answer(used, macros, at) == answer(written, {}, at)


@settings(max_examples=200, deadline=None)
@given(conditions, values)
def test_macros_of_macros_are_the_same_too(inner: str, at: dict[str, float | None]) -> None:
    macros = {
        "base": macro("base", inner),
        "middle": macro("middle", "base or limit < a", "limit"),
        "top": macro("top", "not middle(x)", "x"),
    }
    assert answer("top(b)", macros, at) == answer(f"not (({inner}) or b < a)", {}, at)


def test_what_a_macro_takes_hides_a_field_of_that_name() -> None:
    macros = {"under": macro("under", "a < 2", "a")}
    assert answer("under(b)", macros, {"a": 9, "b": 1, "c": None}) is True


def test_a_field_comes_before_a_macro_of_its_name() -> None:
    macros = {"a": macro("a", "5 > 3")}
    assert answer("a < 2", macros, {"a": 1, "b": None, "c": None}) is True


def loaded_with(where: str, **macros: str) -> Loaded:
    files = {file.path.split("bases/")[-1]: file.raw for file in read_project([HAZMAT])}
    text = files[DWELL].decode()
    line = next(line for line in text.splitlines() if line.startswith("where:"))
    files[DWELL] = text.replace(line, f"where: {where}").encode()
    for name, means in macros.items():
        files[f"hazmat/macros/{name}.yaml"] = f"macro: {name}\nmeans: {means}\n".encode()
    return load_project([DeclaredFile(path, raw) for path, raw in files.items()])


def test_a_rule_with_a_macro_is_the_rule_with_its_meaning() -> None:
    loaded = loaded_with("hazard_class != null and good_fix", good_fix="accuracy <= 50 meters")
    assert loaded.report() == ""
    assert loaded.project is not None
    rule = loaded.project.rules["hazmat-abnormal-dwell"]
    assert rule.shared == ("good_fix",)
    assert (
        rule.where["vehicle-gps"].describe()
        == "((hazard_class != null) and (accuracy <= 50 meters))"
    )


def test_the_hash_follows_the_meaning_of_a_macro_and_of_those_below_it() -> None:
    def hashed(limit: str) -> str:
        loaded = loaded_with("fine", fine="good_fix", good_fix=f"accuracy <= {limit}")
        assert loaded.project is not None, loaded.report()
        return loaded.project.rules["hazmat-abnormal-dwell"].hash

    assert hashed("50 meters") == hashed("50  meters")
    assert hashed("50 meters") != hashed("60 meters")


@pytest.mark.parametrize(("lang", "user"), [("en", "used by"), ("zh", "使用者")])
def test_a_macro_can_be_described(lang: str, user: str) -> None:
    loaded = loaded_with("fine", fine="good_fix", good_fix="accuracy <= 50 meters")
    assert loaded.project is not None
    sheet = describe_declared("fine", Shelf(loaded.project), lang)[0]
    lines = dict(sheet.table())
    assert "hazmat-abnormal-dwell" in lines[user]
    assert sheet.as_json()["about"]["made-of"] == ["good_fix"]
    assert sheet.as_json()["about"]["means"] == ["good_fix"]


def test_a_list_can_be_described() -> None:
    river = load_project(read_project([HAZMAT.parent / "river"]))
    assert river.project is not None
    sheet = describe_declared("city_stations", Shelf(river.project), "en")[0]
    assert sheet.as_json()["about"]["used-by"] == ["flood-level"]
