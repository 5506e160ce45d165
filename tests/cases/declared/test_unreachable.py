"""What a desk is told never to be reached is never reached, whatever alert comes."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cases.areas import Areas
from engine.cases.declared.shadow import impossible, shadowed
from engine.cases.match import Facts, matches
from engine.cases.model import Tier
from engine.cases.policy import Branch, Centre, Match

CENTRES = {
    code: Centre(code, tier, {"zh": code, "en": code})
    for code, tier in {
        "320600": Tier.CITY,
        "320682": Tier.COUNTY,
        "320614": Tier.COUNTY,
        "320682001": Tier.TOWN,
    }.items()
}
AREAS = Areas(CENTRES)
LEVELS = ("blue", "yellow", "orange", "red")
NAMES = st.lists(st.sampled_from(("a", "ab", "a*", "b*", "c")), max_size=2, unique=True).map(tuple)
VALUES = st.sets(st.sampled_from(("x", "y")), min_size=1).map(frozenset)
MATCHES = st.builds(
    Match,
    labels=st.dictionaries(st.sampled_from(("kind", "sort")), VALUES, max_size=1),
    rules=NAMES,
    packs=st.lists(st.sampled_from(("p", "q")), max_size=1).map(tuple),
    areas=st.lists(st.sampled_from((*CENTRES, "320682002")), max_size=2, unique=True).map(tuple),
    min_severity=st.sampled_from(("", "", *LEVELS)),
)


@st.composite
def branches(draw: st.DrawFn, deep: int = 2) -> Branch:
    inner = draw(st.lists(branches(deep - 1), max_size=3)) if deep else []
    return Branch(
        draw(st.uuids()).hex, draw(MATCHES), go_on=draw(st.booleans()), children=tuple(inner)
    )


FACTS = st.builds(
    lambda rule, pack, severity, area, labels: Facts(
        rule, pack, "k", severity, "", labels, area, AREAS.within(area)
    ),
    st.sampled_from(("a", "ab", "abc", "b", "c")),
    st.sampled_from(("p", "q")),
    st.sampled_from(LEVELS),
    st.sampled_from((*CENTRES, "320682002", "320682001003", "")),
    st.dictionaries(st.sampled_from(("kind", "sort")), st.sampled_from(("x", "y"))),
)


def reached(branch: Branch, facts: Facts) -> Iterator[str]:
    """The names of every branch that an alert comes to."""
    for child in branch.children:
        if matches(child.match, facts, 0):
            yield child.name
            yield from reached(child, facts)
            if not child.go_on:
                return


@settings(max_examples=200, deadline=None)
@given(st.lists(branches(), min_size=1, max_size=5), st.lists(FACTS, min_size=5, max_size=30))
def test_no_alert_comes_to_a_branch_that_is_called_unreachable(
    tree: list[Branch], alerts: list[Facts]
) -> None:
    root = Branch("default", children=tuple(tree))
    never = {branch.name for branch, _ in shadowed(root, AREAS)}
    never |= {branch.name for branch, _, _ in impossible(root, AREAS)}
    came = {name for facts in alerts for name in reached(root, facts)}
    assert never & came == set()


def test_a_branch_behind_the_same_one_is_called_unreachable_and_behind_a_narrower_one_is_not() -> (
    None
):
    wide, narrow = Match(packs=("p",)), Match(packs=("p",), min_severity="red")
    for first, second, expected in ((wide, narrow, 1), (wide, wide, 1), (narrow, wide, 0)):
        root = Branch("default", children=(Branch("one", first), Branch("two", second)))
        assert len(list(shadowed(root, AREAS))) == expected
    going_on = Branch("one", wide, go_on=True)
    assert not list(shadowed(Branch("default", children=(going_on, Branch("two", wide))), AREAS))


def test_a_branch_behind_one_for_other_values_of_its_label_is_reached() -> None:
    one, other, both = frozenset({"x"}), frozenset({"y"}), frozenset({"x", "y"})
    for first, second, expected in ((one, other, 0), (both, one, 1), (one, both, 0), (one, one, 1)):
        matched = [Match(labels={"kind": values}) for values in (first, second)]
        root = Branch("default", children=(Branch("a", matched[0]), Branch("b", matched[1])))
        assert len(list(shadowed(root, AREAS))) == expected
