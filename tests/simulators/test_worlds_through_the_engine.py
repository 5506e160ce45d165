"""The shipped packs on simulated worlds: everything found, nothing false, each instant right."""

import csv
import io
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import msgspec
import pytest

from engine.edge.files import read_project
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import compile_project
from engine.ruleset.load import DeclaredFile, LoadOptions, load_project
from simulators.area import layers
from simulators.truth import compare
from simulators.worlds import make

RULES = Path(__file__).parents[2] / "rules"


def program(pack, world):
    """The shipped pack with the world's own tables."""
    files = [file for file in read_project([RULES / pack]) if not file.path.endswith(".csv")]
    root = next(file.path for file in files if file.path.endswith("pack.yaml"))
    for name, rows in world.tables().items():
        text, listed = io.StringIO(), list(rows)
        writer = csv.DictWriter(text, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
        path = f"{root.removesuffix('pack.yaml')}tables/{name}.csv"
        files.append(DeclaredFile(path, text.getvalue().encode()))
    loaded = load_project(files, LoadOptions())
    assert loaded.project is not None, [problem.report() for problem in loaded.problems]
    return compile_project(loaded.project)


def run(pack, world, batch=1_000):
    """All changes, as every sink would get them."""
    compiled = program(pack, world)
    engine, changes = Engine(compiled), []
    offsets: dict[str, int] = defaultdict(int)
    waiting: dict[str, list[Record]] = defaultdict(list)
    for name, space in engine.spaces.items():
        for feed in compiled.spaces[name].feeds:
            space.announce(SourceId(feed))

    def release():
        for name, space in engine.spaces.items():
            for feed, records in waiting.items():
                if feed in compiled.spaces[name].feeds:
                    space.ingest(feed, SourceId(feed), records)
            outcome = space.advance()
            assert not outcome.troubles
            changes.extend(outcome.changes)
        waiting.clear()

    for count, item in enumerate(world.items(), 1):
        waiting[item.feed].append(Record(offsets[item.feed], item.value))
        offsets[item.feed] += 1
        if count % batch == 0:
            release()
    release()
    for space in engine.spaces.values():
        changes.extend(space.advance(world.end_ms - 1).changes)
    return [json.loads(msgspec.json.encode(change)) for change in changes]


@pytest.mark.parametrize("seed", [21, 22])
@pytest.mark.parametrize(
    ("pack", "name", "sizes"),
    [
        pytest.param("hazmat", "fleet", {"vehicles": 25, "hours": 20.0}, id="fleet"),
        pytest.param("hazmat", "fleet", {"vehicles": 10, "hours": 9.0, "every_s": 20}, id="20-s"),
        pytest.param("wages", "payroll", {"projects": 60, "days": 190}, id="payroll"),
    ],
)
def test_without_noise_everything_is_found_and_nothing_is_false(pack, name, sizes, seed):
    world = make(name, seed=seed, **sizes)
    report = compare((asdict(story) for story in world.stories()), run(pack, world))
    assert sum(score.hits for score in report.scores.values()) > 10
    assert report.perfect, "\n".join(report.lines())


def test_ledger_noise_within_the_promised_day_changes_nothing():
    world = make("payroll", seed=23, projects=40, days=150, noise="heavy")
    report = compare((asdict(story) for story in world.stories()), run("wages", world))
    assert report.perfect, "\n".join(report.lines())


def test_ordinary_noise_hides_few_stays_and_only_at_a_boundary():
    world = make("fleet", seed=24, vehicles=25, hours=20.0, noise="default")
    report = compare(
        (asdict(story) for story in world.stories()), run("hazmat", world), tolerance_ms=60_000
    )
    score = report.scores["hazmat-abnormal-dwell"]
    assert score.recall > 0.95
    assert score.precision > 0.93
    boundary = {"creep-149-m", "just-30-minutes", "moved-165-m", "inside-the-gate", "stray-fix"}
    assert {row["story"] for row in (*score.missed, *score.spurious)} <= boundary


def test_the_pack_holds_the_zones_of_the_simulated_area():
    """Its regions stand in levels; the area has the lowest of them."""
    for name, layer in layers().items():
        shipped = json.loads((RULES / "hazmat" / "zones" / f"{name}.geojson").read_text("utf-8"))
        wanted = json.loads(json.dumps(layer))
        if name == "regions":
            towns = [one for one in shipped["features"] if one["properties"]["level"] == "town"]
            assert [outline(one) for one in towns] == [outline(one) for one in wanted["features"]]
        else:
            assert shipped == wanted


def outline(feature: dict) -> tuple:
    """What both tell of a region."""
    return feature["properties"]["name"], feature["geometry"]
