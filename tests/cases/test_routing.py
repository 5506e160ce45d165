"""Where alerts go: the branch that decides, who is in charge, which centre, and why."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cases.decision import Decision
from engine.cases.model import Tier
from engine.cases.policy import Branch, Centre, Department, Match, Policy, Timing
from engine.cases.routing import decide
from engine.geo.regions import Regions
from engine.geo.zones import ZoneSet
from engine.model.calendar import WorkCalendar
from engine.model.change import Change, Transition
from engine.model.worktime import WorkTime

MONDAY_10 = 1_772_416_800_000
"""2026-03-02 10:00 in Shanghai."""
HOUR = 3_600_000
OFFICE = WorkTime(WorkCalendar.china(), ((510, 720), (840, 1080)))


def words(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def centre(
    area: str, tier: Tier, title: str = "", also: tuple[str, ...] = (), above: str = ""
) -> tuple[str, Centre]:
    return area, Centre(area, tier, words(title or area), also=also, above=above)


CENTRES = dict(
    [
        centre("320600", Tier.CITY, "南通市"),
        centre("320682", Tier.COUNTY, "如皋市", ("320600682",)),
        centre("320614", Tier.COUNTY, "海门区", ("320684", "海门")),
        centre("320682001", Tier.TOWN),
        centre("PARK1", Tier.COUNTY, "苏锡通园区", above="320600"),
    ]
)
DEPARTMENTS = {
    name: Department(name, words(name), areas=areas)
    for name, areas in {
        "duty": (),
        "police": (),
        "transport": (),
        "fire": (),
        "rugao-police": ("320682",),
    }.items()
}


def policy(*children: Branch, **root: Any) -> Policy:
    return Policy(
        departments=DEPARTMENTS,
        centres=CENTRES,
        root=Branch(
            "default",
            children=children,
            **{"lead": "duty", "tier": Tier.COUNTY, "timing": "usual", **root},
        ),
        timings={name: Timing(name) for name in ("usual", "urgent")},
    )


def alert(**facts: Any) -> Change:
    said: dict[str, Any] = {
        "delivery_id": "d",
        "episode_id": "e",
        "rule": "stays",
        "rule_hash": "",
        "key": "truck-1",
        "transition": Transition.FIRED,
        "ordinal": 1,
        "at_ms": 0,
        "since_ms": 0,
        "severity": "yellow",
        "pack": "hazmat",
        "labels": {"area": "320682", "kind": "hazmat"},
    }
    return Change(**{**said, **facts})


def went(decision: Decision) -> str:
    return f"{decision.route} {decision.lead}@{decision.tier}:{decision.centre}"


HAZMAT = Branch("hazmat", Match(packs=("hazmat",)), lead="transport")
RED = Branch("red", Match(min_severity="red"), lead="police", timing="urgent")
NIGHT = Branch("office", Match(hours=OFFICE), lead="fire")


@pytest.mark.parametrize(
    ("tree", "facts", "expected"),
    [
        pytest.param((), {}, "default duty@county:320682", id="no-branch-and-the-default-decides"),
        pytest.param((HAZMAT,), {}, "hazmat transport@county:320682", id="the-pack-decides"),
        pytest.param(
            (HAZMAT,), {"pack": "wages"}, "default duty@county:320682", id="another-pack-does-not"
        ),
        pytest.param(
            (replace(HAZMAT, children=(RED,)),),
            {"severity": "red"},
            "hazmat/red police@county:320682",
            id="the-innermost-branch-that-matches-decides",
        ),
        pytest.param(
            (replace(HAZMAT, children=(RED,)),),
            {"severity": "orange"},
            "hazmat transport@county:320682",
            id="one-level-below-the-least-is-not-enough",
        ),
        pytest.param(
            (HAZMAT, replace(HAZMAT, name="later", lead="fire")),
            {},
            "hazmat transport@county:320682",
            id="the-first-that-matches-wins",
        ),
        pytest.param(
            (Branch("a", Match(rules=("sta*",)), lead="fire"),),
            {},
            "a fire@county:320682",
            id="a-star-stands-for-any-rest",
        ),
        pytest.param(
            (Branch("a", Match(rules=("sta",)), lead="fire"),),
            {},
            "default duty@county:320682",
            id="the-beginning-of-a-rule-alone-is-not-the-rule",
        ),
        pytest.param(
            (Branch("a", Match(labels={"kind": frozenset({"gas", "hazmat"})}), lead="fire"),),
            {},
            "a fire@county:320682",
            id="one-of-several-values-of-a-label",
        ),
        pytest.param(
            (Branch("a", Match(labels={"colour": frozenset({"blue"})}), lead="fire"),),
            {},
            "default duty@county:320682",
            id="a-label-that-is-not-there-matches-nothing",
        ),
        pytest.param(
            (Branch("a", Match(dispatch=("hazmat",)), lead="fire"),),
            {"dispatch": "hazmat"},
            "a fire@county:320682",
            id="what-the-rule-says-about-dispatch",
        ),
        pytest.param(
            (Branch("a", Match(areas=("320600",)), lead="fire"),),
            {"labels": {"area": "320682003"}},
            "a fire@county:320682",
            id="a-town-lies-in-its-city",
        ),
        pytest.param(
            (Branch("a", Match(areas=("320682",)), lead="fire"),),
            {"labels": {"area": "320614"}},
            "default duty@county:320614",
            id="a-county-is-not-the-other-county",
        ),
        pytest.param(
            (Branch("a", Match(areas=("320600",)), lead="fire"),),
            {"labels": {"area": "PARK1"}},
            "a fire@county:PARK1",
            id="a-park-lies-in-the-city-because-its-centre-says-so",
        ),
        pytest.param(
            (), {"labels": {"area": "海门区"}}, "default duty@county:320614", id="by-its-name"
        ),
        pytest.param(
            (), {"labels": {"area": "320684"}}, "default duty@county:320614", id="by-its-old-code"
        ),
        pytest.param(
            (),
            {"labels": {"area": "320684005"}},
            "default duty@county:320614",
            id="a-town-of-a-county-by-the-old-code",
        ),
        pytest.param(
            (), {"labels": {"area": "330100"}}, "default duty@city:320600", id="another-city"
        ),
        pytest.param((), {"labels": {}}, "default duty@city:320600", id="no-area-at-all"),
        pytest.param(
            (),
            {"labels": {"area": "—", "county": "海门"}},
            "default duty@county:320614",
            id="a-dash-is-no-area",
        ),
        pytest.param(
            (Branch("a", tier=Tier.TOWN),),
            {"labels": {"area": "320682001"}},
            "a duty@town:320682001",
            id="the-town-has-it-first",
        ),
        pytest.param(
            (Branch("a", tier=Tier.TOWN),),
            {"labels": {"area": "320682002"}},
            "a duty@county:320682",
            id="a-town-without-a-centre-leaves-it-to-the-county",
        ),
        pytest.param(
            (Branch("a", tier=Tier.TOWN, lift_from="orange"),),
            {"labels": {"area": "320682001"}, "severity": "orange"},
            "a duty@county:320682",
            id="lifted-from-the-town-to-the-county",
        ),
        pytest.param(
            (Branch("a", lift_from="orange"),),
            {"severity": "yellow"},
            "a duty@county:320682",
            id="not-lifted-below-the-level",
        ),
        pytest.param(
            (Branch("a", lift_from="yellow"),),
            {"labels": {"area": "PARK1"}},
            "a duty@city:320600",
            id="a-park-is-lifted-to-whom-its-centre-names",
        ),
        pytest.param(
            (Branch("a", tier=Tier.CITY, lift_from="yellow"),),
            {},
            "a duty@city:320600",
            id="there-is-nothing-above-the-city",
        ),
        pytest.param(
            (Branch("a", lead="rugao-police"),),
            {"labels": {"area": "320614"}},
            "a duty@county:320614",
            id="a-department-that-does-not-work-there-is-passed-over",
        ),
        pytest.param(
            (Branch("a", lead="rugao-police"),),
            {},
            "a rugao-police@county:320682",
            id="a-department-that-works-there-is-not",
        ),
        pytest.param(
            (replace(HAZMAT, go_on=True), Branch("all", lead="fire")),
            {},
            "all fire@county:320682",
            id="one-that-goes-on-leaves-the-decision-to-the-next",
        ),
        pytest.param(
            (replace(HAZMAT, go_on=True), Branch("none", Match(packs=("gas",)))),
            {},
            "hazmat transport@county:320682",
            id="one-that-goes-on-decides-when-nothing-after-it-matches",
        ),
    ],
)
def test_an_alert_goes(tree: tuple[Branch, ...], facts: dict[str, Any], expected: str) -> None:
    assert went(decide(policy(*tree), alert(**facts), MONDAY_10)) == expected


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(-2, "default"), (-1.5, "office"), (1.999, "office"), (2, "default"), (4, "office")],
)
def test_a_branch_holds_at_its_hours_only(hour: float, expected: str) -> None:
    assert decide(policy(NIGHT), alert(), MONDAY_10 + round(hour * HOUR)).route == expected


def test_after_the_end_of_its_calendar_a_branch_does_not_hold_and_the_trace_says_so() -> None:
    decision = decide(policy(NIGHT), alert(), MONDAY_10 + 3000 * 24 * HOUR)
    assert decision.route == "default"
    assert "route-missed-calendar" in [reason.name for reason in decision.why]


def test_whoever_is_named_by_a_branch_that_goes_on_assists_and_hears() -> None:
    also = replace(HAZMAT, go_on=True, assisting=("fire", "police"), sinks=("bus",), host="police")
    decision = decide(policy(also, Branch("all", lead="police", sinks=("desk",))), alert(), 0)
    assert (decision.lead, decision.host) == ("police", "police")
    assert decision.assisting == ("transport", "fire")
    assert decision.sinks == ("desk", "bus")


def test_a_helper_that_does_not_work_where_the_alert_is_does_not_help() -> None:
    tree = policy(assisting=("rugao-police", "fire"))
    assert decide(tree, alert(labels={"area": "320614"}), 0).assisting == ("fire",)
    assert decide(tree, alert(), 0).assisting == ("rugao-police", "fire")


def test_an_empty_list_takes_away_what_the_branch_above_says() -> None:
    tree = policy(Branch("alone", assisting=(), sinks=()), assisting=("fire",), sinks=("bus",))
    decision = decide(tree, alert(), 0)
    assert (decision.assisting, decision.sinks) == ((), ())


def test_every_failing_part_of_a_branch_is_told_with_what_was_found() -> None:
    asked = Match(packs=("gas",), min_severity="red", areas=("320614",))
    decision = decide(policy(Branch("a", asked)), alert(), 0)
    told = {one.name: one.found["found"] for one in decision.why if one.found.get("route") == "a"}
    assert told == {
        "route-missed-packs": "hazmat",
        "route-missed-min_severity": "yellow",
        "route-missed-areas": "320682",
    }
    assert all(reason.said(lang) for reason in decision.why for lang in ("en", "zh"))


def square(code: str, level: str, west: float, size: float, parent: str = "") -> str:
    east = west + size
    corners = f"[[[{west},32],[{east},32],[{east},33],[{west},33],[{west},32]]]"
    said = f'"id":"{code}","name":"{code}","level":"{level}"'
    said += f',"parent":"{parent}"' if parent else ""
    geometry = f'{{"type":"Polygon","coordinates":{corners}}}'
    return f'{{"type":"Feature","properties":{{{said}}},"geometry":{geometry}}}'


def regions() -> Regions:
    features = [
        square("320600", "city", 120, 2),
        square("320682", "county", 120, 1, "320600"),
        square("320682001", "town", 120, 0.5, "320682"),
        square("330100", "city", 125, 1),
    ]
    text = f'{{"type":"FeatureCollection","datum":"wgs84","features":[{",".join(features)}]}}'
    layer, problems = ZoneSet.from_text("regions", text.encode(), "regions.geojson")
    assert layer is not None, problems
    return Regions(layer)


@pytest.mark.parametrize(
    ("lon", "area", "source"),
    [
        pytest.param(120.2, "320682001", "position", id="in-a-town"),
        pytest.param(120.8, "320682", "position", id="in-a-county-outside-its-towns"),
        pytest.param(121.5, "320600", "position", id="in-the-city-alone"),
        pytest.param(125.5, "330100", "strange", id="in-another-city"),
        pytest.param(123.0, "320614", "label", id="outside-every-region-the-label-holds"),
    ],
)
def test_the_position_says_the_area_before_the_label_does(
    lon: float, area: str, source: str
) -> None:
    here = alert(lon=lon, lat=32.5, labels={"area": "320614"})
    decision = decide(policy(), here, 0, regions())
    assert decision.area == area
    assert decision.why[0].name == f"route-area-{source}"


VALUES = ("a", "b", "c")
LEVELS = ("blue", "yellow", "orange", "red")
AREAS = ("320600", "320682", "320682001", "320614", "")


@st.composite
def matches(draw: st.DrawFn) -> Match:
    some = st.lists(st.sampled_from(VALUES), max_size=2, unique=True).map(tuple)
    return Match(
        rules=draw(some),
        packs=draw(some) if draw(st.booleans()) else (),
        min_severity=draw(st.sampled_from(("", *LEVELS))) if draw(st.booleans()) else "",
        areas=draw(st.sampled_from(((), ("320600",), ("320682",)))),
    )


@st.composite
def branches(draw: st.DrawFn, deep: int = 2) -> Branch:
    children = draw(st.lists(branches(deep - 1), max_size=3)) if deep else []
    return Branch(
        draw(st.uuids()).hex[:8],
        draw(matches()),
        lead=draw(st.sampled_from((None, "police", "fire"))),
        timing=draw(st.sampled_from((None, "urgent"))),
        go_on=draw(st.booleans()),
        children=tuple(children),
    )


ALERTS = st.builds(
    lambda rule, pack, severity, area: alert(
        rule=rule, pack=pack, severity=severity, labels={"area": area} if area else {}
    ),
    st.sampled_from(VALUES),
    st.sampled_from(VALUES),
    st.sampled_from(LEVELS),
    st.sampled_from(AREAS),
)


def naive(branch: Branch, one: Change) -> list[list[Branch]]:
    """Every way down that is taken: those that go on first, the one that decides last."""
    area = one.labels.get("area", "")
    inside = {"320600": "3206", "320682": "320682"}
    found: list[list[Branch]] = []
    for child in branch.children:
        asked = child.match
        if asked.rules and one.rule not in asked.rules:
            continue
        if asked.packs and one.pack not in asked.packs:
            continue
        if asked.min_severity and LEVELS.index(one.severity) < LEVELS.index(asked.min_severity):
            continue
        if asked.areas and not (area and any(area.startswith(inside[x]) for x in asked.areas)):
            continue
        found += naive(child, one)
        if not child.go_on:
            break
    return [[branch, *way] for way in found] or [[branch]]


@settings(max_examples=400, deadline=None)
@given(st.lists(branches(), max_size=4), ALERTS)
def test_the_tree_is_walked_as_the_naive_reading_says(tree: list[Branch], one: Change) -> None:
    whole = policy(*tree)
    decision = decide(whole, one, MONDAY_10)
    ways = naive(whole.root, one)
    way = ways[-1]
    assert decision.route == ("/".join(branch.name for branch in way[1:]) or "default")
    assert decision.lead == [branch.lead for branch in way if branch.lead][-1]
    assert decision.timing.name == [branch.timing for branch in way if branch.timing][-1]
    leads = {[branch.lead for branch in other if branch.lead][-1] for other in ways[:-1]}
    assert {name for name in leads if name not in {decision.lead, "duty"}} <= {*decision.assisting}


@settings(max_examples=150, deadline=None)
@given(st.lists(branches(), max_size=4), ALERTS, st.randoms(use_true_random=False))
def test_a_decision_is_a_function_of_the_alert_and_branches_for_others_change_nothing(
    tree: list[Branch], one: Change, chance: random.Random
) -> None:
    before = decide(policy(*tree), one, MONDAY_10)
    again = decide(policy(*tree), one, MONDAY_10)
    assert again == before
    others = [Branch(f"z{n}", Match(rules=(f"not-{n}",)), lead="fire") for n in range(3)]
    mixed = list(tree)
    for other in others:
        mixed.insert(chance.randrange(len(mixed) + 1), other)
    after = decide(policy(*mixed), one, MONDAY_10)
    assert replace(after, why=()) == replace(before, why=())
