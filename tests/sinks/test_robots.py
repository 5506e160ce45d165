"""Chat robots: signed, judged by the body, within their limits, and deaf to markup."""

import asyncio
import json
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from robot_peer import FINAL, RATE, SECRET, TOKEN, RobotPeer, robot_peer
from sink_stage import a_body, declared

from connectors.sinks import dingtalk, feishu
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.ports import Sink

KINDS = ("dingtalk", "feishu", "wecom")
LIMITS = {"dingtalk": 20_000, "feishu": 20_000, "wecom": 4096}
every_robot = pytest.mark.parametrize("kind", KINDS)
HOSTILE = (
    "点[此处](http://evil.example/)领奖 @all <font color=red>x</font> **b** `c` <at user_id=all>"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def robot(peer: RobotPeer, folder: Path | None = None, **options: Any) -> Sink:
    """A robot's sink, in a folder of its own unless one is given."""
    given = {"url": peer.url, "token": TOKEN, "secret": SECRET, **options}
    return declared(peer.kind, folder or Path(tempfile.mkdtemp(dir=".")), **given)


async def said(peer: RobotPeer, *bodies: tuple[str, bytes], **options: Any) -> None:
    """Hand over all at once."""
    sink = robot(peer, **options)
    await sink.open()
    try:
        await asyncio.gather(*(sink.send(name, body, 1) for name, body in bodies))
    finally:
        await sink.close()


def test_a_signature_is_the_one_that_others_compute() -> None:
    at = datetime.fromtimestamp(1_772_414_700.5, UTC)
    assert dingtalk.sign("SECtest", at).query == {
        "timestamp": "1772414700500",
        "sign": "0Tzb+4QoKVV8eM/8ZRixnjlZTtigQFjnsQ/bEl7luWc=",
    }
    assert feishu.sign("SECtest", at).fields == {
        "timestamp": "1772414700",
        "sign": "Zdp3cPbAAHo+ljiFx5S9ywcL1BPZlMJhvwcZ0BxsxI0=",
    }


@every_robot
async def test_a_message_says_what_a_person_must_know(kind: str) -> None:
    plan: dict[str, Any] = {
        "check": [{"zh": "核对运单"}],
        "units": ["公安", "应急管理"],
        "playbook": "onsite",
    }
    basis = [{"title": "危险化学品安全法", "article": "45"}]
    async with robot_peer(kind) as peer:
        await said(peer, a_body(**plan, basis=basis))
    (text,) = peer.messages
    for part in (
        "【黄色】车辆异常驻留（新发）", "停留 30 分钟", "演示1县2镇", "2026-03-02 09:25", "编号：",
        "现场核查", "1. 核对运单", "1. 公安", "危险化学品安全法第45条",
    ):  # fmt: skip
        assert part in text, part


@every_robot
async def test_a_refusal_that_comes_with_200_is_a_refusal(kind: str) -> None:
    async with robot_peer(kind) as peer:
        peer.codes = [FINAL[kind]]
        with pytest.raises(Permanent, match=str(FINAL[kind])):
            await said(peer, a_body())
        peer.codes = [RATE[kind]]
        with pytest.raises(Retryable, match="rate") as caught:
            await said(peer, a_body())
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s >= 60
        peer.codes = [987_654]
        with pytest.raises(Retryable, match="code: 987654"):
            await said(peer, a_body())
        assert peer.messages == []


@every_robot
async def test_a_wrong_token_may_be_mended_so_it_is_tried_again(kind: str) -> None:
    async with robot_peer(kind) as peer:
        with pytest.raises(Retryable, match="credentials"):
            await said(peer, a_body(), token="wrong-one")


@every_robot
async def test_words_of_events_are_no_markup_no_link_and_call_nobody(kind: str) -> None:
    hostile: dict[str, Any] = {
        "title": {"zh": HOSTILE},
        "summary": {"zh": HOSTILE + "\n# t\u202e\x00"},
    }
    async with robot_peer(kind) as peer:
        await said(peer, a_body(**hostile))
    (text,) = peer.messages
    assert "领奖" in text
    assert "\u202e" not in text
    assert "\x00" not in text
    if kind == "feishu":  # a card of plain texts has no markup at all
        tags = json.dumps(peer.bodies[0])
        assert '"lark_md"' not in tags
        assert '"markdown"' not in tags
        return
    inside = text.replace('<font color="comment">', "").replace("</font>**", "")
    for sign in ("](", "http://", "@all", "<font", "<at", "`c`", "**b**", "\n# t"):
        assert sign not in inside, sign


@every_robot
async def test_a_storm_is_folded_into_messages_within_the_limit_and_none_is_lost(
    kind: str,
) -> None:
    storm = [a_body(f"room-{n}", summary={"zh": f"第 {n} 间 " + "热" * 300}) for n in range(64)]
    async with robot_peer(kind) as peer:
        await said(peer, *storm, per_minute=9)
    assert sorted(peer.ids) == sorted(name[:12] for name, _ in storm)
    assert len(peer.messages) <= 9
    for message, size in zip(peer.messages, peer.sizes, strict=True):
        assert "条消息合并发送" in message or message is peer.messages[-1]
        measured = len(message.encode()) if kind == "wecom" else size
        assert measured <= LIMITS[kind]


@every_robot
async def test_a_long_message_is_cut_to_the_limit_and_keeps_its_head(kind: str) -> None:
    long = {"zh": '热"\\' * 4000}
    plan: dict[str, Any] = {"check": [{"zh": "查" * 900} for _ in range(12)], "summary": long}
    async with robot_peer(kind) as peer:
        await said(peer, a_body(**plan))
    (text,) = peer.messages
    assert text.count("车辆异常驻留") == 1
    assert (len(text.encode()) if kind == "wecom" else peer.sizes[0]) <= LIMITS[kind]


@every_robot
async def test_one_refused_delivery_of_a_digest_does_not_take_the_others_along(kind: str) -> None:
    storm = [a_body(f"room-{n}", title={"zh": f"间{n}，"}) for n in range(12)]
    async with robot_peer(kind) as peer:
        peer.refuses = "间7，"
        sink = robot(peer, per_minute=15 if kind != "feishu" else 60)
        await sink.open()
        sends = (sink.send(name, body, 1) for name, body in storm)
        done = await asyncio.gather(*sends, return_exceptions=True)
        await sink.close()
    assert [n for n, one in enumerate(done) if one is not None] == [7]
    assert isinstance(done[7], Permanent)


@every_robot
async def test_people_are_masked_unless_the_operator_says_otherwise(kind: str) -> None:
    async with robot_peer(kind) as peer:
        await said(peer, a_body(personal={"vehicle": "plate"}))
        await said(peer, a_body(personal={"vehicle": "plate"}), personal="full")
    masked_, full = peer.messages
    assert "苏F12345" not in masked_
    assert "苏F1" in masked_
    assert "苏F12345" in full


@every_robot
async def test_a_keyword_the_robot_demands_is_in_every_message(kind: str) -> None:
    async with robot_peer(kind) as peer:
        await said(peer, a_body(check=[{"zh": "查" * 900} for _ in range(12)]), keyword="城市运行")
    assert "城市运行" in peer.messages[0]


@every_robot
def test_a_robot_without_token_says_so(kind: str) -> None:
    with pytest.raises(EnvironmentUnusable, match="token"):
        declared(kind, Path("/"), lang="en")


@pytest.mark.parametrize(("second", "minute"), [(1, 100), (5, 100), (5, 1), (1, 60), (4, 90)])
async def test_any_two_limits_go_together(second: int, minute: int) -> None:
    async with robot_peer("feishu") as peer:
        await said(peer, a_body(), per_second=second, per_minute=minute)
    assert len(peer.messages) == 1


@every_robot
async def test_a_restart_does_not_exceed_the_limit(kind: str, tmp_path: Path) -> None:
    async with robot_peer(kind) as peer:
        for names in (("a", "b"), ("c",)):
            sink = robot(peer, tmp_path, per_minute=2)
            await sink.open()
            for name in names:
                with suppress(TimeoutError):
                    await asyncio.wait_for(sink.send(*a_body(name), 1), 2.0 if name != "c" else 0.3)
            await sink.close()
        assert len(peer.messages) == 2
        other = robot(peer, tmp_path / "other", per_minute=2)
        await other.open()
        await other.send(*a_body("c"), 1)
        await other.close()
        assert len(peer.messages) == 3


async def test_a_limit_file_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where the folder should be")
    async with robot_peer("wecom") as peer:
        with pytest.raises(EnvironmentUnusable, match="cannot be written"):
            await robot(peer, tmp_path / "a", lang="en").open()
