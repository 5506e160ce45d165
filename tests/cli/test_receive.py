"""The receiver and its cards: who is believed, what is shown, what is counted."""

import http.client
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from engine.edge.cli.card import Card, closing_line, score
from engine.edge.cli.receive import Inbox, serve, signature
from engine.edge.cli.voice import Voice, speak_as
from engine.model.change import Change, Transition
from engine.text import LANGUAGES

GOLDEN = Path(__file__).parent / "golden"
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
NOW = 1_780_000_000


def change(**more: object) -> Change:
    given: dict[str, object] = {
        "delivery_id": "d1",
        "episode_id": "e1",
        "rule": "hazmat-abnormal-dwell",
        "rule_hash": "abc",
        "key": "苏F00010-yellow",
        "transition": Transition.FIRED,
        "ordinal": 0,
        "at_ms": 1_780_265_241_000,
        "since_ms": 1_780_263_441_000,
        "held_ms": 1_800_000,
        "severity": "yellow",
        "title": {"en": "Abnormal dwell", "zh": "异常驻留"},
        "summary": {"en": "has stayed 30 min", "zh": "停留 30 分钟"},
        "place": "演示1县2镇",
        "lon": 120.80854,
        "lat": 31.95015,
        "basis": [{"title": "危险货物道路运输安全管理办法", "article": "45"}],
        "playbook": "onsite-check",
        "check": [{"en": "Papers", "zh": "核对单证"}, {"en": "Escort", "zh": "押运员是否在岗"}],
        "units": ["公安", "交通运输"],
        "offences": [{"en": "Unlicensed storage", "zh": "非法储存危险物质"}],
        "evidence": {
            "operator": {"value": 0.0, "reach": 993_000.0},
            "events": [
                {"feed": "gps", "fields": {"speed": 0.0, "hazard_class": "2", "located": True}}
            ],
            "lookups": {"waybill": {"waybill_no": "YD1", "depart": 1_780_262_061_000}},
        },
    }
    return msgspec.convert({**given, **more}, Change)


def test_what_a_feed_said_cannot_steer_the_terminal():
    speak_as(Voice("en"))
    evil = "\x1b[2J\x07\u202e"
    fields = {"summary": {"en": evil}, "title": {"en": evil}, "place": evil, "key": evil}
    evidence = {"events": [{"feed": "gps", "fields": {"goods": evil}}]}
    for transition in (Transition.FIRED, Transition.CLEARED):
        shown = Card().text(change(**fields, evidence=evidence, transition=transition))
        assert not set(evil[:1] + evil[4:]) & set(shown)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_alert_reads_as_the_person_on_duty_wants_it(lang):
    speak_as(Voice(lang))
    card = Card()
    later = {"at_ms": 1_780_270_641_000, "ordinal": 1}
    text = "\n".join(
        [
            card.text(change()),
            card.text(change(transition="raised", severity="orange", **later)),
            card.text(change(transition="cleared", **later)),
            card.text(change(transition="retracted", **later)),
            card.text(
                change(
                    title={},
                    summary={},
                    place=None,
                    basis=[],
                    playbook="",
                    evidence={},
                    check=[],
                    units=[],
                    offences=[],
                )
            ),
        ]
    )
    path = GOLDEN / f"card.{lang}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text + "\n", "utf-8")
    assert text + "\n" == path.read_text("utf-8")


def test_our_signature_is_the_standard_one():
    body = b'{"a": 1}'
    signed = Webhook(SECRET).sign("id-1", datetime.fromtimestamp(NOW, UTC), body.decode())
    assert signature(SECRET, "id-1", str(NOW), body) == signed


@contextmanager
def served(inbox: Inbox) -> Iterator[http.client.HTTPConnection]:
    server = serve(0, inbox)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    link = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        yield link
    finally:
        link.close()
        server.shutdown()
        server.server_close()
        thread.join()


def post(link: http.client.HTTPConnection, body: bytes, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    link.request("POST", "/", body, named)
    answer = link.getresponse()
    answer.read()
    return answer.status


def test_only_signed_recent_and_whole_deliveries_are_taken_each_once():
    shown: list[Change] = []
    inbox = Inbox(SECRET, shown.append, clock=lambda: NOW + 10)
    body = msgspec.json.encode(change())

    def signed(name: str, moment: int, raw: bytes) -> dict[str, str]:
        return {
            "webhook_id": name,
            "webhook_timestamp": str(moment),
            "webhook_signature": signature(SECRET, name, str(moment), raw),
        }

    with served(inbox) as link:
        assert post(link, body) == 401
        assert post(link, body + b" ", **signed("d1", NOW, body)) == 401
        assert post(link, body, **signed("d1", NOW - 900, body)) == 401
        assert post(link, b"[]", **signed("d0", NOW, b"[]")) == 422
        assert post(link, body, **signed("d1", NOW, body)) == 204
        assert post(link, body, **signed("d1", NOW + 5, body)) == 204
    assert [one.delivery_id for one in shown] == ["d1"]
    assert (inbox.repeats, inbox.refused) == (1, 4)


@pytest.mark.parametrize("length", ["many", "-1", "\u00b2", "9" * 40, "1000001"])
def test_a_length_that_cannot_be_right_is_refused_at_once(length):
    with served(Inbox(None, lambda _: None)) as link:
        link.putrequest("POST", "/")
        link.putheader("Content-Length", length.encode("latin-1"))
        link.endheaders()
        answer = link.getresponse()
        assert answer.status == 413
        assert answer.will_close


def test_a_signature_of_strange_letters_is_a_wrong_one():
    inbox = Inbox(SECRET, lambda _: None, clock=lambda: NOW)
    strange = {"webhook-id": "d", "webhook-timestamp": str(NOW), "webhook-signature": "v1,\u00ff"}
    assert inbox.take(strange, b"{}") == 401
    assert inbox.take({**strange, "webhook-timestamp": "\u00b2"}, b"{}") == 401


def test_the_last_line_counts_against_the_truth(tmp_path):
    speak_as(Voice("en"))
    base: dict[str, object] = {
        "rule": "r",
        "what": "",
        "also": {},
        "place": None,
        "retract_ms": None,
        "climbs": [],
    }
    hit = {
        **base,
        "key": "A",
        "kind": "hit",
        "story": "stop",
        "begin_ms": 0,
        "end_ms": None,
        "fire_ms": 100,
        "since_ms": 0,
        "severity": "yellow",
        "clear_ms": None,
    }
    truth = tmp_path / "truth.jsonl"
    truth.write_text("\n".join(json.dumps({**hit, "key": key}) for key in "AB") + "\n")
    seen = [
        change(rule="r", key="A", at_ms=100, since_ms=0),
        change(rule="r", key="C", at_ms=100, since_ms=0, episode_id="e2", delivery_id="d2"),
    ]
    scored = score(seen, truth)
    assert (scored["hits"], scored["found"], scored["false"]) == (2, 1, 1)
    line = closing_line(seen, 3, 0, truth)
    assert "2 alerts" in line
    assert "1 of 2 found (recall 0.500), 1 false" in line
