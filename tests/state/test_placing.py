"""Where an import on Kafka puts rows and positions, and what it refuses, without a broker."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from small_world import compiled

from engine.edge.state_tools.file import Head, LogEnd, Origin, Part, Route, SpaceHead
from engine.edge.streaming.names import Names, partition_of
from engine.edge.streaming.placing import Placing
from engine.edge.streaming.topics import Layout, SpaceLayout
from engine.errors import StateError
from engine.state.codec import Meta, pack_meta

FILES = {
    "p/pack.yaml": "pack: p\ntitle: {zh: 包, en: P}\nowner: t\nversion: '1.0'\n",
    "p/feeds/gps.yaml": """
feed: gps
title: {zh: 定位, en: Positions}
topic: feed.gps
format: json
key: car
id: [car, at]
time: {field: at, format: epoch-ms}
fields: {car: text, firm: text, at: {type: time, format: epoch-ms}, speed: number}
purpose: [tests]
""",
    "p/fast.yaml": """
rule: fast
title: {zh: 快, en: Fast}
status: stable
owner: t
severity: blue
from: gps
by: car
when: {match: speed > 9}
""",
    "p/firm.yaml": """
rule: firm
title: {zh: 企业, en: Firm}
status: stable
owner: t
severity: blue
from: gps
by: firm
when: {match: speed > 9}
""",
}
PROGRAM = compiled(FILES)
HEAD = Head(
    "t", 0, Origin("kafka", cluster="one"), "", {},
    {"car": SpaceHead(4, True, ["fast"], ["gps"]), "firm": SpaceHead(4, False, ["firm"], ["gps"])},
)  # fmt: skip


def parts(unread: int = 0, topic: str = "feed.gps") -> list[Part]:
    """Four partitions of the direct key space, each further on than the one before."""
    found = []
    for one in range(4):
        end = LogEnd(100 + one, 1_000 + one, f"{one}/gps", topic, one, unread)
        meta = pack_meta(Meta(watermark=1_000 + one))
        sources = {f"{one}/gps": 1_000 + one}
        found.append(Part("car", one, 1_000 + one, sources, [], {f"{topic}/{one}": end}, meta))
    return found


def routed() -> list[Route]:
    """The routers of the other key space, with records still before them."""
    ends = [LogEnd(200 + one, 2_000 + one, f"{one}/gps", "feed.gps", one, 9) for one in range(4)]
    return [Route("firm", "gps", end) for end in ends]


def placing(
    partitions: int,
    found: list[Part],
    *,
    feed: tuple[int, int] | None = None,
    routes: list[Route] | None = None,
    **more: Any,
) -> Placing:
    """A target with so many partitions, whose feed topic holds `feed` records each."""
    spaces = {
        "car": SpaceLayout("car", partitions, ("feed.gps",)),
        "firm": SpaceLayout("firm", partitions, ("fw.by-firm",), ("feed.gps",)),
    }
    counts = {"feed.gps": partitions, "fw.by-firm": partitions}
    layout = Layout(Names(), {"gps": "feed.gps"}, counts, spaces, {"gps": "car"})
    words: dict[str, Any] = {"cluster": "one", "feeds": None, **more}
    made = Placing(
        HEAD, found, routes or [], layout, PROGRAM, words["cluster"], words["feeds"], "en"
    )
    ends = feed or (0, 0)
    made.ends = {
        TopicPartition(topic, one): ends if topic == "feed.gps" else (0, 0)
        for topic in counts
        for one in range(partitions)
    }
    return made


def test_the_same_partitions_stay_what_they_were_unread_records_included() -> None:
    made = placing(4, parts(unread=7))
    made.decide()
    assert made.same == {"car", "firm"}
    assert [made.marks["car", one] for one in range(4)] == [1_000, 1_001, 1_002, 1_003]
    assert made.metas["car", 2].positions == {"feed.gps/2": (102, 102, 1_002)}
    assert made.metas["car", 2].sources == {"2/gps": 1_002}
    assert made.spot_of("car", 3, "whatever", "fast") == ("car", 3)


def test_a_widened_topic_is_read_on_and_its_new_partitions_from_their_beginning() -> None:
    made = placing(6, parts(), routes=routed(), feed=(0, 110))
    made.decide()
    assert made.same == set()
    assert {made.marks["car", one] for one in range(6)} == {1_000}, "the least of all"
    assert made.metas["car", 1].positions == {"feed.gps/1": (101, 101, 1_001)}
    assert made.metas["car", 5].positions == {}
    key = next(f"k{n}" for n in range(99) if partition_of(f"k{n}", 4) == 1)
    assert made.spot_of("car", 1, key, "fast") == ("car", partition_of(key, 6))


@pytest.mark.parametrize("partitions", [3, 6])
def test_unread_records_keep_the_partitions_as_they_are(partitions: int) -> None:
    with pytest.raises(StateError, match=r"7 records of feed.gps/0 were not read"):
        placing(partitions, parts(unread=7)).decide()


def test_another_cluster_knows_none_of_the_offsets() -> None:
    with pytest.raises(StateError, match="were not read"):
        placing(4, parts(unread=1), cluster="two").decide()
    made = placing(4, parts(), cluster="two")
    made.decide()
    assert made.metas["car", 2].positions == {}


def test_records_of_which_nothing_is_known_need_a_word() -> None:
    others = parts(topic="old.gps")
    with pytest.raises(StateError, match="holds 5 records of which the export says nothing"):
        placing(6, others, feed=(3, 8)).decide()
    made = placing(6, others, feed=(3, 8), feeds="end")
    made.decide()
    assert made.metas["car", 4].positions["feed.gps/4"][:2] == (8, 8)
    made = placing(6, others, feed=(3, 8), feeds="start")
    made.decide()
    assert made.metas["car", 4].positions == {}


def test_a_key_that_lies_elsewhere_than_the_default_puts_it_is_refused() -> None:
    made = placing(6, parts())
    made.decide()
    key = next(f"k{n}" for n in range(99) if partition_of(f"k{n}", 4) == 1)
    with pytest.raises(StateError, match="its producer places keys in its own way"):
        made.spot_of("car", 2, key, "fast")


def test_routers_go_on_where_they_were_whatever_the_partitions_of_the_key_space() -> None:
    made = placing(6, parts(), routes=routed(), feed=(0, 300))
    made.decide()
    assert made.routes["firm", "gps", 3] == (203, 2_003)
    assert made.routes["firm", "gps", 5][0] == 0, "a partition that is new"
    assert made.metas["firm", 5].sources == {f"{one}/gps": 2_000 + one for one in range(4)}
