"""A project as it comes out of its files: feeds, keys, deadlines, lists, limits."""

import json
from datetime import date
from pathlib import Path

import pytest

from engine.edge.files import read_project
from engine.model.period import PeriodUnit
from engine.operators.specs.deadline import DeadlineSpec
from engine.operators.specs.match import MatchSpec
from engine.ruleset.load import DeclaredFile, Loaded, LoadOptions, load_project
from engine.ruleset.spec import Project, RuleSpec

BASES = Path(__file__).parent / "bases"
PACK = "pack: p\ntitle: 包\nowner: o\nversion: 0.1.0\n"
FEED = """
feed: {name}
title: 数据
format: json
key: {key}
time: {{field: at, format: epoch-ms}}
fields:
  {key}: text
  amount: {{type: number, unit: CNY}}
  big: {{type: number, unit: 万元}}
  speed: {{type: number, unit: {unit}}}
purpose: [all]
"""
HEAD = "rule: r\ntitle: 规则\nowner: o\nseverity: yellow\ndispatch: d\n"


def pack(rule: str, **files: str) -> list[DeclaredFile]:
    """One rule over the feeds `a` and `b`, and other files by path with dots for slashes."""
    named = {
        "pack.yaml": PACK,
        "r.yaml": HEAD + rule,
        "r_test.yaml": "tests: []\n",
        "routes.yaml": "routes: {d: {sinks: [s]}}\n",
        "feeds/a.yaml": FEED.format(name="a", key="project", unit="km/h"),
        "feeds/b.yaml": FEED.format(name="b", key="project_no", unit="m/s"),
        **{name.replace("__", "/") + ".yaml": text for name, text in files.items()},
    }
    return [DeclaredFile(f"p/{path}", text.encode()) for path, text in named.items()]


def rule_of(rule: str, **files: str) -> RuleSpec:
    loaded = load_project(pack(rule, **files))
    assert loaded.errors == (), loaded.report()
    assert loaded.project is not None
    return loaded.project.rules["r"]


def errors_of(rule: str, **files: str) -> list[str]:
    return [problem.code for problem in load_project(pack(rule, **files)).errors]


MATCH = "from: {feeds}\nby: {by}\nwhen: {{match: {{condition: '{condition}', quiet: 1h}}}}\n"


@pytest.mark.parametrize(
    ("feeds", "by", "space", "keys"),
    [
        pytest.param("a", "project", "project", {"a": ("project",)}, id="one-field"),
        pytest.param("a", "[project, at]", "project+at", {"a": ("project", "at")}, id="two-fields"),
        pytest.param(
            "[a, b]",
            "{a: project, b: project_no}",
            "project/project_no",
            {"a": ("project",), "b": ("project_no",)},
            id="another-name-in-each-feed",
        ),
    ],
)
def test_the_key_space_is_named_after_the_key_fields(
    feeds: str, by: str, space: str, keys: dict[str, tuple[str, ...]]
) -> None:
    rule = rule_of(MATCH.format(feeds=feeds, by=by, condition="amount > 3 CNY"))
    assert (rule.space, rule.by) == (space, keys)


def test_a_condition_over_two_feeds_may_read_what_both_declare_alike() -> None:
    by = "{a: project, b: project_no}"
    assert errors_of(MATCH.format(feeds="[a, b]", by=by, condition="amount > 3 CNY")) == []
    assert errors_of(MATCH.format(feeds="[a, b]", by=by, condition="speed > 3 km/h")) == ["R320"]


def test_each_feed_may_have_its_own_condition() -> None:
    text = MATCH.format(feeds="[a, b]", by="{a: project, b: project_no}", condition="true")
    rule = rule_of(text + "where: {a: speed > 3 km/h, b: speed > 1 m/s}\n")
    assert {feed: typed.text for feed, typed in rule.where.items()} == {
        "a": "speed > 3 km/h",
        "b": "speed > 1 m/s",
    }


def test_a_shared_list_stands_for_its_values() -> None:
    text = MATCH.format(feeds="a", by="project", condition="project in watched")
    one = rule_of(text, lists__watched="list: watched\nvalues: [P1, P2]\n")
    other = rule_of(text.replace("in watched", 'in ["P1", "P2"]'))
    assert isinstance(one.when, MatchSpec)
    assert isinstance(other.when, MatchSpec)
    assert one.when.condition.node == other.when.condition.node


DEADLINE = """
by: {{a: project, b: project_no}}
when:
  deadline:
    start: {{feed: a, where: amount > 0 CNY}}
    within: 1 month + 5 workdays
    need: {{feed: b, sum: {sum}, reach: {reach}}}
"""


def deadline(**words: str) -> DeadlineSpec:
    when = rule_of(DEADLINE.format(**words)).when
    assert isinstance(when, DeadlineSpec)
    return when


def test_a_deadline_reads_its_feeds_from_its_events() -> None:
    rule = rule_of(DEADLINE.format(sum="amount", reach="start.amount"))
    assert rule.feeds == ("a", "b")


def test_a_period_keeps_its_parts_in_order() -> None:
    when = deadline(sum="amount", reach="start.amount")
    assert when.within.parts == ((1, PeriodUnit.MONTHS), (5, PeriodUnit.WORKDAYS))


def test_the_limit_of_a_sum_is_brought_to_the_unit_of_the_sum() -> None:
    (need,) = deadline(sum="amount", reach="start.big").needs
    assert need.sum_of is not None
    assert need.reach is not None
    assert need.sum_of.type.unit == need.reach.type.unit == "CNY"
    assert need.reach.node.op == "scale"


def test_a_single_need_and_a_list_of_one_are_the_same_rule() -> None:
    one = DEADLINE.format(sum="amount", reach="start.amount")
    listed = one.replace("need: {", "need: [{").replace("start.amount}", "start.amount}]")
    assert rule_of(one).hash == rule_of(listed).hash


def test_the_same_file_in_two_packs_is_one_declaration() -> None:
    text = MATCH.format(feeds="a", by="project", condition="true")
    first = pack(text)
    second = [
        DeclaredFile("q/pack.yaml", PACK.replace("pack: p", "pack: q").encode()),
        DeclaredFile("q/feeds/a.yaml", first[4].raw),
        DeclaredFile("q/routes.yaml", first[3].raw),
    ]
    assert load_project([*first, *second]).errors == ()
    other = DeclaredFile("q/feeds/a.yaml", first[4].raw + b"lateness: 5m\n")
    assert [one.code for one in load_project([*first, second[0], other]).errors] == ["R210"]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_files_does_not_matter(seed: int) -> None:
    files = read_project([BASES])
    turned = files[seed * 7 :] + files[: seed * 7]
    assert project_of(load_project(turned)).rules == project_of(load_project(files)).rules


def project_of(loaded: Loaded) -> Project:
    assert loaded.project is not None
    return loaded.project


@pytest.mark.parametrize(
    ("today", "codes"),
    [
        pytest.param(date(2026, 4, 30), ["W203"], id="the-new-law-is-not-yet-in-force"),
        pytest.param(date(2026, 5, 1), ["W203"], id="the-old-one-is-no-longer"),
        pytest.param(None, [], id="no-day-no-judgement"),
    ],
)
def test_a_legal_basis_is_judged_on_the_day_that_is_given(
    today: date | None, codes: list[str]
) -> None:
    loaded = load_project(read_project([BASES / "hazmat"]), LoadOptions(today=today))
    assert [problem.code for problem in loaded.problems] == codes


def test_warnings_can_be_left_out() -> None:
    files = [one for one in read_project([BASES / "river"]) if not one.path.endswith("_test.yaml")]
    assert [one.code for one in load_project(files).warnings] == ["W201"]
    assert load_project(files, LoadOptions(lint=False)).problems == ()


def test_problems_as_json_say_the_same_as_the_text() -> None:
    loaded = load_project(pack(MATCH.format(feeds="a", by="projct", condition="true")))
    (found,) = loaded.as_json("zh")
    assert json.loads(json.dumps(found, ensure_ascii=False)) == found
    assert (found["file"], found["line"], found["column"]) == ("p/r.yaml", 7, 5)
    assert (found["code"], found["level"], found["nearest"]) == ("R208", "error", "project")
    assert found["message"] in loaded.report("zh")
