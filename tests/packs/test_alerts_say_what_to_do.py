"""What officers check, who is in charge and which offence may apply reaches real receivers."""

from pathlib import Path

import orjson
from msgspec import json

from benchmarks.worlds import in_memory, program_of

ROOT = Path(__file__).parents[2]


def record(at: str, stage: str, name: str) -> tuple[str, bytes]:
    fields = {
        "record": name, "project": "XM1", "time": at, "stage": stage, "county": "演示1县",
        "contractor": "演示建设公司", "owner": "演示置业", "contract_sum": 1e7,
        "deposit_rate": 0.02, "deposit_exempt": False, "monthly_labour_cost": 1e5,
    }  # fmt: skip
    return "permits", orjson.dumps(fields)


def test_what_fires_or_climbs_says_what_to_check_and_what_ends_does_not() -> None:
    told = [
        record("2026-03-02 10:00:00", "signed", "p1"),
        record("2026-06-10 10:00:00", "completed", "p2"),
    ]
    run = in_memory(program_of(ROOT / "rules/wages"), told, 1_790_000_000_000)
    bodies = {
        change.transition.value: orjson.loads(json.encode(change))
        for change in run.changes
        if change.rule == "wage-account-missing"
    }
    assert bodies.keys() == {"fired", "raised", "cleared"}
    for said in ("fired", "raised"):
        body = bodies[said]
        assert body["check"]
        assert all(set(point) == {"en", "zh"} for point in body["check"])
        assert body["units"]
        assert all(set(offence) == {"en", "zh"} for offence in body["offences"])
    assert all(bodies["cleared"][name] == [] for name in ("check", "units", "offences"))
