"""The whole API by its own description: no answer that is not described, no way round a token."""

import asyncio

from api_stage import PLATE, change, staged

from benchmarks.api_fuzz import fuzz
from engine.cases.model import Role
from engine.edge.api.roles import PERSONS, TABLE
from engine.edge.api.serve import served
from engine.edge.api_settings import ApiSettings


async def test_no_request_makes_the_api_fail_or_lets_nobody_in(tmp_path):
    async with (
        staged(tmp_path) as stage,
        served(stage.services, ApiSettings(port=0, per_address=0), tmp_path) as port,
    ):
        stage.services.stopping = True  # a stream of events ends after what is there
        tokens = {str(role): await stage.token(role) for role in PERSONS}
        spare = await stage.services.accounts.accounts()
        known = {
            "incident": [await stage.incident(), await stage.incident("unpaid-wages")],
            "episode": [change("hazmat-stay", PLATE, "320612").episode_id],
            "system": ["hotline"],
            "rule": ["hazmat-stay"],
            "token": ["nothing" if not spare else "0" * 12],
        }
        found = await asyncio.to_thread(
            fuzz, f"http://127.0.0.1:{port}", stage.app.openapi(), tokens, known, 4, 7
        )
        count, breaks = await stage.store.read(stage.keeper.ledger.verify)
    assert found.faults == []
    assert found.bypassed == []
    assert set(found.calls) == set(TABLE)
    statuses = {status for counts in found.calls.values() for status in counts}
    assert {200, 401, 404, 422} <= statuses
    assert Role.SYSTEM not in tokens
    assert count > 0
    assert breaks == []
