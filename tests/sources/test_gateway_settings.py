"""Gateways as settings: open doors are told of, what does not fit is told where it is."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from engine.edge.files import read_project
from engine.edge.settings import read_settings
from engine.edge.wiring import open_doors, plan_connectors
from engine.errors import DeclarationError
from engine.ruleset.load import load_project
from engine.ruleset.spec import Project

ROOT = Path(__file__).resolve().parents[2]


@cache
def project() -> Project:
    """The hazmat pack, which has the feed of vehicles."""
    loaded = load_project(read_project([ROOT / "rules/hazmat"]))
    assert loaded.project is not None
    return loaded.project


def problems(folder: Path, sources: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
    """Code of each problem, and the line of the settings at which it is told."""
    given = {name: {"feed": "vehicle-gps", **source} for name, source in sources.items()}
    (folder / "forewarn.yaml").write_text(json.dumps({"sources": given}, indent=1))
    configured = read_settings(folder, {})
    try:
        found = open_doors(configured, plan_connectors(configured, project(), "en"))
    except DeclarationError as error:
        found = list(error.problems)
    lines = (folder / "forewarn.yaml").read_text().splitlines()
    return [(one.code, lines[one.at.line - 1].split('"')[1]) for one in found]


EVERYWHERE = {"host": "0.0.0.0"}


@pytest.mark.parametrize(
    ("source", "is_open"),
    [
        pytest.param({"kind": "jtt808", "terminals": ["1"]}, False, id="loopback"),
        pytest.param({"kind": "jtt808", "terminals": ["1"], **EVERYWHERE}, False, id="a-list"),
        pytest.param({"kind": "jtt808", "open": True, **EVERYWHERE}, True, id="open-to-all"),
        pytest.param(
            {"kind": "hj212", "open": True, "senders": ["10.0.0.0/8"], **EVERYWHERE}, False,
            id="open-to-a-network",
        ),
        pytest.param({"kind": "nmea", **EVERYWHERE}, True, id="ships-from-everywhere"),
        pytest.param({"kind": "nmea", "connect": "10.1.0.7:4001"}, False, id="called-by-us"),
        pytest.param({"kind": "mqtt", "host": "b.example", "topics": ["a"]}, False, id="a-broker"),
    ],
)  # fmt: skip
def test_a_door_that_stands_open_to_strangers_is_warned_about(
    tmp_path: Path, source: dict[str, object], is_open: bool
) -> None:
    assert problems(tmp_path, {"gate": source}) == ([("S117", "host")] if is_open else [])


SQL = {"kind": "sql", "url": "sqlite:///d", "query": "SELECT 1 AS a", "cursor": "a"}


@pytest.mark.parametrize(
    ("source", "key"),
    [
        pytest.param({"kind": "jtt808", "terminal": "1"}, "terminal", id="misspelt"),
        pytest.param({"kind": "hj212", "port": 70_000}, "port", id="port"),
        pytest.param({"kind": "nmea", "connect": "a:b/c"}, "connect", id="address"),
        pytest.param({"kind": "mqtt", "host": "", "topics": ["a"]}, "host", id="no-host"),
        pytest.param({**SQL, "url": "mysql://h/d"}, "url", id="other-database"),
        pytest.param({**SQL, "query": "SELECT 1; SELECT 2"}, "query", id="two-queries"),
        pytest.param({"kind": "jtt809"}, "kind", id="no-such-kind"),
    ],
)
def test_what_does_not_fit_is_told_where_it_stands(
    tmp_path: Path, source: dict[str, object], key: str
) -> None:
    found = problems(tmp_path, {"gate": source})
    assert [name for _, name in found] == [key]


def test_a_feed_has_one_source_that_takes_records_in(tmp_path: Path) -> None:
    gate = {"kind": "jtt808", "terminals": ["1"]}
    assert problems(tmp_path, {"posted": {"kind": "http"}, "gate": gate}) == [("S106", "feed")]
