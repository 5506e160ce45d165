"""cluster: alike in place and text, told by several, growing, over when nothing more comes."""

from types import SimpleNamespace
from typing import Any

import pytest
from cluster_oracle import told as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import Recorder, Stage

from engine.model.likeness import likeness, marks_of
from engine.operators.cluster import ClusterLogic, Reading
from engine.operators.specs.cluster import ClusterSpec

T0 = 1_772_409_600_000
WITHIN = 100
TEXTS = [
    "武陵路水泥路面拱起50厘米",
    "武陵路路面拱起，车辆无法通行",
    "小区停水两天了",
    "Tap water has been brown since Monday",
    "brown tap water since monday!",
]


ANY_TYPED: Any = object()
"""Stands for an expression: what it would answer, `read` answers."""


class Sized(Recorder):
    """A judge that also writes down how large the cluster was."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def announce(self, key: str, episode: Any, transition: Any, at_ms: int, event: Any) -> None:
        super().announce(key, episode, transition, at_ms, event)
        self.sizes.append(episode.facts["size"])


def stage(*, near: float | None = 10, text: bool = False, grows: tuple[int, ...] = ()) -> Stage:
    spec = ClusterSpec(
        3,
        WITHIN,
        near,
        ANY_TYPED if text else None,
        0.3,
        ANY_TYPED,
        grows,
    )

    def far(x: float, y: float, u: float, v: float) -> bool:
        return abs(x - u) + abs(y - v) > (near or 0)

    def read(_key: str, event: Any, _at: int) -> Reading:
        return Reading((event.x, 0.0), event.text, event.who)

    scene = Stage(
        lambda judge, host, codec: ClusterLogic(
            spec, None if near is None else far, read, judge, host, codec
        )
    )
    scene.judge = Sized()
    scene.start({})
    return scene


def record(at: int, x: float = 0.0, who: str | None = None, text: str = TEXTS[0]) -> Any:
    return SimpleNamespace(at=at, x=x, who=who, text=text)


def tell(scene: Stage, records: list[Any], restarts: tuple[int, ...] = ()) -> list[tuple]:
    for one in records:
        scene.timers_before(T0 + one.at)
        if one.at in restarts:
            scene.restart(["k"], T0 + one.at)
        scene.event("feed", "k", one, T0 + one.at)
    scene.timers_before(T0 + 10_000)
    assert isinstance(scene.judge, Sized)
    said = scene.judge.said
    return [
        (what, at - T0, size)
        for (what, _, _, at, _), size in zip(said, scene.judge.sizes, strict=True)
    ]


def test_the_third_alike_record_makes_a_cluster_until_nothing_more_comes() -> None:
    assert tell(stage(), [record(0), record(10), record(50)]) == [
        ("fired", 50, 3), ("cleared", 150, 3),
    ]  # fmt: skip


def test_a_record_exactly_as_long_after_the_first_is_too_late() -> None:
    assert tell(stage(), [record(0), record(10), record(100)]) == []


def test_records_that_are_not_near_do_not_count() -> None:
    assert tell(stage(), [record(0), record(1, x=11), record(2, x=22)]) == []


def test_the_middle_of_three_is_the_anchor_when_the_ends_are_far_apart() -> None:
    assert tell(stage(), [record(0), record(1, x=8), record(2, x=16)])[0] == ("fired", 2, 3)


def test_one_caller_who_calls_three_times_is_one() -> None:
    assert tell(stage(), [record(n, who="a") for n in range(3)]) == []
    several = [record(0, who="a"), record(1, who="b"), record(2, who="a"), record(3, who="c")]
    assert tell(stage(), several)[0] == ("fired", 3, 3)


def test_a_cluster_is_told_again_at_the_sizes_it_grows_to() -> None:
    told = tell(stage(grows=(5, 6)), [record(n) for n in range(7)])
    assert told[:3] == [("fired", 2, 3), ("updated", 4, 5), ("updated", 5, 6)]


def test_a_record_exactly_at_the_end_of_a_cluster_begins_anew() -> None:
    told = tell(stage(), [record(0), record(1), record(2), record(102), record(103)])
    assert told == [("fired", 2, 3), ("cleared", 102, 3)]


def test_two_clusters_of_one_key_live_side_by_side() -> None:
    records = [record(n, x=100.0 * (n % 2)) for n in range(8)]
    assert [what for what, _, _ in tell(stage(), records)] == ["fired"] * 2 + ["cleared"] * 2


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        pytest.param(TEXTS[0], TEXTS[1], 0.3, 0.6, id="the-same-bulge-in-other-words"),
        pytest.param(TEXTS[0], TEXTS[2], 0.0, 0.01, id="another-matter"),
        pytest.param(TEXTS[3], TEXTS[4], 0.6, 0.9, id="english-by-words"),
        pytest.param("停水！", "停 水", 0.0, 1.0, id="punctuation-splits-runs"),
        pytest.param("ＡＢＣ路", "abc路", 1.0, 1.0, id="width-and-case-do-not-count"),
        pytest.param("", "停水", 0.0, 0.0, id="nothing-is-like-nothing"),
    ],
)
def test_texts_are_as_alike_as_people_would_say(
    one: str, other: str, low: float, high: float
) -> None:
    assert low <= likeness(marks_of(one), marks_of(other)) <= high


def test_state_holds_no_words_and_no_names() -> None:
    scene = stage(text=True)
    scene.logic.codec.plain = lambda _event: None  # type: ignore[attr-defined]
    scene.event("feed", "k", record(0, who="13812345678"), T0)
    kept = repr(scene.logic.save("k")[0][0])
    assert "13812345678" not in kept
    assert "武陵" not in kept


def test_without_a_text_where_texts_matter_a_record_is_like_no_other() -> None:
    assert tell(stage(text=True), [record(n, text="……") for n in range(4)]) == []


@st.composite
def stories(draw: st.DrawFn) -> list[Any]:
    """Records of a few places, texts and callers, not too far apart."""
    at, found = 0, []
    for wait, x, who, text in draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1, 1, 5, 5, 20, 99, 100, 101]),
                st.sampled_from([0.0, 0.0, 0.0, 6.0, 12.0, 40.0]),
                st.sampled_from([None, None, None, "a", "b", "c"]),
                st.sampled_from([TEXTS[0], *TEXTS]),
            ),
            min_size=7,
            max_size=25,
        )
    ):
        at += wait
        found.append(record(at, x, who, text))
    return found


def both(story: list[Any], *, text: bool, restarts: tuple[int, ...] = ()) -> tuple[list, list]:
    def alike(one: Any, other: Any) -> bool:
        same = not text or likeness(marks_of(one.text), marks_of(other.text)) >= 0.3
        return abs(one.x - other.x) <= 10 and same

    found = tell(stage(text=text, grows=(5, 8)), story, restarts)
    return sorted(found), sorted(oracle(story, alike, 3, WITHIN, (5, 8)))


@settings(max_examples=500, deadline=None)
@given(stories(), st.booleans())
def test_every_cluster_is_found_and_no_other(story: list[Any], text: bool) -> None:
    found, expected = both(story, text=text)
    assert found == expected


@settings(max_examples=200, deadline=None)
@given(stories())
def test_a_restart_before_any_record_changes_nothing(story: list[Any]) -> None:
    found, expected = both(story, text=True, restarts=tuple(one.at for one in story))
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(stories())
def test_memory_returns_to_nothing(story: list[Any]) -> None:
    scene = stage()
    tell(scene, story)
    assert scene.logic.size() == 0
    assert scene.timers == []


def test_most_stories_of_these_laws_fire() -> None:
    fired: list[bool] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(stories(), st.booleans())
    def look(story: list[Any], text: bool) -> None:
        fired.append(bool(both(story, text=text)[0]))

    look()
    assert sum(fired) > 0.3 * len(fired)
