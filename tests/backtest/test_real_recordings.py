"""An hour of New York harbour through a backtest: the counts of the recording's own test."""

import json
from collections import Counter
from pathlib import Path

import orjson
import pytest
from recorded import rows_of

from engine.edge.cli import main

FILE = "ny-harbor-ais-2020-06-30.csv.gz"
PACK = Path(__file__).parents[1] / "recordings/ships/pack"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = Path(tmp_path_factory.mktemp("harbour"))
    rows = sorted(rows_of(FILE), key=lambda row: row["BaseDateTime"])
    assert len(rows) == 8_689
    lines = [
        orjson.dumps({
            "mmsi": row["MMSI"], "at": row["BaseDateTime"], "lon": float(row["LON"]),
            "lat": float(row["LAT"]), "sog": float(row["SOG"]), "name": row["VesselName"],
        })
        for row in rows
    ]  # fmt: skip
    (folder / "ais.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


def test_the_counts_are_those_that_a_scan_of_every_second_confirms(data, tmp_path, capsys):
    """29 pairs alongside and 9 gatherings, as `tests/recordings/ships` finds them with numpy."""
    out = tmp_path / "report.html"
    words = ["backtest", str(PACK), str(data), "--until", "2020-06-30 00:59:59"]
    assert main([*words, "--format", "json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    fired = {rule: one["fired"] for rule, one in found["rules"].items()}
    assert {rule: fired[rule] for rule in ("alongside", "ships-gather")} == {
        "alongside": 29,
        "ships-gather": 9,
    }
    ends = Counter(found["rules"]["alongside"]["ends"])
    assert (ends["cleared"], ends["retracted"]) == (5, 3)
    assert found["records"] == {"ais": 8_689}
    text = out.read_text("utf-8")
    assert text.count('class="dot ') == sum(fired.values())
    assert len(text) < 2_000_000
