"""The layout of declarations, case by case, and what cannot be laid out."""

import pytest
from fmt_stage import laid_out

from engine.ruleset.fmt import Unformattable, Why, format_file, layout
from engine.ruleset.source import DeclaredFile

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
