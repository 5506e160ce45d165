"""The loop through the API: each move once, on the version that was seen, refused in words."""

import json

import pytest
from api_stage import Stage, staged

from engine.cases.model import Role

INCIDENTS = "/api/v1/incidents"


async def audit(stage: Stage, **chosen: str) -> list[dict[str, object]]:
    query = "&".join(f"{name}={value}" for name, value in chosen.items())
    answer = await stage.call("GET", f"/api/v1/audit?{query}", await stage.token(Role.AUDITOR))
    found: list[dict[str, object]] = answer.json["items"]
    return found


async def test_from_the_order_to_the_verdict(tmp_path):
    async with staged(tmp_path) as stage:
        handler = await stage.token(Role.HANDLER, departments=("traffic",))
        desk = await stage.token(Role.OPERATOR)
        incident = await stage.incident()
        states = []
        for token, move, body in (
            (handler, "acknowledge", {"person": "li"}),
            (handler, "arrive", {}),
            (handler, "comment", {"reason": "on the spot"}),
            (handler, "resolve", {"found": "leaking valve, closed", "verdict": "true"}),
            (desk, "close", {"verdict": "false", "reason": "an exercise"}),
            (desk, "reopen", {"reason": "it goes on"}),
        ):
            answer = await stage.call("POST", f"{INCIDENTS}/{incident}/{move}", token, body)
            assert answer.status == 200, (move, answer.json)
            states.append(answer.json["state"])
            assert answer.headers["etag"] == f'"{answer.json["version"]}"'
        assert states == [
            "acknowledged", "handling", "handling", "verifying", "closed", "dispatched",
        ]  # fmt: skip
        history = await stage.call("GET", f"{INCIDENTS}/{incident}/history", handler)
        verbs = [move["verb"] for move in history.json["moves"] if move["verb"] != "refer"]
        assert verbs[-6:] == ["acknowledge", "arrive", "comment", "resolve", "close", "reopen"]
        assert "acknowledge" in history.json["allowed"]
        assert "close" not in history.json["allowed"]
        assert history.json["alerts"][0]["incident"] == incident
        assert history.json["papers"]
        rows = await audit(stage, about=f"incident:{incident}")
        assert {"acknowledge", "close", "reopen"} <= {row["action"] for row in rows}
        assert {row["address"] for row in rows if row["actor"] == "handler-1"} == {"127.0.0.1"}


async def test_the_same_request_again_is_answered_and_not_done_again(tmp_path):
    async with staged(tmp_path) as stage:
        handler = await stage.token(Role.HANDLER)
        path = f"{INCIDENTS}/{await stage.incident()}/comment"
        first = await stage.call("POST", path, handler, {"reason": "once"}, key="k-1")
        again = await stage.call("POST", path, handler, {"reason": "once"}, key="k-1")
        assert first.json == again.json
        other = await stage.call("POST", path, handler, {"reason": "another"}, key="k-1")
        assert (other.status, other.json["code"]) == (422, "key-reused")
        someone = await stage.token(Role.APPROVER)
        theirs = await stage.call("POST", path, someone, {"reason": "mine"}, key="k-1")
        assert theirs.json["version"] == first.json["version"] + 1


async def test_a_case_that_changed_meanwhile_is_not_moved(tmp_path):
    async with staged(tmp_path) as stage:
        handler = await stage.token(Role.HANDLER)
        path = f"{INCIDENTS}/{await stage.incident()}"
        seen = (await stage.call("GET", path, handler)).headers["etag"]
        body, match = {"reason": "x"}, {"If-Match": seen}
        assert (await stage.call("POST", f"{path}/comment", handler, body, match)).status == 200
        late = await stage.call("POST", f"{path}/comment", handler, body, match)
        assert (late.status, late.json["code"]) == (412, "version")
        odd = await stage.call("POST", f"{path}/comment", handler, body, {"If-Match": '"abc"'})
        assert odd.status == 412


@pytest.mark.parametrize(
    ("role", "move", "body", "status", "code", "why"),
    [
        pytest.param(Role.HANDLER, "call-back", {"satisfied": True, "solved": True}, 403, "role",
                     None, id="not for this role at all"),
        pytest.param(Role.OPERATOR, "call-back", {"satisfied": True, "solved": True}, 409,
                     "not-allowed", "wrong-state", id="not in this state"),
        pytest.param(Role.HANDLER, "assign", {"department": "labour", "reason": "x"}, 403,
                     "role-here", "wrong-role", id="not by this role here"),
        pytest.param(Role.OPERATOR, "assign", {"department": "nobody", "reason": "x"}, 422,
                     "invalid", "unknown-department", id="no such department"),
        pytest.param(Role.OPERATOR, "assign", {}, 422, "invalid", "needs-detail",
                     id="nothing that it needs"),
        pytest.param(Role.OPERATOR, "close", {"verdict": "true"}, 409, "not-allowed",
                     "proof-missing", id="no proof yet"),
        pytest.param(Role.OPERATOR, "merge", {"into": "nothing", "reason": "x"}, 404, "not-found",
                     None, id="into nothing"),
        pytest.param(Role.HANDLER, "resolve", {}, 422, "invalid", None, id="a field is missing"),
        pytest.param(Role.HANDLER, "resolve", {"found": "x", "y": 1}, 422, "invalid", None,
                     id="a field is unknown"),
        pytest.param(Role.OPERATOR, "close", {"verdict": "perhaps"}, 422, "invalid", None,
                     id="no such verdict"),
        pytest.param(Role.HANDLER, "comment", [], 422, "invalid", None, id="a list"),
        pytest.param(Role.HANDLER, "comment", b"{", 400, "malformed", None, id="not JSON"),
        pytest.param(Role.HANDLER, "comment", b"\xff\xfe", 400, "malformed", None, id="no text"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_refusal_is_a_problem_in_both_languages(
    tmp_path, role, move, body, status, code, why, lang
):
    async with staged(tmp_path) as stage:
        path = f"{INCIDENTS}/{await stage.incident()}/{move}"
        said = {"Accept-Language": {"en": "en-GB,en;q=0.9,zh;q=0.8", "zh": "zh-CN,zh;q=0.9"}[lang]}
        answer = await stage.call("POST", path, await stage.token(role), body, said)
        found = answer.json
        assert (answer.status, found["status"], found["code"]) == (status, status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["content-language"] == lang
        assert found.get("why") == why
        wide = [char for char in found["title"] + found["detail"] if "\u4e00" <= char <= "\u9fff"]
        assert bool(wide) == (lang == "zh")
        for one in found.get("errors", ()):
            assert one["detail"]
            assert one["pointer"].startswith("/body")


async def test_an_order_is_handed_only_to_a_sink_that_there_is(tmp_path):
    async with staged(tmp_path) as stage:
        stage.services.sinks = frozenset({"hotline"})
        path = f"{INCIDENTS}/{await stage.incident()}/refer"
        token = await stage.token(Role.OPERATOR)
        wrong = await stage.call("POST", path, token, {"sink": "hotlin"})
        assert (wrong.status, wrong.json["code"]) == (422, "invalid")
        assert wrong.json["errors"][0]["pointer"] == "/body/sink"
        assert "hotline" in wrong.json["errors"][0]["detail"]
        assert (await stage.call("POST", path, token, {"sink": "hotline"})).status == 200


async def test_a_post_without_a_key_is_refused(tmp_path):
    async with staged(tmp_path) as stage:
        path = f"{INCIDENTS}/{await stage.incident()}/comment"
        token = await stage.token(Role.HANDLER)
        for key in (None, " ", "x" * 129, "ключ"):
            sent = {} if key is None else {"Idempotency-Key": key}
            raw = {name: value.encode().decode("latin-1") for name, value in sent.items()}
            answer = await stage.call("POST", path, token, {"reason": "x"}, raw, key=None)
            assert (answer.status, answer.json["code"]) == (400, "key-missing")


async def test_silences_are_narrow_short_and_ended_once(tmp_path):
    async with staged(tmp_path) as stage:
        token = await stage.token(Role.OPERATOR, areas=("320612",))
        now_ms = stage.store.now_ms()
        until = {"reason": "works", "until_ms": now_ms + 3_600_000}
        for match, fits in (
            ({}, False),
            ({"rules": ["hazmat-*"]}, False),  # everywhere, and the token is of one county
            ({"rules": ["hazmat-*"], "areas": ["320600"]}, False),
            ({"rules": ["hazmat-*"], "areas": ["320612"]}, True),
            ({"areas": ["320612001"]}, True),
        ):
            answer = await stage.call("POST", "/api/v1/silences", token, {"match": match, **until})
            assert answer.status == (201 if fits else 422), match
        long = {"match": {"areas": ["320612"]}, "reason": "x", "until_ms": now_ms + 31 * 86_400_000}
        assert (await stage.call("POST", "/api/v1/silences", token, long)).status == 422
        listed = (await stage.call("GET", "/api/v1/silences", token)).json["items"]
        assert len(listed) == 2
        path = f"/api/v1/silences/{listed[0]['id']}/end"
        ended = await stage.call("POST", path, token, {"reason": "done"})
        assert ended.json["ended_ms"] is not None
        assert (await stage.call("POST", path, token, {})).json == ended.json
        assert len((await stage.call("GET", "/api/v1/silences", token)).json["items"]) == 1
        assert len(await audit(stage, action="unsilence")) == 1


async def test_an_operator_of_a_department_keeps_nothing_of_others_quiet(tmp_path):
    async with staged(tmp_path) as stage:
        token = await stage.token(Role.OPERATOR, areas=("320612",), departments=("traffic",))
        body = {"match": {"areas": ["320612"]}, "reason": "x", "for_ms": 60_000}
        refused = await stage.call("POST", "/api/v1/silences", token, body)
        assert (refused.status, refused.json["code"]) == (422, "silence-too-wide")
        whole = await stage.token(Role.OPERATOR)
        made = await stage.call("POST", "/api/v1/silences", whole, body)
        path = f"/api/v1/silences/{made.json['id']}/end"
        refused = await stage.call("POST", path, token, {})
        assert (refused.status, refused.json["code"]) == (422, "silence-too-wide")
        assert len((await stage.call("GET", "/api/v1/silences", token)).json["items"]) == 1


async def test_a_silence_asked_for_twice_is_one(tmp_path):
    async with staged(tmp_path) as stage:
        token, until = await stage.token(Role.OPERATOR), stage.store.now_ms() + 60_000
        body = {"match": {"rules": ["x"]}, "reason": "works", "until_ms": until}
        first = await stage.call("POST", "/api/v1/silences", token, body, key="s")
        again = await stage.call("POST", "/api/v1/silences", token, body, key="s")
        assert (first.status, again.status, first.json) == (201, 201, again.json)
        other = await stage.call("POST", "/api/v1/silences", token, body | {"reason": "y"}, key="s")
        assert other.json["code"] == "key-reused"


async def test_tokens_are_given_once_and_taken_back_at_once(tmp_path):
    async with staged(tmp_path) as stage:
        admin = await stage.token(Role.ADMIN)
        body = {"name": "patrol", "roles": ["handler"], "departments": ["traffic"], "days": 7}
        made = await stage.call("POST", "/api/v1/tokens", admin, body, key="t")
        assert made.status == 201
        again = await stage.call("POST", "/api/v1/tokens", admin, body, key="t")
        assert again.json == {**made.json, "token": None}
        for other in ({"departments": ["fire"]}, {"areas": ["320612"]}, {"days": 8}):
            reused = await stage.call("POST", "/api/v1/tokens", admin, body | other, key="t")
            assert reused.json["code"] == "key-reused", other
        token = made.json["token"]
        me = await stage.call("GET", "/api/v1/me", token)
        assert (me.json["account"], me.json["departments"]) == ("patrol", ["traffic"])
        assert "POST /api/v1/incidents/{incident}/arrive" in me.json["routes"]
        listed = await stage.call("GET", "/api/v1/tokens", admin)
        assert token.split("_", 2)[2] not in listed.body.decode()
        path = f"/api/v1/tokens/{made.json['id']}/revoke"
        assert (await stage.call("POST", path, admin, {})).json["revoked_ms"]
        assert (await stage.call("GET", "/api/v1/me", token)).json["code"] == "token-over"
        actions = [row["action"] for row in await audit(stage, about=f"token:{made.json['id']}")]
        assert actions == ["token-revoke", "token-add"]
        added = (await audit(stage, about=f"token:{made.json['id']}", action="token-add"))[0]
        given = json.loads(str(added["details"]))
        assert (given["departments"], given["areas"]) == (["traffic"], [])
        assert given["expires_ms"] == made.json["expires_ms"]
        mixed = body | {"roles": ["admin", "auditor"]}
        refused = await stage.call("POST", "/api/v1/tokens", admin, mixed)
        assert refused.json["code"] == "roles-together"
        system = await stage.call("POST", "/api/v1/tokens", admin, body | {"roles": ["system"]})
        assert system.json["code"] == "invalid"
