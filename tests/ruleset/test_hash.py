"""The rule's hash changes with what decides alerts, and with nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.edge.files import read_project
from engine.ruleset.load import DeclaredFile, load_project

RIVER = Path(__file__).parent / "bases" / "river"
RULE = "flood-level.yaml"


def hash_after(file: str, change: Callable[[str], str]) -> str:
    """The hash of the flood rule when one file of its pack reads otherwise."""
    files = [
        DeclaredFile(one.path, change(one.raw.decode()).encode())
        if one.path.endswith(file)
        else one
        for one in read_project([RIVER])
    ]
    loaded = load_project(files)
    assert loaded.project is not None, loaded.report()
    return loaded.project.rules["flood-level"].hash


BEFORE = hash_after(RULE, lambda text: text)


def test_the_hash_is_twelve_hex_digits() -> None:
    assert len(BEFORE) == 12
    assert int(BEFORE, 16) >= 0


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param(RULE, "水位超警戒", "超过警戒水位", id="title"),
        pytest.param(RULE, "owner: water-bureau", "owner: emergency-bureau", id="owner"),
        pytest.param(RULE, "{{ key }} 水位", "{{ key }} 站水位", id="summary"),
        pytest.param(RULE, "within: 30m", "within: 1800s", id="another-spelling-of-a-duration"),
        pytest.param(RULE, "level > post.warning and", "level  >  post.warning  and", id="spaces"),
        pytest.param(RULE, "severity: blue", "status: shadow\nseverity: blue", id="status"),
        pytest.param("gauges.yaml", "lateness: 5m", "lateness: 6m", id="lateness"),
        pytest.param(RULE, "quiet: 2h", "quiet: 120m", id="hours-as-minutes"),
    ],
)
def test_what_does_not_decide_alerts_keeps_the_hash(file: str, old: str, new: str) -> None:
    assert hash_after(file, lambda text: text.replace(old, new, 1)) == BEFORE


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param(RULE, "count: 3", "count: 4", id="hits"),
        pytest.param(RULE, "0.5 meters", "0.6 meters", id="level"),
        pytest.param(RULE, 'state != "broken"', 'state == "good"', id="where"),
        pytest.param(RULE, "severity: blue\n", "severity: blue\nkeep_firing_for: 5m\n", id="keep"),
        pytest.param("gauges.yaml", "unit: m,", "unit: cm,", id="unit-of-a-field"),
        pytest.param("gauges.yaml", "id: [station, taken]", "id: [station]", id="event-id"),
        pytest.param("city_stations.yaml", "[S01, S02]", "[S01]", id="values-of-a-list"),
    ],
)
def test_what_decides_alerts_changes_the_hash(file: str, old: str, new: str) -> None:
    assert hash_after(file, lambda text: text.replace(old, new, 1)) != BEFORE
