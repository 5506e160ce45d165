"""What leaves the desk: complete, in both languages, with ids that stay."""

import json

import pytest
from cases_stage import CITY, HOUR, LEADER, OFFICER, CaseStage, at, change, with_root

from engine.cases.model import PaperKind, Verb, paper_id
from engine.cases.notices import clock_time, occasions
from engine.cases.papers import stamp
from engine.text import LANGUAGES, say


def whole_day(**sets: object) -> CaseStage:
    """A desk after everything happened to one case."""
    stage = CaseStage(policy=with_root(CITY, **sets))
    stage.take(change(place="Dock 7", lon=120.5, lat=32.1))
    stage.wait(3 * HOUR)
    stage.ask(Verb.ACKNOWLEDGE, OFFICER)
    stage.ask(Verb.SUPERVISE, LEADER, "the mayor asks")
    stage.ask(Verb.RESOLVE, OFFICER, found="x")
    stage.ask(Verb.CLOSE, LEADER, "a test", verdict="elsewhere")
    return stage


def test_a_paper_is_plain_json_and_says_what_it_is() -> None:
    stage = whole_day()
    for paper in stage.book.papers.values():
        document = json.loads(json.dumps(paper.document))
        assert document == paper.document
        assert document["document"] == paper.kind
        assert (document["id"], document["incident"]) == (paper.id, paper.group)


def test_a_paper_has_a_notice_in_both_languages() -> None:
    stage = whole_day()
    for paper in stage.book.papers.values():
        notice = paper.document["notice"]
        assert set(notice) == {
            *("title", "text", "level", "at_ms", "incident", "due_ms", "fields", "link"),
            "references",
        }
        for lang in LANGUAGES:
            assert stage.only.number in notice["title"][lang]
            assert notice["text"][lang]
        for name, value in notice["fields"]:
            assert set(name) == set(LANGUAGES)
            assert isinstance(value, str)


def test_an_order_reads_as_an_order() -> None:
    stage = whole_day()
    order = next(one for one in stage.book.papers.values() if one.kind is PaperKind.ORDER)
    assert order.document["notice"]["text"]["zh"] == (
        "黄色预警工单 20260316-0001，由公安局牵头，请按时签收并处置。\n"
        "F12345停留过久\n地点：Dock 7\n1. 查看罐体"
    )
    assert order.document["order"] == {
        "order_id": "20260316-0001",
        "source": "alert",
        "type": "dwell",
        "urgency": "yellow",
        "area": "320682100",
        "lead_unit": "police",
        "host_unit": "police",
        "co_units": ["transport"],
        "accepted_at": "2026-03-16T09:00:00+08:00",
        "dispatched_at": "2026-03-16T09:00:00+08:00",
        "signed_at": None,
        "arrived_at": None,
        "due_at": "2026-03-17T09:00:00+08:00",
        "due_stage": "resolve",
        "due_unit": "hours",
        "extended_to": None,
        "returned_count": 0,
        "reopened_count": 0,
        "closed_at": None,
        "called_back_at": None,
        "satisfied": None,
        "solved": None,
        "verdict": None,
        "outside_id": "",
        "parent_alert_id": stage.only.members[0].episode,
    }


def test_what_follows_an_order_refers_to_it() -> None:
    stage = whole_day()
    for paper in stage.book.papers.values():
        order = paper_id(stage.only.id, 2, PaperKind.ORDER, paper.sink)
        wanted = [] if paper.id == order else [order]
        assert paper.document["references"] == wanted
        assert paper.document["notice"]["references"] == wanted


def test_the_last_paper_tells_the_verdict() -> None:
    stage = whole_day()
    last = list(stage.book.papers.values())[-1]
    assert last.kind is PaperKind.CLOSED
    text = last.document["notice"]["text"]["zh"]
    assert text.startswith("工单 20260316-0001 已办结，结论：已由其他渠道办理。")
    assert text.endswith("理由：a test")


def test_the_reason_of_a_supervision_order_is_read() -> None:
    stage = whole_day()
    paper = next(
        one for one in stage.book.papers.values() if one.document["why"] == "supervised-by-hand"
    )
    assert "理由：the mayor asks" in paper.document["notice"]["text"]["zh"]


def test_no_sink_gets_one_paper_twice() -> None:
    stage = whole_day(sinks=("police-sink", "town"))
    first = [(one, sink) for kind, one, sink in stage.sent() if kind == "order"]
    assert first == [
        ("order", "police-sink"),
        ("order", "transport-sink"),
        ("order", "town"),
    ]


def test_every_occasion_reads_in_both_languages() -> None:
    words = dict.fromkeys(
        ("number", "lead", "count", "severity", "tier", "stage", "due", "calendar", "until"), "x"
    ) | dict.fromkeys(("into", "other", "before", "verdict"), "x")
    assert len(occasions()) > 25
    for name in occasions():
        for lang in LANGUAGES:
            assert say(f"case-notice-{name}", lang, **words)


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        pytest.param("2026-03-16 09:05", "2026-03-16 09:05", id="an-hour-of-the-day"),
        pytest.param("2026-03-17 00:00", "2026-03-16 24:00", id="midnight-ends-the-day"),
    ],
)
def test_an_instant_reads_as_on_the_clocks_of_the_city(instant: str, shown: str) -> None:
    assert clock_time(at(instant)) == shown
    assert clock_time(None) == "-"
    assert stamp(None) is None
