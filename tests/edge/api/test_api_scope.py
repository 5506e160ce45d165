"""What lies outside an account's scope does not exist for it; personal data is masked by role."""

import json
from urllib.parse import quote

import pytest
from api_stage import DRIVER, ID_NUMBER, PHONE, PLATE, Stage, staged

from engine.cases.model import Role
from engine.edge.api.accounts import issue
from engine.edge.api.asking import Asker

BASE = "/api/v1"
SCOPES = [
    pytest.param((), (), {"hazmat-stay", "unpaid-wages"}, id="everywhere"),
    pytest.param(("320600",), (), {"hazmat-stay", "unpaid-wages"}, id="the city"),
    pytest.param(("320612",), (), {"hazmat-stay"}, id="one county"),
    pytest.param(("320682",), (), {"unpaid-wages"}, id="the other county"),
    pytest.param(("320681",), (), set(), id="a county without cases"),
    pytest.param((), ("labour",), {"unpaid-wages"}, id="one department"),
    pytest.param(("320612",), ("labour",), set(), id="department elsewhere"),
    pytest.param((), ("fire",), set(), id="a department without cases"),
    pytest.param(("320612", "320682"), (), {"hazmat-stay", "unpaid-wages"}, id="two counties"),
]


async def seen_by(stage: Stage, token: str, path: str) -> set[str]:
    items = (await stage.call("GET", path, token)).json["items"]
    return {one["members"][0]["rule"] if "members" in one else one["change"]["rule"]
            for one in items}  # fmt: skip


@pytest.mark.parametrize(("areas", "departments", "rules"), SCOPES)
async def test_lists_search_single_cases_and_moves(tmp_path, areas, departments, rules):
    async with staged(tmp_path) as stage:
        token = await stage.token(Role.HANDLER, Role.APPROVER, areas=areas, departments=departments)
        assert await seen_by(stage, token, f"{BASE}/incidents?only=all") == rules
        assert await seen_by(stage, token, f"{BASE}/alerts?only=all") == rules
        found = await seen_by(stage, token, f"{BASE}/search?q=stays")
        assert found == rules
        for rule in ("hazmat-stay", "unpaid-wages"):
            incident = await stage.incident(rule)
            whole = await stage.call("GET", f"{BASE}/incidents?rule={rule}&only=all",
                                     await stage.token(Role.HANDLER))  # fmt: skip
            number = whole.json["items"][0]["number"]
            episode = whole.json["items"][0]["members"][0]["episode"]
            expected = 200 if rule in rules else 404
            for path in (
                f"incidents/{incident}", f"incidents/{number}", f"incidents/{incident}/history",
                f"alerts/{episode}",
            ):  # fmt: skip
                answer = await stage.call("GET", f"{BASE}/{path}", token)
                assert answer.status == expected, path
            said = {"reason": "seen"}
            move = await stage.call("POST", f"{BASE}/incidents/{incident}/comment", token, said)
            assert move.status == expected


async def test_a_merge_does_not_reach_outside(tmp_path):
    async with staged(tmp_path) as stage:
        token = await stage.token(Role.APPROVER, areas=("320612",))
        mine, other = await stage.incident(), await stage.incident("unpaid-wages")
        path, body = f"{BASE}/incidents/{mine}/merge", {"into": other, "reason": "same"}
        assert (await stage.call("POST", path, token, body)).status == 404


async def everything(stage: Stage, token: str) -> str:
    """Every answer that there is for an account, as one text."""
    incident = await stage.incident()
    paths = [
        "incidents?only=all", f"incidents/{incident}", f"incidents/{incident}/history",
        "alerts?only=all", "search?q=stays", "rules", "feeds", "silences?ended=true", "me",
    ]  # fmt: skip
    answers = [await stage.call("GET", f"{BASE}/{path}", token) for path in paths]
    assert {answer.status for answer in answers} == {200}
    episode = answers[0].json["items"][-1]["members"][0]["episode"]
    answers.append(await stage.call("GET", f"{BASE}/alerts/{episode}", token))
    stage.services.stopping = False
    return "\n".join(json.dumps(answer.json, ensure_ascii=False) for answer in answers)


async def said_by_people(stage: Stage) -> None:
    """A comment and a receipt with personal data in their words."""
    words = f"driver {PHONE}, card {ID_NUMBER}, plate {PLATE}"
    path = f"{BASE}/incidents/{await stage.incident()}"
    handler = await stage.token(Role.HANDLER, name="writer")
    assert (await stage.call("POST", f"{path}/comment", handler, {"reason": words})).status == 200
    body = {"found": words, "verdict": "true"}
    assert (await stage.call("POST", f"{path}/resolve", handler, body)).status == 200


async def test_no_viewer_sees_a_personal_value_anywhere(tmp_path):
    async with staged(tmp_path) as stage:
        await said_by_people(stage)
        text = await everything(stage, await stage.token(Role.VIEWER))
        assert [one for one in (PLATE[:7], DRIVER, PHONE, ID_NUMBER) if one in text] == []
        assert "苏F1***5" in text


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        pytest.param(Role.HANDLER, {PLATE[:7], DRIVER, PHONE}, id="who goes there"),
        pytest.param(Role.APPROVER, {PLATE[:7], DRIVER}, id="who decides"),
        pytest.param(Role.ANALYST, {PLATE[:7]}, id="who looks after rules"),
        pytest.param(Role.VIEWER, set(), id="who only looks"),
    ],
)
async def test_each_role_sees_its_kinds_and_reading_them_is_written_down(tmp_path, role, seen):
    async with staged(tmp_path) as stage:
        await said_by_people(stage)
        text = await everything(stage, await stage.token(role, name="reader"))
        assert {one for one in (PLATE[:7], DRIVER, PHONE, ID_NUMBER) if one in text} == seen
        path = f"{BASE}/audit?actor=reader&action=read"
        rows = (await stage.call("GET", path, await stage.token(Role.AUDITOR))).json["items"]
        assert bool(rows) == bool(seen)
        assert not [one for one in (PLATE[:7], DRIVER, PHONE, ID_NUMBER) if one in str(rows)]
        incident = await stage.incident()
        assert not seen or any(f"incident:{incident}" in row["object"] for row in rows)


async def test_every_case_of_a_long_page_is_written_down(tmp_path):
    async with staged(tmp_path) as stage:
        account, _token = issue("reader", [Role.HANDLER], stage.store.now_ms(), 1)
        asker = Asker(account, account.actor(Role.HANDLER), "en", stage.services)
        ids = [f"incident:{number}" for number in range(200)]
        assert PLATE[:7] in str(await asker.masked({"text": PLATE}, ids))
        path = f"{BASE}/audit?actor=reader&action=read"
        rows = (await stage.call("GET", path, await stage.token(Role.AUDITOR))).json["items"]
        assert {one for row in rows for one in row["object"].split()} == set(ids)


async def test_what_cannot_be_written_down_is_not_shown(tmp_path):
    async with staged(tmp_path) as stage:
        incident, token = await stage.incident(), await stage.token(Role.HANDLER)
        stage.store.write_now(
            lambda link: link.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        )
        answer = await stage.call("GET", f"{BASE}/incidents/{incident}", token)
        assert (answer.status, answer.json["code"]) == (503, "away")
        assert PLATE[:7] not in answer.body.decode()
        move = await stage.call("POST", f"{BASE}/incidents/{incident}/arrive", token, {})
        assert move.status == 503


async def test_settings_decide_otherwise(tmp_path):
    async with staged(tmp_path) as stage:
        stage.services.clear = {**stage.services.clear, Role.HANDLER: frozenset({"plate"})}
        text = await everything(stage, await stage.token(Role.HANDLER))
        assert PLATE[:7] in text
        assert DRIVER not in text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.HANDLER])
async def test_what_is_hidden_cannot_be_found_out_piece_by_piece(tmp_path, role):
    async with staged(tmp_path) as stage:
        token = await stage.token(role)
        plain = PLATE.split("-")[0]
        shown = role is Role.HANDLER
        for path in (
            f"search?q={plain[2:5]}", f"alerts?only=all&q={plain[3:6]}",
            f"search?q={quote(plain)}", f"incidents?only=all&q={plain[1:4]}",
            f"incidents?only=all&key={quote(PLATE)}", f"alerts?only=all&key={quote(PLATE)}",
        ):  # fmt: skip
            found = await seen_by(stage, token, f"{BASE}/{path}")
            assert ("hazmat-stay" in found) is shown, path
        assert "hazmat-stay" in await seen_by(stage, token, f"{BASE}/search?q={quote(plain[:3])}")
        assert "hazmat-stay" in await seen_by(stage, token, f"{BASE}/search?q=stays")
