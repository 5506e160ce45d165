"""Kinds of source from other packages, and kinds whose libraries are not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import connectors
from connectors import SOURCES, Lacking, module_of, need

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
"""Gives so many records, one a minute."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.ports import Batch, Record, SourceId


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["counting"] = "counting"
    feed: str
    count: int = 3


def build(name, options, context):
    return Counting(name, options, context)


class Counting:
    live = False

    def __init__(self, name, options, context):
        self.name, self.options, self.context = name, options, context
        self.ids, self.logs = (SourceId(context.feed, context.partition),), (f"counting/{name}",)

    async def open(self, resume):
        self.start = resume.get(self.logs[0], 0)

    async def batches(self):
        records = [
            Record(n, b'{"site": "a", "at": "2026-08-01T08:%02d:00Z", "level": %d}' % (n, n))
            for n in range(self.start, self.options.count)
        ]
        context_fits = [self.context.reason(one.value) for one in records]
        assert context_fits == [None] * len(records)
        yield Batch(self.logs[0], self.ids[0], records)

    async def close(self):
        pass
'''
FEED = """
feed: levels
title: {en: Levels, zh: 液位}
format: json
key: site
id: [site, at]
time: {field: at, format: iso8601}
lateness: 0s
fields: {site: text, at: {type: time, format: iso8601}, level: number}
"""
RULE = """
rule: high
title: {en: High, zh: 高}
owner: tests
severity: blue
from: levels
by: site
when: {match: {condition: level >= 2}}
annotations: {summary: {en: high, zh: 高}}
"""


def install(folder: Path) -> None:
    """What an installer leaves of a package with one module and two entry points."""
    (folder / "counting_source.py").write_text(MODULE)
    about = folder / "counting_source-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-source\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[forewarn.sources]\ncounting = counting_source\nfile = counting_source\n"
    )


def run(folder: Path, **settings: object) -> "subprocess.CompletedProcess[str]":
    """The daemon over a folder, with what is installed beside it."""
    (folder / "p/feeds").mkdir(parents=True)
    (folder / "p/pack.yaml").write_text(
        "pack: p\ntitle: {en: P, zh: P}\nowner: tests\nversion: 0.1.0\n"
    )
    (folder / "p/feeds/levels.yaml").write_text(FEED)
    (folder / "p/high.yaml").write_text(RULE)
    about = {"packs": ["p"], "metrics": {"port": -1}, "sources": settings}
    (folder / "forewarn.yaml").write_text(json.dumps(about))
    paths = os.pathsep.join([str(ROOT), str(folder / "site")])
    return subprocess.run(
        [sys.executable, "-m", "engine", "run", str(folder), "--once", "--lang", "en"],
        cwd=folder, env={**os.environ, "PYTHONPATH": paths}, text=True, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip


def test_a_kind_of_another_package_runs_like_ours(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    done = run(tmp_path, levels={"kind": "counting", "feed": "levels", "count": 4})
    assert done.returncode == 0, done.stderr
    (alert,) = (tmp_path / "data/alerts.jsonl").read_text().splitlines()
    assert json.loads(alert)["key"] == "a"


def test_an_option_that_another_package_does_not_know_is_told_where_it_stands(
    tmp_path: Path,
) -> None:
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    done = run(tmp_path, levels={"kind": "counting", "feed": "levels", "cuont": 4})
    assert done.returncode == 2
    assert "forewarn.yaml:1:" in done.stderr
    assert "cuont" in done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise RuntimeError('boom')", "RuntimeError('boom')"),
        ("x = 1", "has no attribute 'Options'"),
        ("Options = 1", "has no attribute 'build'"),
        ("import no_such_module_anywhere", "No module named"),
    ],
)
def test_a_package_that_is_no_connector_is_told_where_it_is_declared(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    (tmp_path / "site" / "counting_source.py").write_text(text)
    done = run(tmp_path, levels={"kind": "counting", "feed": "levels"})
    assert done.returncode == 2, done.stderr
    assert "error S107: 'counting' cannot be used" in done.stderr
    assert why in done.stderr
    assert "forewarn.yaml:1:" in done.stderr


def test_a_kind_of_ours_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds = connectors.source_kinds()
    assert kinds["counting"] == "counting_source"
    assert kinds["file"] == "connectors.sources.file"


def test_a_kind_whose_library_is_missing_says_what_to_install(tmp_path: Path) -> None:
    """A folder in which the library cannot be found stands before the one where it is."""
    hidden = tmp_path / "site"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('aiomqtt', 'pyais'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    mqtt = {"kind": "mqtt", "feed": "levels", "host": "127.0.0.1", "topics": ["a"]}
    done = run(tmp_path, levels=mqtt)
    assert done.returncode == 2, done.stderr
    assert "error S116: 'mqtt' needs libraries that are not installed" in done.stderr
    assert "pip install 'forewarn[mqtt]'" in done.stderr
    assert "forewarn.yaml:1:" in done.stderr


def test_the_options_of_every_kind_can_be_told_without_its_libraries() -> None:
    """The schema of the settings is made of them on machines that have no extras."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['aiomqtt', 'pyais', 'sqlalchemy']))\n"
        "from engine.edge.wiring import connector_options\n"
        "print(sorted(connector_options()['sources']))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert said.stdout.strip() == str(sorted(SOURCES))


def test_what_is_installed_is_not_lacking() -> None:
    for path in SOURCES.values():
        need(module_of(path))
    strange = ModuleType("strange")
    strange.EXTRA = ("much", "no_such_module_anywhere")  # type: ignore[attr-defined]
    with pytest.raises(Lacking):
        need(strange)
