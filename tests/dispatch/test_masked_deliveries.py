"""What operators see of a delivery holds nothing about a person, whatever a peer repeats of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dispatch.discretion import concealed, masked_body

BODY = {
    "delivery_id": "0bbd471abfe6b2eacfc1f35e", "rule": "long-stay", "severity": "red",
    "key": "苏F12345", "place": "长江路 8 号", "lon": 120.891234, "lat": 32.012345,
    "title": {"zh": "危化品车辆异常驻留"}, "labels": {"driver": "李四"},
    "summary": {"en": "Zhang Sanfeng stands still", "zh": "张三丰驾驶的苏F12345停留过久"},
    "evidence": {"driver": "张三丰", "phone": 13812345678, "n": 3, "ok": True},
}  # fmt: skip
RAW = json.dumps(BODY, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no field 'level'", "no field 'level'"),
        ("unknown car 苏F12345", "unknown car 苏*****5"),
        ("unknown car F12345", "unknown car F****5"),
        ("张三丰 is not known", "张** is not known"),
        ("driver 三丰", "driver 三*"),
        ("Sanfeng is not known", "S*****g is not known"),
        ("Zhang Sanfeng!", "Z***g S*****g!"),
        ("李四", "李*"),
        ("call 13812345678", "call 13*******78"),
        ("rule long-stay is red", "rule long-stay is red"),
        ("", ""),
    ],
)
def test_a_peer_s_words_are_shown_without_what_the_body_says(said: str, shown: str) -> None:
    assert concealed(said, RAW) == shown


def test_a_body_is_shown_by_what_is_declared_and_the_rest_is_masked() -> None:
    shown = masked_body(RAW)
    assert shown == {
        "delivery_id": "0bbd471abfe6b2eacfc1f35e", "rule": "long-stay", "severity": "red",
        "key": "苏*****5", "lon": 120.89, "lat": 32.01,
        "evidence": {"driver": "张**", "phone": "13*******78", "n": 3, "ok": True},
    }  # fmt: skip


@pytest.mark.parametrize("raw", [b"", b"no json", b"[1]", b"\xff"])
def test_a_body_of_another_kind_shows_nothing_and_harms_nothing(raw: bytes) -> None:
    assert masked_body(raw) == {}
    assert concealed("refused 123456", raw) == "refused 1****6"


@given(st.text("张三丰李四苏F12345 aé", max_size=60), st.integers(2, 12), st.integers(0, 40))
def test_no_long_part_of_a_hidden_text_is_ever_shown(text: str, size: int, start: int) -> None:
    body = json.dumps({"summary": text}).encode()
    part = text[start : start + max(size, 5)].strip()
    shown = concealed(f"<{part}>", body)
    assert len(shown) == len(part) + 2
    if len("".join(part.split())) >= 5:
        assert part not in shown
