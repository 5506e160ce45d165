"""A storm of papers: what goes out singly, what waits, and a digest that stands for all of it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cases.digest import digest_id
from engine.cases.model import Paper, PaperKind
from engine.cases.policy import Storm
from engine.cases.storm import MOST_LISTED, digests, due_ms, sift

NOW = 1_772_416_800_000
STORM = Storm(over=3, within_ms=60_000, every_ms=300_000)


def paper(
    number: int, sink: str = "room", group: str = "", severity: str = "yellow", at: int = 0
) -> Paper:
    return Paper(
        id=f"p{number:05}",
        kind=PaperKind.ORDER,
        sink=sink,
        group=group or f"case-{number}",
        at_ms=NOW + at,
        document={"number": f"20260302-{number:04}", "severity": severity, "route": "hazmat"},
    )


def ids(papers: tuple[Paper, ...]) -> str:
    return " ".join(str(int(one.id[1:])) for one in papers)


@pytest.mark.parametrize(
    ("papers", "before", "waiting", "now", "wait"),
    [
        pytest.param([paper(1), paper(2), paper(3)], 0, (), "1 2 3", "", id="as-many-as-allowed"),
        pytest.param([paper(n) for n in range(1, 6)], 0, (), "1 2 3", "4 5", id="the-rest-waits"),
        pytest.param([paper(1), paper(2)], 2, (), "1", "2", id="what-went-before-counts"),
        pytest.param(
            [paper(1), paper(2, severity="red"), paper(3)], 3, (), "2", "1 3", id="red-never-waits"
        ),
        pytest.param(
            [paper(1, group="a"), paper(2, group="b")], 0, ("a",), "2", "1", id="nothing-overtakes"
        ),
        pytest.param(
            [paper(1, "room"), paper(2, "orders")], 3, (), "", "1 2", id="each-sink-by-itself"
        ),
    ],
)
def test_papers_are_sifted(
    papers: list[Paper], before: int, waiting: tuple[str, ...], now: str, wait: str
) -> None:
    sifted = sift(STORM, papers, lambda _s, _t: before, lambda _s, group: group in waiting, NOW)
    assert (ids(sifted.now), ids(sifted.wait)) == (now, wait)


def test_papers_to_sinks_that_people_do_not_read_are_never_gathered() -> None:
    storm = Storm(over=0, sinks=("room",))
    sifted = sift(
        storm, [paper(1, "orders"), paper(2)], lambda _s, _t: 9, lambda _s, _g: False, NOW
    )
    assert (ids(sifted.now), ids(sifted.wait)) == ("1", "2")


def test_a_later_paper_of_a_case_that_waits_waits_behind_it_though_the_sink_is_free_again() -> None:
    storm = Storm(over=1)
    papers = [paper(1, group="a"), paper(2, group="b"), paper(3, "other", group="b")]
    sifted = sift(storm, papers, lambda _s, _t: 0, lambda _s, _g: False, NOW)
    assert (ids(sifted.now), ids(sifted.wait)) == ("1 3", "2")


def test_it_is_told_so_long_after_the_first_that_waits() -> None:
    assert due_ms(STORM, [paper(1, at=500), paper(2, at=200)]) == NOW + 200 + STORM.every_ms
    assert due_ms(STORM, []) is None


def test_ten_thousand_alerts_in_a_minute_become_sixty_papers_and_digests_that_lose_none() -> None:
    storm = Storm()
    papers = [paper(n, at=6 * n, severity=("yellow", "orange")[n % 2]) for n in range(10_000)]
    sifted = sift(storm, papers, lambda _s, _t: 0, lambda _s, _g: False, NOW)
    assert len(sifted.now) == 60
    found = digests(sifted.wait, NOW + 300_000)
    assert len(found) == -(-9_940 // MOST_LISTED)
    listed = [each["id"] for one in found for each in one.document["papers"]]
    assert sorted([*listed, *(one.id for one in sifted.now)]) == [one.id for one in papers]
    assert sum(one.document["counts"]["severity"]["orange"] for one in found) == 4_970
    assert {one.document["parts"] for one in found} == {len(found)}
    assert len({one.id for one in found}) == len(found)


def test_the_id_of_a_digest_is_that_of_its_papers_and_its_sink_in_any_order() -> None:
    assert digest_id("room", ["a", "b"]) == digest_id("room", ["b", "a"])
    assert digest_id("room", ["a", "b"]) != digest_id("hall", ["a", "b"])


def test_a_digest_reads_the_gravest_first_and_says_how_many_more() -> None:
    held = [paper(n, severity="orange" if n == 24 else "blue", at=60_000 * n) for n in range(25)]
    (one,) = digests(held, NOW)
    said = one.document["notice"]
    assert said["level"] == one.document["severity"] == "orange"
    assert said["title"] == {"en": "25 notices in one", "zh": "汇总：25 条通知"}
    lines = said["text"]["en"].splitlines()
    assert lines[0] == "from 2026-03-02 10:00 to 2026-03-02 10:24"
    assert lines[1] == "blue: 24, orange: 1"
    assert lines[3] == "20260302-0024  orange"
    assert lines[-1] == "and 5 more, each listed in the document"
    assert len(said["text"]["zh"].splitlines()) == len(lines) == 3 + 20 + 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from("ab")), max_size=40), st.randoms())
def test_a_digest_is_the_same_in_whatever_order_and_however_often_its_papers_come(
    drawn: list[tuple[int, str]], chance: random.Random
) -> None:
    held = [paper(n, sink) for n, sink in drawn]
    mixed = [*held, *held]
    chance.shuffle(mixed)
    unique = {(one.sink, one.id): one for one in held}
    first = digests(unique.values(), NOW)
    assert digests(mixed, NOW) == first
    assert [one.id for one in digests(held, NOW + 5)] == [one.id for one in first]
    listed = {(one.sink, each["id"]) for one in first for each in one.document["papers"]}
    assert listed == set(unique)
