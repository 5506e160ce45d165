"""What a person reads when a table file is wrong: one folder per case, in both languages."""

import os
import tomllib
from pathlib import Path

import pytest

from engine import text
from engine.ruleset.spec import TableSpec
from engine.state.tables import Table

CASES = sorted((Path(__file__).parent / "golden").iterdir())
PLANTS = TableSpec(
    "plants",
    ("code",),
    {
        "code": "text",
        "workers": {"type": "integer", "range": [0, 100000]},
        "risk": {"type": "text", "values": ["low", "high"]},
        "begin": "time",
        "end": "time",
        "car": "plate",
        "note": {"type": "text", "max_length": 50},
    },
    valid=("begin", "end"),
)
TOWNS = TableSpec("towns", ("code",), {"code": "text", "name": {"type": "text", "optional": False}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_problem_report(case: Path) -> None:
    (file,) = case.glob("*.csv")
    spec = PLANTS if file.stem == "plants" else TOWNS
    table, problems = Table.from_csv(spec, file.read_bytes(), file.name)
    report = "".join(f"{problem.report(lang)}\n" for lang in ("en", "zh") for problem in problems)
    report += f"rows kept: {len(table.rows)}\n"
    expected = case / "expected.txt"
    if os.environ.get("GOLDEN") == "write":
        expected.write_text(report, "utf-8")
    assert report == expected.read_text("utf-8")


def _own(file: str) -> dict[str, object]:
    """The entries of one file of the catalogue."""
    return tomllib.loads((Path(text.__file__).parent / file).read_text("utf-8"))


def test_every_table_problem_has_a_case() -> None:
    told = "".join((case / "expected.txt").read_text("utf-8") for case in CASES)
    codes = {code for code in _own("decode.toml") if code.startswith(("R52", "R53"))}
    assert {code for code in codes if code not in told} == set()
