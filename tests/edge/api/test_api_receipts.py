"""Receipts of an outside system: each moves its case once; forged, replayed, changed ones never."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from api_stage import KEY, Stage, staged
from standardwebhooks import Webhook

from engine.cases.model import Role
from engine.edge.api_settings import ApiSettings
from engine.errors import EnvironmentUnusable

PATH = "/api/v1/receipts/hotline"
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()


def signed(body: bytes, name: str, key: str = KEY, at_s: float | None = None) -> dict[str, str]:
    moment = datetime.fromtimestamp(time.time() if at_s is None else at_s, UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(key).sign(name, moment, body.decode()),
    }


async def version(stage: Stage, incident: str) -> int:
    path = f"/api/v1/incidents/{incident}"
    answer = await stage.call("GET", path, await stage.token(Role.VIEWER))
    return int(answer.json["version"])


async def told(stage: Stage, name: str, path: str = PATH, **said: object) -> tuple[int, str]:
    body = json.dumps(said).encode()
    answer = await stage.call("POST", path, body=body, headers=signed(body, name), key=None)
    return answer.status, answer.json.get("outcome") or answer.json["code"]


async def test_an_outside_system_moves_its_order_step_by_step(tmp_path):
    async with staged(tmp_path) as stage:
        incident = await stage.incident()
        for number, (status, state) in enumerate(
            (("noted", "dispatched"), ("accepted", "acknowledged"), ("arrived", "handling"),
             ("resolved", "verifying"))
        ):  # fmt: skip
            came = await told(stage, f"m-{number}", order=incident, status=status, number="HL-7")
            assert came == (200, "accepted")
            answer = await stage.call("GET", "/api/v1/incidents/HL-7",
                                      await stage.token(Role.VIEWER))  # fmt: skip
            assert answer.json["state"] == state
        audit = await stage.call("GET", "/api/v1/audit?actor=gateway:hotline",
                                 await stage.token(Role.AUDITOR))  # fmt: skip
        assert audit.json["items"]


async def test_a_repeat_is_answered_and_does_nothing(tmp_path):
    async with staged(tmp_path) as stage:
        incident = await stage.incident()
        said = {"order": incident, "status": "accepted"}
        assert await told(stage, "m-1", **said) == (200, "accepted")
        before = await version(stage, incident)
        for _ in range(5):
            assert await told(stage, "m-1", **said) == (200, "repeated")
        assert await version(stage, incident) == before


async def test_what_is_not_to_be_trusted_moves_nothing(tmp_path):
    async with staged(tmp_path) as stage:
        incident = await stage.incident()
        before = await version(stage, incident)
        body = json.dumps({"order": incident, "status": "resolved"}).encode()
        good, now = signed(body, "m-1"), time.time()
        forged = {
            "no signature": (PATH, {}, body),
            "another key": (PATH, signed(body, "m-1", OTHER), body),
            "another body": (PATH, good, body.replace(b"resolved", b"accepted")),
            "another id": (PATH, good | {"webhook-id": "m-2"}, body),
            "too old": (PATH, signed(body, "m-1", at_s=now - 310), body),
            "too early": (PATH, signed(body, "m-1", at_s=now + 310), body),
            "another system": ("/api/v1/receipts/police", good, body),
            "a token instead": (
                PATH, {"Authorization": f"Bearer {await stage.token(Role.HANDLER)}"}, body,
            ),
        }  # fmt: skip
        for kind, (path, headers, raw) in forged.items():
            answer = await stage.call("POST", path, body=raw, headers=headers, key=None)
            assert (answer.status, answer.json["code"]) == (401, "receipt-refused"), kind
        assert await version(stage, incident) == before
        # and after all that the true one is taken
        answer = await stage.call("POST", PATH, body=body, headers=good, key=None)
        assert answer.json["outcome"] == "accepted"
        changed = await told(stage, "m-1", order=incident, status="accepted")
        assert changed == (409, "receipt-changed")


async def test_receipts_that_mean_nothing_are_kept_and_say_so(tmp_path):
    async with staged(tmp_path) as stage:
        incident = await stage.incident()
        assert await told(stage, "a", order="no-such-order", status="accepted") == (
            200, "unknown-order",
        )  # fmt: skip
        assert await told(stage, "b", order=incident, status="perhaps") == (200, "refused")
        assert await told(stage, "c", status="accepted") == (400, "malformed")
        assert await told(stage, "d", order=7, status="accepted") == (400, "malformed")


@pytest.mark.parametrize("system", [{}, {"secret": "a passphrase"}, {"secret": "whsec_"}])
async def test_a_system_whose_key_is_none_is_told_at_the_start(tmp_path, system):
    settings = ApiSettings.model_validate({"systems": {"hotline": system}})
    with pytest.raises(EnvironmentUnusable, match=r"api\.systems\.hotline: needs a signing key"):
        async with staged(tmp_path, settings):
            pass


async def test_an_instant_that_is_none_is_refused_as_not_readable(tmp_path):
    async with staged(tmp_path) as stage:
        incident = await stage.incident()
        for number, at_ms in enumerate((-1, 2**63, 10**400, "now", 4_102_444_800_001)):
            came = await told(stage, f"m-{number}", order=incident, status="noted", at_ms=at_ms)
            assert came == (400, "malformed"), at_ms
        last = await told(stage, "m", order=incident, status="noted", at_ms=4_102_444_800_000)
        assert last == (200, "accepted")


async def test_a_system_speaks_only_of_orders_that_it_was_given(tmp_path):
    async with staged(tmp_path) as stage:
        stage.services.keys = {**stage.services.keys, "police": (KEY,)}
        incident = await stage.incident()
        before = await version(stage, incident)
        came = await told(stage, "p", "/api/v1/receipts/police", order=incident, status="accepted")
        assert came == (200, "unknown-order")
        assert await version(stage, incident) == before
