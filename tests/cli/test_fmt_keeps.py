"""Laid out anew, a declaration says what it said before, with all its comments, for good."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from fmt_stage import comments, laid_out, said
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from engine.cases.declared.around import Around
from engine.cases.declared.load import load_desk
from engine.cases.declared.read import FILES
from engine.ruleset.fmt import Unformattable, Why, format_file
from engine.ruleset.fmt.order import DESK
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile, read

ROOT = Path(__file__).parents[2]
SHIPPED = Path(str(rules.__file__)).parent
STARTER = ROOT / "engine/edge/cli/starter"
BASES = ROOT / "tests/ruleset/bases"
GOLDEN = ROOT / "tests/ruleset/golden"
OTHERS = [path for path in ROOT.glob("tests/**/*.yaml") if not path.is_relative_to(GOLDEN)]
EVERY = sorted({*SHIPPED.rglob("*.yaml"), *STARTER.rglob("*.yaml"), *OTHERS})
EVERY += sorted(GOLDEN.rglob("*.yaml"))[::4]
PACKS = [*sorted(path.parent for path in SHIPPED.glob("*/pack.yaml")), STARTER / "rules"]
DESKS = [SHIPPED / "desk", ROOT / "tests/cases/declared/base"]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_of_ours_keeps_values_comments_and_layout(path):
    raw = path.read_bytes()
    text = format_file(DeclaredFile("a.yaml", raw))
    document, problems = read(DeclaredFile("a.yaml", raw))
    if document is None or problems:
        assert text == problems
        return
    assert isinstance(text, str)
    assert said(text) == document.value
    assert comments(text) == comments(raw.decode())
    assert laid_out(text) == text


@pytest.mark.parametrize("pack", [*PACKS, *sorted(BASES.iterdir())], ids=lambda pack: pack.name)
def test_a_pack_loads_as_before(pack):
    before = [
        DeclaredFile(path.relative_to(pack.parent).as_posix(), path.read_bytes())
        for path in sorted(pack.rglob("*"))
        if path.is_file() and path.suffix != ".py"
    ]
    after = [
        DeclaredFile(file.path, laid_out(file.raw.decode(), file.path).encode())
        if file.path.endswith(".yaml")
        else file
        for file in before
    ]
    one, other = (load_project(files, LoadOptions(lint=False)).project for files in (before, after))
    assert one is not None
    assert other is not None
    assert {name: (rule.hash, rule.source) for name, rule in one.rules.items()} == {
        name: (rule.hash, rule.source) for name, rule in other.rules.items()
    }
    for part in ("packs", "feeds", "table_specs", "playbooks", "routes"):
        assert placeless(getattr(one, part)) == placeless(getattr(other, part))
    assert {name: test.value for name, test in one.tests.items()} == {
        name: test.value for name, test in other.tests.items()
    }


def placeless(value: Any) -> str:
    """A value without the places where it is declared."""
    return re.sub(r"Location\([^)]*\)", "", repr(value))


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.name)
def test_a_desk_loads_as_before(desk):
    before = [DeclaredFile(path.name, path.read_bytes()) for path in sorted(desk.glob("*.yaml"))]
    after = [
        DeclaredFile(one.path, laid_out(one.raw.decode(), one.path).encode()) for one in before
    ]
    one, other = (load_desk(files, Around(today=date(2026, 3, 2))) for files in (before, after))
    assert one.policy is not None
    assert placeless(one.policy) == placeless(other.policy)
    assert placeless(one.tests) == placeless(other.tests)


def test_the_keys_of_a_desk_stand_in_the_order_of_their_schema():
    models = {"desk": "desk", "timings": "timings", "branches": "routes"}
    for kind, file in models.items():
        assert DESK[kind] == tuple(FILES[file].model_fields)
    shuffled = "branches: []\ndefault:\n  lead: a\n"
    assert laid_out(shuffled).startswith("default:")


WORDS = st.sampled_from(
    [
        *("a", "b c", "甲乙", "x: y", "# no", "it's", 'say "so"', "1", "true", "", "a, b", "-"),
        *("{{ k }}", "long words " * 9, "\\d+", "line\nbreak", " lead", "null", "12:30:00"),
        *("*not", "ä\u00a0b"),
    ]
)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(-9, 9), st.booleans(), st.none(), st.floats(0, 9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abcde"), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["rule", "title", "severity", "when", "levels", "for", "labels", "except", "odd", "lookup"]
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_values_and_comments_survive(data):
    value = data.draw(st.dictionaries(KEYS, VALUES, min_size=1, max_size=6))
    written = yaml.safe_dump(
        value,
        allow_unicode=True,
        sort_keys=False,
        indent=data.draw(st.sampled_from([2, 4, 6])),
        width=data.draw(st.sampled_from([20, 80, 1000])),
        default_flow_style=data.draw(st.sampled_from([None, False])),
    )
    text = ""
    for number, line in enumerate(written.splitlines()):
        above = data.draw(st.sampled_from(["", "", "", "\n", "# above", "    # above"]))
        text += f"{above} {number}\n" if above.strip() else above
        text += f"{line}\n"
    document, problems = read(DeclaredFile("a.yaml", text.encode()))
    if document is None or problems:
        return
    try:
        result = laid_out(text)
    except Unformattable as refusal:
        if refusal.reason in {Why.BLOCK, Why.NO_MAPPING, Why.BREAK}:
            return
        raise
    assert said(result) == document.value
    assert comments(result) == comments(text)
    assert laid_out(result) == result
