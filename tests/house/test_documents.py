"""Documents are programs: commands run, YAML loads, tests pass, links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.cases.declared.around import Around
from engine.cases.declared.load import load_desk
from engine.cases.declared.trial import run
from engine.edge.settings import read_settings
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile, read
from engine.ruletest.cases import read_cases
from engine.ruletest.run import run_case

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COOKBOOK = ROOT / "docs/cookbook"
LIVE = [page for page in PAGES if page.parent in (ROOT / "docs", ROOT / "docs/operators", COOKBOOK)]
"""Pages whose YAML is a whole pack each."""
RECIPES = sorted(page for page in COOKBOOK.glob("*.md") if page.name != "README.md")
RUN_BY_NAME = {
    "authoring.md",
    "backtest.md",
    "desk-operations.md",
    "explain.md",
    "first-case.md",
    "outbox.md",
}
RUN = [page for page in PAGES if page.parent == ROOT or page.name in RUN_BY_NAME]
"""Pages whose marked commands are run."""
PACK = b"pack: page\ntitle: {en: Page, zh: Page}\nowner: docs\nversion: 0.1.0\n"
DEPOTS = b"""{"type": "FeatureCollection", "datum": "wgs84", "features": [{"type": "Feature",
"properties": {"id": "depot-1"}, "geometry": {"type": "Polygon", "coordinates":
[[[120.9, 32.0], [120.91, 32.0], [120.91, 32.01], [120.9, 32.01], [120.9, 32.0]]]}}]}"""
DESK = "desk="
"""Blocks that are files of a desk; those of a page are one desk together."""
_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_FOLDERS = ("feed", "table", "calendar", "playbook", "list", "macro", "override")
_PLACES = {kind: f"{kind}s" for kind in _FOLDERS}


class Block(NamedTuple):
    """A fenced block: language, what stands behind it, and the text."""

    kind: str
    note: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = _FENCE.findall(page.read_text("utf-8"))
    return [Block(kind, note.strip(), text) for kind, note, text in found]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def declared(block: Block) -> DeclaredFile:
    """The block as the file of a pack that it would be."""
    if block.note.startswith("file="):
        return DeclaredFile(f"page/{Path(block.note[5:]).name}", block.text.encode())
    first, _, name = block.text.lstrip().split("\n", 1)[0].partition(":")
    if first == "routes":
        return DeclaredFile("page/routes.yaml", block.text.encode())
    folder = _PLACES.get(first)
    path = f"page/{folder}/{name.strip()}.yaml" if folder else f"page/{name.strip()}.yaml"
    return DeclaredFile(path, block.text.encode())


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    for link in _LINK.findall(page.read_text("utf-8")):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", LIVE, ids=named)
def test_every_yaml_of_a_page_loads_and_its_tests_pass(page):
    yaml = [
        block
        for block in blocks(page)
        if block.kind == "yaml" and block.note != "settings" and not block.note.startswith(DESK)
    ]
    if not yaml:
        return
    files = [
        DeclaredFile("page/pack.yaml", PACK),
        DeclaredFile("page/zones/depots.geojson", DEPOTS),
        *map(declared, yaml),
        *(
            DeclaredFile(f"page/{block.note[5:]}", block.text.encode())
            for block in blocks(page)
            if block.kind == "json" and block.note.startswith("file=zones/")
        ),
    ]
    loaded = load_project(files, LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    for document in loaded.project.tests.values():
        cases, problems = read_cases(document, loaded.project)
        assert problems == []
        for case in cases:
            result = run_case(case, loaded.project)
            assert result.passed, (case.name, result.verdict.failures, result.deviations)


@pytest.mark.parametrize("page", LIVE, ids=named)
def test_the_desk_of_a_page_is_right_and_its_route_tests_pass(page):
    found = [block for block in blocks(page) if block.note.startswith(DESK)]
    if not found:
        return
    files = [
        DeclaredFile(f"desk/{block.note.removeprefix(DESK)}", block.text.encode())
        for block in found
    ]
    loaded = load_desk(files, Around(sinks=("order-system", "duty-room")))
    assert loaded.report() == ""
    assert loaded.policy is not None
    assert loaded.tests
    for test in loaded.tests:
        assert run(test, loaded.policy).failures == (), test.name


def test_each_of_twenty_recipes_has_a_rule_a_hit_a_near_miss_and_says_why():
    found = []
    for page in RECIPES:
        for number, recipe in re.findall(
            r"^## (\d+)\. (.*?)(?=^## )", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            found.append(int(number))
            for part in ("\nrule: ", "hit: ", "near-miss: ", "**Why ", "**Watch out.**"):
                assert part in recipe, (number, part)
    assert sorted(found) == list(range(1, 21))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_settings_block_is_in_order(page, tmp_path):
    for block in blocks(page):
        if block.kind == "yaml" and block.note == "settings":
            (tmp_path / "forewarn.yaml").write_text(block.text, "utf-8")
            read_settings(tmp_path, {})


@pytest.mark.parametrize("page", RUN, ids=named)
def test_every_marked_command_runs(page, tmp_path):
    """Blocks in their order in an empty folder; `yaml file=...` blocks are the files between."""
    command = tmp_path / "bin/forewarn"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engine "$@"\n')
    command.chmod(0o755)
    paths = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT)}
    work = tmp_path / "work"
    work.mkdir()
    for block in blocks(page):
        if block.note.startswith("file="):
            (work / block.note[5:]).write_text(block.text, "utf-8")
        elif (block.kind, block.note) == ("sh", "run"):
            done = subprocess.run(
                ["/bin/sh", "-e", "-c", block.text],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout
    shutil.rmtree(work)


def test_every_yaml_block_says_how_it_is_tried():
    for page in PAGES:
        for block in blocks(page):
            if block.kind == "yaml":
                assert read(DeclaredFile("block.yaml", block.text.encode())).document is not None
