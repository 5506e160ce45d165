"""The webhook: signed, repeatable, and right about what every misbehaviour of a peer means."""

import base64
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError
from receiver import receiver
from standardwebhooks.webhooks import Webhook

from connectors.client import Verdict, verdict, wait_asked_s
from connectors.sinks.webhook import Options, WebhookSink, build
from engine.errors import DeliveryError, EnvironmentUnusable, Permanent, Retryable
from engine.ports import SinkContext

SECRET = "whsec_" + base64.b64encode(b"canary-secret-of-24-bytes").decode()
BODY = '{"delivery_id":"d1","summary":"停留 30 分钟"}'.encode()


def sink(url: str, **options: object) -> WebhookSink:
    declared = Options.model_validate({"url": url, "timeout_s": 0.5, **options})
    return build("console", declared, SinkContext("/"))


async def outcome(mood: str, **options: object) -> DeliveryError | None:
    """What sending to a peer in this mood raises."""
    async with receiver(mood) as peer:
        one = sink(peer.url + "/alerts", **options)
        await one.open()
        try:
            await one.send("d1", BODY, 1)
        except DeliveryError as error:
            return error
        finally:
            await one.close()
    return None


@pytest.mark.parametrize(
    ("mood", "kind", "reason", "wait_s"),
    [
        pytest.param("takes", None, "", None, id="taken"),
        pytest.param("status:500", Retryable, "http-500", None, id="500"),
        pytest.param("status:503 7", Retryable, "http-503", 7.0, id="503-asks-for-a-wait"),
        pytest.param("status:429 30", Retryable, "http-429", 30.0, id="429-asks-for-a-wait"),
        pytest.param("status:400", Permanent, "http-400", None, id="400"),
        pytest.param("status:410", Permanent, "http-410", None, id="410"),
        pytest.param("redirect", Permanent, "http-302", None, id="redirect-is-refused"),
        pytest.param("hang", Retryable, "timeout", None, id="hangs"),
        pytest.param("drip", Retryable, "timeout", None, id="drips"),
        pytest.param("reset", Retryable, "network", None, id="resets-after-taking"),
        pytest.param("huge:200", Retryable, "huge-answer", None, id="huge-answer"),
        pytest.param("huge:400", Permanent, "http-400", None, id="huge-refusal"),
    ],
)
async def test_what_a_peer_does_decides_what_follows(
    mood: str, kind: type[DeliveryError] | None, reason: str, wait_s: float | None
) -> None:
    error = await outcome(mood)
    assert (None if error is None else type(error)) is kind
    if error is not None:
        assert error.reason == reason
        assert getattr(error, "retry_after_s", None) == wait_s


async def test_a_redirect_is_not_followed() -> None:
    async with receiver("redirect") as peer:
        one = sink(peer.url)
        await one.open()
        with pytest.raises(Permanent):
            await one.send("d1", BODY, 1)
        await one.close()
        assert len(peer.got) == 1


async def test_nobody_listening_may_pass() -> None:
    one = sink("http://127.0.0.1:9/")
    await one.open()
    with pytest.raises(Retryable, match="network"):
        await one.send("d1", BODY, 1)
    await one.close()


async def test_the_peer_can_verify_the_signature_and_tell_repeats() -> None:
    async with receiver() as peer:
        one = sink(peer.url, secret=SECRET, token="t0ken")
        await one.open()
        await one.send("d1", BODY, 3)
        await one.close()
    headers, body = peer.got[0]
    assert Webhook(SECRET).verify(body.decode(), {k.lower(): v for k, v in headers.items()})
    assert headers["webhook-id"] == headers["Idempotency-Key"] == "d1"
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Forewarn-Attempt"] == "3"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert await outcome("takes") is None


def test_every_status_has_one_meaning() -> None:
    retried = {408, 421, 423, 425, 429} | set(range(500, 600)) - {501, 505}
    assert {s for s in range(100, 600) if verdict(s) is Verdict.TAKEN} == set(range(200, 300))
    assert {s for s in range(100, 600) if verdict(s) is Verdict.RETRY} == retried
    assert verdict(999) is Verdict.REFUSED


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(" 12 ", 12.0, id="seconds"),
        pytest.param("Mon, 02 Mar 2026 12:00:30 GMT", 30.0, id="date"),
        pytest.param("Mon, 02 Mar 2026 11:00:00 GMT", 0.0, id="date-gone-by"),
        pytest.param("soon", None, id="unreadable"),
        pytest.param("-5", None, id="negative"),
    ],
)
def test_the_wait_a_peer_asks_for(header: str | None, wait_s: float | None) -> None:
    assert wait_asked_s(header, NOON) == wait_s


def test_secrets_never_print_themselves(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary-token\n")
    options = Options(url="http://h/", secret=SECRET, token_file="token")
    one = build("console", options, SinkContext(str(tmp_path)))
    words = f"{options!r} {options} {options.model_dump_json()} {one!r} {vars(one)!r}"
    assert "canary" not in words
    assert SECRET not in words


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"url": "ftp://h/"}, id="not-web"),
        pytest.param({"url": "https:// h"}, id="a-space-in-the-address"),
        pytest.param({"url": "http://h/", "timeout_s": 0}, id="no-time"),
        pytest.param({"url": "http://h/", "verify": False}, id="unknown-option"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"secret": "whsec_!"}, "must be base64", id="bad-secret"),
        pytest.param({"secret_file": "missing"}, "cannot be read", id="no-file"),
        pytest.param({"token_file": "empty"}, "is empty", id="empty-file"),
    ],
)
def test_secrets_that_cannot_be_used_are_said_in_a_sentence(
    options: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("\n")
    declared = Options.model_validate({"url": "http://h/", **options})
    with pytest.raises(EnvironmentUnusable, match=sentence):
        build("console", declared, SinkContext(str(tmp_path)))


SUCCESS = {"field": "data.0.code", "equals": [0, "ok"], "later": ["busy"], "message": "msg"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param('{"data": [{"code": 0}]}', None, id="a-number"),
        pytest.param('{"data": [{"code": "ok"}]}', None, id="a-word"),
        pytest.param('{"data": [{"code": "busy"}]}', Retryable, id="later"),
        pytest.param('{"data": [{"code": "no"}], "msg": "t0ken"}', Permanent, id="refused"),
        pytest.param('{"data": []}', Retryable, id="says-neither"),
        pytest.param("<html>", Retryable, id="no-JSON"),
    ],
)
async def test_an_order_system_may_say_in_the_body_whether_it_took_it(
    answer: str, kind: type[DeliveryError] | None
) -> None:
    async with receiver() as peer:
        peer.says = answer
        one = sink(peer.url, success=SUCCESS, token="t0ken")
        await one.open()
        error = None
        try:
            await one.send("d1", BODY, 1)
        except DeliveryError as failed:
            error = failed
        await one.close()
    assert (None if error is None else type(error)) is kind
    assert "t0ken" not in repr(error)


async def test_a_system_that_cannot_drop_repeats_is_asked_before_each_post() -> None:
    async with receiver("status:404") as orders, receiver() as peer:
        one = sink(peer.url, look_up=orders.url + "/orders/{id}")
        await one.open()
        await one.send("d1", BODY, 1)
        orders.mood = "takes"
        await one.send("d1", BODY, 2)
        orders.mood = "status:500"
        with pytest.raises(Retryable, match="http-500"):
            await one.send("d2", BODY, 1)
        await one.close()
    assert peer.ids == ["d1"]


async def test_a_masked_body_is_signed_as_it_is_sent() -> None:
    body = '{"delivery_id":"d1","summary":{"zh":"苏F12345 停留"}}'.encode()
    async with receiver() as peer:
        one = sink(peer.url, secret=SECRET, personal="masked", headers={"X-Own": "yes"})
        await one.open()
        await one.send("d1", body, 1)
        await one.close()
    headers, sent = peer.got[0]
    assert "F12345" not in sent.decode()
    assert headers["X-Own"] == "yes"
    assert Webhook(SECRET).verify(sent.decode(), {k.lower(): v for k, v in headers.items()})


def test_a_place_to_look_up_must_be_one_that_may_be_reached() -> None:
    with pytest.raises(EnvironmentUnusable, match="must not be reached"):
        sink("http://h/", look_up="http://169.254.169.254/{id}")
