"""Pairing of episodes, figures and differing lines, case by case."""

from typing import Any

import pytest

from engine.backtest.compare import Fate, compare
from engine.backtest.declared import edits
from engine.backtest.episodes import Episode
from engine.backtest.figures import count
from engine.backtest.page.charts import by_day
from engine.model.change import episode_id
from engine.ruleset.load import DeclaredFile, LoadOptions, load_project

MINUTE = 60_000


def episode(begin: int, fired: int, ended: int | None = None, **more: Any) -> Episode:
    """An episode in minutes."""
    key = more.pop("key", "k")
    return Episode(
        episode_id("rule", key, begin * MINUTE),
        "rule",
        key,
        begin * MINUTE,
        fired * MINUTE,
        more.pop("severity", "yellow"),
        climbs=more.pop("climbs", [(fired * MINUTE, "yellow")]),
        ended_ms=None if ended is None else ended * MINUTE,
        end="" if ended is None else "cleared",
        **more,
    )


CASES = {
    "the same": ([episode(0, 30, 90)], [episode(0, 30, 90)], [(Fate.SAME, ())]),
    "fires earlier": ([episode(0, 20, 90)], [episode(0, 30, 90)], [(Fate.MOVED, ("fired",))]),
    "ends later": ([episode(0, 30, 95)], [episode(0, 30, 90)], [(Fate.MOVED, ("end",))]),
    "does not end any more": ([episode(0, 30)], [episode(0, 30, 90)], [(Fate.MOVED, ("end",))]),
    "begins elsewhere but at the same time": (
        [episode(5, 35, 90)],
        [episode(0, 30, 90)],
        [(Fate.MOVED, ("start", "fired"))],
    ),
    "one becomes two": (
        [episode(0, 30, 50), episode(60, 90, 120)],
        [episode(0, 30, 120)],
        [(Fate.MOVED, ("end",)), (Fate.GAINED, ())],
    ),
    "two become one": (
        [episode(0, 30, 120)],
        [episode(0, 30, 50), episode(60, 90, 120)],
        [(Fate.MOVED, ("end",)), (Fate.LOST, ())],
    ),
    "one after the other is not the same": (
        [episode(100, 130, 150)],
        [episode(0, 30, 90)],
        [(Fate.LOST, ()), (Fate.GAINED, ())],
    ),
    "another key is another episode": (
        [episode(0, 30, 90, key="l")],
        [episode(0, 30, 90)],
        [(Fate.LOST, ()), (Fate.GAINED, ())],
    ),
    "other words": (
        [episode(0, 30, 90, summary={"en": "a"})],
        [episode(0, 30, 90, summary={"en": "b"})],
        [(Fate.CHANGED, ("text",))],
    ),
    "another level": (
        [episode(0, 30, 90, severity="red", climbs=[(30 * MINUTE, "red")])],
        [episode(0, 30, 90)],
        [(Fate.CHANGED, ("severity",))],
    ),
    "climbs earlier": (
        [episode(0, 30, 90, climbs=[(30 * MINUTE, "yellow"), (50 * MINUTE, "red")])],
        [episode(0, 30, 90, climbs=[(30 * MINUTE, "yellow"), (60 * MINUTE, "red")])],
        [(Fate.MOVED, ("climb",))],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_became_of_an_episode(name):
    new, old, expected = CASES[name]
    found = compare(new, old)
    assert [(pair.fate, pair.what) for pair in found.pairs] == expected
    turned = compare(old, new).counts()
    counts = found.counts()
    assert turned == {**counts, "gained": counts["lost"], "lost": counts["gained"]}


def test_figures_of_an_hour():
    some = [
        episode(0, 30, 40),
        episode(100, 130, 200, key="l"),
        episode(300, 330, 331),
        episode(1400, 1430, key="l"),
    ]
    one = count(some, ["rule", "other"], "Asia/Shanghai").rules["rule"]
    assert (one.fired, one.ends) == (4, {"cleared": 3, "open": 1})
    assert one.days == {"1970-01-01": 3, "1970-01-02": 0} | {"1970-01-01": 3, "1970-01-02": 1}
    assert one.hours == {8: 1, 10: 1, 13: 1, 7: 1}
    assert [each.lasted_ms for each in one.shortest] == [MINUTE, 10 * MINUTE, 70 * MINUTE]
    assert [each.lasted_ms for each in one.longest] == [70 * MINUTE, 10 * MINUTE, MINUTE]
    assert one.median_ms == 10 * MINUTE
    assert one.top == [("k", 2), ("l", 2)]


def test_long_recordings_are_drawn_by_week_and_month():
    step, labels, _ = by_day({"a": {"2026-01-01": 1, "2026-01-09": 2}})
    assert (step, len(labels)) == ("day", 9)
    step, labels, counts = by_day({"a": {"2026-01-01": 1, "2026-01-02": 1, "2026-06-09": 2}})
    assert (step, labels[0], labels[-1]) == ("week", "2025-12-29", "2026-06-08")
    assert counts["a"] == {"2025-12-29": 2, "2026-06-08": 2}
    step, labels, counts = by_day({"a": {"2020-01-01": 1, "2026-06-09": 2}})
    assert (step, labels[0], labels[-1], len(labels)) == ("month", "2020-01", "2026-06", 78)
    assert by_day({}) == ("day", [], {})


def test_lines_that_differ():
    pack = b"pack: p\ntitle: P\nowner: o\nversion: 0.1.0\n"
    feed = (
        b"feed: f\ntitle: F\nformat: json\nkey: k\ntime: {field: at, format: iso8601}\n"
        b"fields: {k: text, at: {type: time, format: iso8601}, v: number}\n"
    )
    rule = b"rule: r\ntitle: R\nseverity: red\nfrom: f\nby: k\nwhen:\n  match: {condition: v > 8}\n"

    def project(folder: str, text: bytes, test: bytes) -> tuple[list[DeclaredFile], Any]:
        files = [
            DeclaredFile(f"{folder}/p/pack.yaml", pack),
            DeclaredFile(f"{folder}/p/feeds/f.yaml", feed),
            DeclaredFile(f"{folder}/p/r.yaml", text),
            DeclaredFile(f"{folder}/p/r_test.yaml", test),
        ]
        loaded = load_project(files, LoadOptions(lint=False))
        assert loaded.project is not None, loaded.report()
        return files, loaded.project

    new, after = project("here", rule, b"tests: []\n")
    old, before = project("elsewhere/deep", rule.replace(b"> 8", b"> 9"), b"tests: []\n# other\n")
    found = edits(new, after, old, before)
    assert [(one.sign, one.number, one.text) for one in found.of_rules["r"]] == [
        ("-", 7, "  match: {condition: v > 9}"),
        ("+", 7, "  match: {condition: v > 8}"),
    ]
    assert found.others == {}
    assert edits(new, after, new, after).of_rules == {}
