"""The scans that recordings are checked against know nothing of the engine, nor of our tests."""

import ast
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
SCANS = ("dust_scan", "hotline311_scan", "river_scan", "ships_scan")
MAY = {"pathlib", "typing", "numpy", "polars"}


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_imports_polars_and_nothing_of_ours(name: str) -> None:
    tree = ast.parse((SUPPORT / f"{name}.py").read_text("utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    assert "polars" in found
    assert found <= MAY
