"""Short messages: approved templates, budgets that outlive a restart, Aliyun's signature."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sink_stage import a_body, aliyun, declared, http_gateway
from sms_peer import SmsPeer, sms_peer

from connectors.sinks.sms import Options, SmsSink
from connectors.sms import signed
from engine.errors import Permanent, Retryable

ONE, TWO = "13800000001", "13800000002"
VALUES = {"level": "level", "what": "title", "at": "place"}


def sms(peer: SmsPeer, folder: Path, clock: list[float], **options: Any) -> SmsSink:
    given = {"gateway": aliyun(peer.url), "numbers": [ONE, TWO], "values": VALUES, **options}
    return SmsSink("a", Options.model_validate(given), folder, lambda: clock[0])


def test_the_signature_is_the_one_that_the_handbook_computes() -> None:
    headers = signed(
        b"a=b", host="dysmsapi.aliyuncs.com", path="/", key_id="LTAI", secret="s3cret",
        now=datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC), nonce="nonce-1",
    )  # fmt: skip
    assert headers["x-acs-date"] == "2026-03-02T01:02:03Z"
    assert headers["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=LTAI,SignedHeaders=content-type;host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=125796373b8417d758de6ab7951dbefabe27084ac184d91d2d97deb694fdfc3d"
    )


def acs3(headers: Mapping[str, str], query: str, secret: str) -> str:
    """The recipe as the vendor publishes it, written here anew."""
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    hashed = headers["x-acs-content-sha256"]
    request = "\n".join(["POST", "/", query, lines, ";".join(names), hashed])
    whole = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    return hmac.new(secret.encode(), whole.encode(), hashlib.sha256).hexdigest()


def test_the_recipe_that_gives_the_published_example_gives_our_signature() -> None:
    published = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    query = "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai"
    assert acs3(published, query, "YourAccessKeySecret") == (
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )
    ours = signed(
        b"a=b", host="dysmsapi.aliyuncs.com", path="/", key_id="LTAI", secret="s3cret",
        now=datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC), nonce="nonce-1",
    )  # fmt: skip
    proof = ours.pop("Authorization")
    assert ours["x-acs-content-sha256"] == hashlib.sha256(b"a=b").hexdigest()
    assert proof.endswith(f",Signature={acs3(ours, '', 's3cret')}")


async def test_a_number_gets_the_values_of_the_template_and_nothing_else(tmp_path: Path) -> None:
    async with sms_peer() as peer:
        sink = sms(peer, tmp_path, [0.0])
        name, body = a_body(title={"zh": "车\n辆" + "长" * 60})
        await sink.open()
        await sink.send(name, body, 1)
        await sink.close()
    assert [(one[0], one[1]) for one in peer.got] == [(name, ONE), (name, TWO)]
    values = peer.got[0][2]
    assert set(values) == set(VALUES)
    assert values["level"] == "黄色"
    assert values["what"] == "车 辆" + "长" * 31 + "…"


async def test_words_of_events_fill_no_places_of_the_gateway_s_form(tmp_path: Path) -> None:
    gateway = http_gateway("")
    gateway["fields"]["param"] = '{"what": "{what}", "at": "-"}'
    async with sms_peer() as peer:
        gateway["url"] = peer.url
        sink = declared("sms", tmp_path, gateway=gateway, numbers=[ONE], values={"what": "title"})
        await sink.open()
        await sink.send(*a_body(title={"zh": "{secret}{number}{id}"}), 1)
        await sink.close()
    assert peer.got[0][2]["what"] == "{secret}{number}{id}"


async def wait_of(sink: SmsSink, key: str) -> float:
    """How long the budget asks to wait; 0 where it was sent."""
    try:
        await sink.send(*a_body(key), 1)
    except Retryable as error:
        return error.retry_after_s or -1.0
    return 0.0


async def test_a_budget_holds_over_restarts_and_frees_itself(tmp_path: Path) -> None:
    clock = [1_000_000.0]
    budget = {"minute": 2, "hour": 3, "day": 4}
    waits = []
    async with sms_peer() as peer:
        for number in range(7):
            sink = sms(peer, tmp_path, clock, numbers=[ONE], budget=budget)
            await sink.open()
            asked = await wait_of(sink, f"k{number}")
            if asked:
                clock[0] += asked
                await sink.send(*a_body(f"k{number}"), 2)
            waits.append(asked)
            await sink.close()
    assert waits == [0.0, 0.0, 60.0, 3540.0, 82_800.0, 0.0, 60.0]
    assert len(peer.ids) == 7
    assert "1380000" not in (tmp_path / "sms-a.db").read_bytes().decode("latin-1")


async def test_who_was_reached_is_not_written_to_again(tmp_path: Path) -> None:
    async with sms_peer() as peer:
        peer.codes[TWO] = "isp.SYSTEM_ERROR"
        sink = sms(peer, tmp_path, [0.0], budget={"minute": 9, "hour": 9, "day": 9})
        await sink.open()
        with pytest.raises(Retryable, match="busy"):
            await sink.send(*a_body(), 1)
        peer.codes.clear()
        await sink.send(*a_body(), 2)
        assert [one[1] for one in peer.got] == [ONE, TWO]
        peer.codes[ONE] = "isv.MOBILE_NUMBER_ILLEGAL"
        with pytest.raises(Permanent, match="MOBILE_NUMBER_ILLEGAL"):
            await sink.send(*a_body("other"), 1)
        assert [one[1] for one in peer.got][2:] == [TWO]
        await sink.close()


async def test_a_wrong_secret_may_be_mended(tmp_path: Path) -> None:
    async with sms_peer() as peer:
        gateway = {**aliyun(peer.url), "secret": "wrong"}
        sink = sms(peer, tmp_path, [0.0], gateway=gateway)
        await sink.open()
        with pytest.raises(Retryable, match="credentials: SignatureDoesNotMatch"):
            await sink.send(*a_body(), 1)
        await sink.close()


@pytest.mark.parametrize(
    "options",
    [
        {"numbers": ["12"]},
        {"numbers": []},
        {"values": {"x": "evidence"}},
        {"gateway": {"provider": "pigeon"}},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    given = {"gateway": aliyun("http://h/"), "numbers": [ONE], "values": VALUES, **options}
    with pytest.raises(ValidationError):
        Options.model_validate(json.loads(json.dumps(given)))
