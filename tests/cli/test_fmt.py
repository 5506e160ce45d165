"""Laid out anew, a declaration says what it said before, with all its comments, for good."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from engine.edge.cli import main
from engine.ruleset.fmt import Unformattable, Why, format_file, layout
from engine.ruleset.load import DeclaredFile, LoadOptions, load_project
from engine.ruleset.source import read

ROOT = Path(__file__).parents[2]
SHIPPED = Path(str(rules.__file__)).parent
STARTER = ROOT / "engine/edge/cli/starter"
BASES = ROOT / "tests/ruleset/bases"
GOLDEN = ROOT / "tests/ruleset/golden"
OTHERS = [path for path in ROOT.glob("tests/**/*.yaml") if not path.is_relative_to(GOLDEN)]
EVERY = sorted({*SHIPPED.rglob("*.yaml"), *STARTER.rglob("*.yaml"), *OTHERS})
EVERY += sorted(GOLDEN.rglob("*.yaml"))[::4]
PACKS = [*sorted(path.parent for path in SHIPPED.glob("*/pack.yaml")), STARTER / "rules"]


def laid_out(text: str, path: str = "a.yaml") -> str:
    found = format_file(DeclaredFile(path, text.encode()))
    assert isinstance(found, str), found
    return found


def said(text: str) -> Any:
    document, problems = read(DeclaredFile("a.yaml", text.encode()))
    assert document is not None, problems
    return document.value


CASES = {
    "keys stand in the order of the documentation and take their comments along": (
        """\
# the head stays the head
severity: red   # worst
# what it is called
title: {zh: 甲, en: A}
# its name
# in two lines
rule: a
""",
        """\
# the head stays the head
# its name
# in two lines
rule: a
# what it is called
title: {zh: 甲, en: A}
severity: red                                      # worst
""",
    ),
    "a list is set in, and so are comments above and below its items": (
        """\
rule: a
except:
# first
- a > 1
# second
- b > 1
levels:
    # lower
    orange: c
    # nothing else
clear: d
""",
        """\
rule: a
except:
  # first
  - a > 1
  # second
  - b > 1
levels:
  # lower
  orange: c
  # nothing else
clear: d
""",
    ),
    "a comment below the last item stays with the list it is set in with": (
        """\
rule: a
basis:
  - title: b
    note: c
    # about this item
  # about the list
# about clear
clear: d
""",
        """\
rule: a
basis:
  - title: b
    note: c
    # about this item
  # about the list
# about clear
clear: d
""",
    ),
    "a comment over several lines behind a value goes on in its column": (
        """\
rule: a
clear: b  # one
          # two
""",
        """\
rule: a
clear: b                                           # one
                                                   # two
""",
    ),
    "what is too wide is broken behind a comma": (
        """\
rule: a
when: {dwell: {radius: 150 meters, at_least: 30m, slower_than: 5 km/h, zones: [depots],
     tolerate: {outside: 3m, silent: 5m}}}
""",
        """\
rule: a
when: {dwell: {radius: 150 meters, at_least: 30m, slower_than: 5 km/h, zones: [depots],
               tolerate: {outside: 3m, silent: 5m}}}
""",
    ),
    "what fits is put on one line": (
        """\
rule: a
title: {zh: 甲,
        en: A}
""",
        """\
rule: a
title: {zh: 甲, en: A}
""",
    ),
    "brackets that hold comments stay as they are written": (
        """\
rule: a
when:
    dwell: {radius: 5 km,   # wide
            at_least: 30m}  # long
""",
        """\
rule: a
when:
  dwell: {radius: 5 km,   # wide
          at_least: 30m}                           # long
""",
    ),
    "fields are set out in columns": (
        """\
feed: a
fields:
  a: text
  longer: {type: number}   # unit unknown
""",
        """\
feed: a
fields:
  a:      text
  longer: {type: number}                           # unit unknown
""",
    ),
    "tests are kept apart by one blank line, other blank lines are kept single": (
        """\


tests:

  - name: a
    expect: []
  - name: b


    expect: []



  # about c
  - name: c
""",
        """\
tests:
  - name: a
    expect: []

  - name: b

    expect: []

  # about c
  - name: c
""",
    ),
    "single quotes become double where nothing needs escaping": (
        """\
rule: 'a'
owner: 'it''s'
clear: 'x == "y"'
playbook: 'a\\d'
verify: "a: b"
""",
        """\
rule: "a"
owner: "it's"
clear: 'x == "y"'
playbook: 'a\\d'
verify: "a: b"
""",
    ),
    "texts over several lines keep their lines": (
        """\
rule: a
owner: |-
      one
        two # no comment

      three
# a comment
clear: >
   folded
   text
verify: "a
     b"
dispatch: plain
     words
""",
        """\
rule: a
owner: |-
  one
    two # no comment

  three
# a comment
clear: >
  folded
  text
dispatch: plain
  words
verify: "a
  b"
""",
    ),
    "pairs in a list need no braces": (
        "tests:\n  - name: a\n    series: [a: 1, {b: 2, c: [d]}, []]\n",
        "tests:\n  - name: a\n    series: [a: 1, {b: 2, c: [d]}, []]\n",
    ),
    "a document may begin with three dashes, and lines may end as they do elsewhere": (
        "---\r\nrule: a\r\nfrom:   b   \r\n",
        "---\nrule: a\nfrom: b\n",
    ),
    "a list in a list and an empty value": (
        "rule: a\nby: [ ]\nlimits: { }\nfrom:\n- - a\n  - b\n-\n  # c\n  d: e\nowner:\n",
        "rule: a\nowner:\nfrom:\n  - - a\n    - b\n  # c\n  - d: e\nby: []\nlimits: {}\n",
    ),
    "an unknown key stays behind the one it stands behind": (
        "severity: red\nrule: a\nnew-key: 1\ntitle: b\n",
        "rule: a\nnew-key: 1\ntitle: b\nseverity: red\n",
    ),
    "a hash inside a text is no comment": (
        'rule: a\nowner: "a # b"\nclear: a#b\nby: ["#", "c # d"]\n',
        'rule: a\nowner: "a # b"\nby: ["#", "c # d"]\nclear: a#b\n',
    ),
    "a comment between a key and its value": (
        "rule: a\nlevels:   # they climb\n    red: b\nwhere:   # all\n    c\n",
        """\
rule: a
where: c                                           # all
levels:                                            # they climb
  red: b
""",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_layout(name):
    before, after = CASES[name]
    assert laid_out(before) == after
    assert laid_out(after) == after


REFUSED = {
    "directive": "%YAML 1.2\n---\nrule: a\n",
    "key": "? rule\n: a\n",
    "block": "rule: a\nowner: |2\n    b\n",
    "no-mapping": "{rule: a}\n",
    "break": "rule: a\nowner: b\u2028owner2: c\n",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_laid_out_is_named_with_its_place(reason):
    with pytest.raises(Unformattable) as caught:
        format_file(DeclaredFile("a.yaml", REFUSED[reason].encode()))
    assert caught.value.reason == reason
    assert caught.value.line >= 1
    assert caught.value.column >= 1


@pytest.mark.parametrize(
    ("before", "after"), [("# kept\n", ""), ("severity: red", "severity: blue"), ("rule: a\n", "")]
)
def test_a_layout_that_would_lose_something_is_not_written(monkeypatch, before, after):
    whole = layout._joined  # noqa: SLF001 - the writer is made to lose something
    monkeypatch.setattr(layout, "_joined", lambda lines: whole(lines).replace(before, after))
    with pytest.raises(Unformattable) as caught:
        laid_out("# kept\nrule: a\nseverity: red\n")
    assert caught.value.reason is Why.DOUBT


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


def comments(text: str) -> list[str]:
    """All comments, found without the formatter: what is left when the scalars are taken out."""
    lines = [list(line) for line in text.split("\n")]
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark, token.end_mark
            for line in range(start.line, end.line + 1):
                first = start.column if line == start.line else 0
                last = end.column if line == end.line else len(lines[line])
                lines[line][first:last] = "x" * (last - first)
    found = re.findall(r"#.*", "\n".join("".join(line) for line in lines))
    return sorted(one.rstrip() for one in found)


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


def test_what_is_shipped_is_laid_out(capsys):
    """When this fails: `forewarn fmt rules`."""
    assert main(["fmt", "--check", str(SHIPPED), str(STARTER / "rules")]) == 0, capsys.readouterr()


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOREWARN_LANG", "en")
    assert main(["init"]) == 0
    path = tmp_path / "rules/room-too-warm.yaml"
    path.write_text(path.read_text("utf-8").replace("owner: ", "owner:    "), "utf-8")
    return tmp_path


def test_check_shows_the_difference_and_changes_nothing(folder, capsys):
    path = folder / "rules/room-too-warm.yaml"
    before = path.read_bytes()
    capsys.readouterr()
    assert main(["fmt", "--check"]) == 1
    said = capsys.readouterr().out
    assert "--- rules/room-too-warm.yaml\n" in said
    assert re.search(r"^-owner:    ", said, re.MULTILINE)
    assert re.search(r"^\+owner: ", said, re.MULTILINE)
    assert said.endswith("would be laid out anew: 1 of 5 files\n")
    assert path.read_bytes() == before


def test_files_are_laid_out_once_and_keep_their_mode(folder, capsys):
    path = folder / "rules/room-too-warm.yaml"
    path.chmod(0o640)
    capsys.readouterr()
    assert main(["fmt", "rules"]) == 0
    assert capsys.readouterr().out == ("rules/room-too-warm.yaml\nlaid out anew: 1 of 5 files\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert main(["fmt", "--check"]) == 0
    assert capsys.readouterr().out == "would be laid out anew: 0 of 5 files\n"
    assert sorted(one.name for one in path.parent.glob(".*")) == []


def test_a_file_that_is_named_stands_for_itself(folder, capsys):
    other = folder / "rules/pack.yaml"
    other.write_text(other.read_text("utf-8").replace("owner: ", "owner:  "), "utf-8")
    capsys.readouterr()
    assert main(["fmt", "rules/pack.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"files": 1, "changed": ["rules/pack.yaml"], "left": [], "problems": []}


@pytest.mark.parametrize(
    ("lang", "why"),
    [
        ("en", "rules/lists/odd.yaml:1:3 left alone: a key is written with a question mark"),
        ("zh", "rules/lists/odd.yaml:1:3 保持原样：键使用了问号写法"),
    ],
)
def test_what_is_left_alone_is_said(folder, capsys, lang, why):
    odd = folder / "rules/lists/odd.yaml"
    odd.parent.mkdir()
    odd.write_text("? list\n: odd\nvalues: [a]\n", "utf-8")
    capsys.readouterr()
    assert main(["fmt", "rules", "--lang", lang]) == 0
    assert capsys.readouterr().err.startswith(why)
    assert odd.read_text("utf-8") == "? list\n: odd\nvalues: [a]\n"


def test_what_is_wrong_is_reported_and_the_rest_is_done(folder, capsys):
    wrong = folder / "rules/routes.yaml"
    wrong.write_text("routes: {a\n", "utf-8")
    capsys.readouterr()
    assert main(["fmt"]) == 2
    told = capsys.readouterr()
    assert "rules/routes.yaml:1:9: error R105" in told.err
    assert "rules/room-too-warm.yaml\n" in told.out
    assert wrong.read_text("utf-8") == "routes: {a\n"


def test_a_folder_without_declarations(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fmt", "--lang", "en"]) == 4
    assert "holds no declarations" in capsys.readouterr().err
    assert main(["fmt", "nowhere", "--lang", "en"]) == 4
    assert "nowhere" in capsys.readouterr().err
