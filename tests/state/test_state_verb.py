"""`forewarn state` on data folders: out and in, looked at, compared, planned; damage is refused."""

import asyncio
import gzip
import json
import os
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from small_world import FILES, MIN, T0, Line, fix, payment

from engine.edge.cli import main
from engine.edge.cli.projects import find
from engine.edge.daemon import Ports, run_async
from engine.edge.settings import read_settings
from engine.state.portable import moved

SETTINGS = """
data_folder: data
packs: [rules]
http: {port: 0}
metrics: {port: -1}
sources:
  gps: {kind: file, feed: gps, path: gps.jsonl, follow: true}
  paid: {kind: file, feed: paid, path: paid.jsonl, follow: true}
"""
BEAT = "beat"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three rules with two files that grow."""
    monkeypatch.setenv("FOREWARN_LANG", "en")
    for name, text in FILES.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "forewarn.yaml").write_text(SETTINGS, "utf-8")
    for feed in ("gps", "paid"):
        (tmp_path / f"{feed}.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drive() -> list[Line]:
    """Two cars: one stands from minute 5 to 40, one races and pays late."""
    lines = [
        fix(n, "a", min(n, 5) + max(0, n - 40) * 5, 1.0 if 5 <= n <= 40 else 50.0)
        for n in range(60)
    ]
    lines += [fix(n + 0.5, "b", n * 3, 90.0 if n % 7 == 0 else 60.0) for n in range(60)]
    lines += [payment(n + 0.2, "b", 60.0) for n in (6, 20, 21)]
    return sorted(lines)


def append(folder: Path, lines: Sequence[Line], complete: float) -> None:
    """More records, and the word of both feeds that they are complete up to a minute."""
    beat = json.dumps({"$watermark": T0 + round(complete * MIN)}).encode()
    for feed in ("gps", "paid"):
        with (folder / f"{feed}.jsonl").open("ab") as file:
            for value in [*(value for _, of, value in lines if of == feed), beat]:
                file.write(value + b"\n")


def run(folder: Path, data: str, complete: float) -> None:
    """Run the daemon on a data folder until it is complete up to a minute, then stop it."""
    asyncio.run(_run(folder, data, T0 + round(complete * MIN)))


async def _run(folder: Path, data: str, until_ms: int) -> None:
    configured = read_settings(folder, {}, {"data_folder": str(folder / data)})
    project = find(configured.packs).usable()
    started: asyncio.Future[Ports] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_async(configured, project, started=started.set_result))
    waiting: set[asyncio.Future[Any]] = {task, started}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    async with asyncio.timeout(30):
        done = False
        while not (done or task.done()):
            await asyncio.sleep(0.05)
            done = rows(folder / data, "SELECT min(watermark_ms) FROM meta") >= [(until_ms,)]
    if not task.done():
        os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(task, 20) == 0


def rows(data: Path, words: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data / "forewarn.db")) as link:
        found = link.execute(words).fetchall()
    return [(-1,)] if found == [(None,)] else found


def halves(folder: Path) -> None:
    """Half of the day in `data`, moved to `moved`, the rest there; the whole day in `calm`."""
    lines = drive()
    cut = len(lines) // 2
    minute = (lines[cut][0] - T0) / MIN
    append(folder, lines[:cut], minute - 3)
    run(folder, "data", minute - 3)
    assert main(["state", "export", ".", "--out", "half.gz"]) == 0
    assert main(["state", "import", "half.gz", ".", "--data", "moved"]) == 0


def finish(folder: Path) -> None:
    append(folder, drive()[len(drive()) // 2 :], 70)
    run(folder, "moved", 70)
    run(folder, "calm", 70)


@pytest.mark.usefixtures("project")
def test_a_moved_folder_goes_on_as_if_it_had_never_been_moved(project: Path, capsys) -> None:
    halves(project)
    said = capsys.readouterr().out
    assert " 0 of them records that wait" not in said
    assert main(["state", "diff", ".", "half.gz"]) == 0, "what waits is no state yet"
    assert "the same" in capsys.readouterr().out
    finish(project)

    assert main(["state", "export", ".", "--data", "moved", "-o", "moved.gz"]) == 0
    assert main(["state", "export", ".", "--data", "calm", "-o", "calm.gz"]) == 0
    capsys.readouterr()
    assert main(["state", "diff", "moved.gz", "calm.gz"]) == 0, capsys.readouterr().out
    bodies = "SELECT delivery_id, body FROM changes ORDER BY 1"
    both = sorted([*rows(project / "data", bodies), *rows(project / "moved", bodies)])
    assert both == rows(project / "calm", bodies)
    assert len(both) >= 5


def test_two_states_that_differ_are_named_row_by_row(project: Path, capsys) -> None:
    halves(project)
    append(project, drive()[len(drive()) // 2 :], 70)
    run(project, "moved", 70)
    assert main(["state", "export", ".", "--data", "moved", "-o", "later.gz"]) == 0
    capsys.readouterr()
    assert main(["state", "diff", "half.gz", "later.gz", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["equal"]
    assert ("stays", "a", "left") in {(d["rule"], d["key"], d["how"]) for d in said["differences"]}
    assert main(["state", "diff", "half.gz", "later.gz", "--rule", "stays"]) == 1
    assert "only in the first" in capsys.readouterr().out


def test_what_is_remembered_can_be_read(project: Path, capsys) -> None:
    halves(project)
    capsys.readouterr()
    assert main(["state", "inspect", "."]) == 0
    said = capsys.readouterr().out
    assert "car: 1 partitions, complete up to 2026-03-02 09:" in said
    assert "stays" in said
    assert main(["state", "inspect", "half.gz", "--json"]) == 0
    (space,) = json.loads(capsys.readouterr().out)["spaces"]
    stays = next(rule for rule in space["rules"] if rule["rule"] == "stays")
    assert (stays["keys"], stays["biggest"][0]["key"]) == (1, "a")
    assert stays["oldest"].startswith("2026-03-02 09:05")
    assert main(["state", "inspect", ".", "--rule", "stays", "--key", "a"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert one["state"]["begin"] == "2026-03-02 09:05:00+08:00"
    assert one["episodes"][0]["phase"] == "firing"
    assert main(["state", "inspect", ".", "--rule", "stays", "--key", "nobody"]) == 1


def test_a_file_that_is_damaged_or_cut_is_refused_and_nothing_is_changed(
    project: Path, capsys
) -> None:
    halves(project)
    whole = (project / "half.gz").read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    wrong = {
        "cut": whole[: len(whole) // 2],
        "no-end": gzip.compress(b"".join(lines[:-1])),
        "changed": gzip.compress(b"".join(lines).replace(b'"stays","a"', b'"stays","z"')),
        "other": b"something else",
        "later": gzip.compress(
            b"".join(lines).replace(b'"forewarn-state":1', b'"forewarn-state":9')
        ),
    }
    before = rows(project / "moved", "SELECT * FROM state")
    capsys.readouterr()
    for name, raw in wrong.items():
        (project / f"{name}.gz").write_bytes(raw)
        code = main(["state", "import", f"{name}.gz", ".", "--data", "moved", "--replace"])
        assert code in (4, 5), name
        assert name == "other" or code == 5
    assert rows(project / "moved", "SELECT * FROM state") == before
    assert main(["state", "import", "half.gz", ".", "--data", "moved"]) == 4
    assert "--replace" in capsys.readouterr().err
    assert main(["state", "import", "half.gz", ".", "--data", "moved", "--replace"]) == 0


def test_an_import_that_fails_in_the_middle_leaves_the_old_state(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves(project)
    before = rows(project / "data", "SELECT * FROM state")

    def breaks(row: Any, complete_ms: int, watermark: int) -> Any:
        if row.key == "b":
            raise MemoryError
        return moved(row, complete_ms, watermark)

    monkeypatch.setattr("engine.edge.state_tools.folder_in.moved", breaks)
    assert main(["state", "import", "half.gz", ".", "--replace"]) == 70
    assert rows(project / "data", "SELECT * FROM state") == before
    assert rows(project / "data", "SELECT count(*) FROM meta") == [(1,)]


def test_a_plan_says_what_an_edit_does_before_it_is_started(project: Path, capsys) -> None:
    halves(project)
    rule = project / "rules/small/stays.yaml"
    text = rule.read_text("utf-8")
    rule.write_text(text.replace("at_least: 10m", "at_least: 12m"), "utf-8")
    capsys.readouterr()
    assert main(["state", "plan", "."]) == 5
    said = capsys.readouterr().out
    assert "REFUSED" in said
    old = said.split("on_change: {from: ")[1].split(",")[0]
    for do, happens in (("keep", "kept as it is"), ("migrate", "timers"), ("reset", "forgotten")):
        word = f"on_change: {{from: {old}, do: {do}}}\n"
        rule.write_text(text.replace("at_least: 10m", "at_least: 12m") + word, "utf-8")
        assert main(["state", "plan", "."]) == 0
        assert happens in capsys.readouterr().out
    assert main(["state", "plan", ".", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert main(["state", "plan", "half.gz", "--rules", "rules"]) == 0
    assert [(one["rule"], one["does"]) for one in plan if one["does"] != "fits"] == [
        ("stays", "reset")
    ]


def test_a_plan_tries_whether_the_rows_can_be_taken_up(project: Path, capsys) -> None:
    """The word alone is not enough: what another operator wrote cannot be migrated."""
    halves(project)
    rule = project / "rules/small/stays.yaml"
    text = rule.read_text("utf-8")
    capsys.readouterr()
    head, rest = text.split("when:\n")
    other = "when:\n  match: {condition: speed < 5 km/h, quiet: 5m}\n"
    tail = "levels" + rest.split("levels")[1]
    rule.write_text(head + other + tail, "utf-8")
    assert main(["state", "plan", "."]) == 5
    old = capsys.readouterr().out.split("on_change: {from: ")[1].split(",")[0]
    rule.write_text(head + other + tail + f"on_change: {{from: {old}, do: migrate}}\n", "utf-8")
    assert main(["state", "plan", "."]) == 5
    assert "another operator wrote it" in capsys.readouterr().out
    assert main(["state", "plan", ".", "--lang", "zh"]) == 5
    assert "该状态由其他算子写入" in capsys.readouterr().out


def test_words_that_make_no_sense_are_refused(project: Path, capsys) -> None:
    del project
    for words in (
        ["explode"],
        ["export"],
        ["diff", "a"],
        ["import"],
        ["adopt", "."],
        ["inspect", "--key", "a"],
    ):
        assert main(["state", *words]) == 64, words
    assert main(["state", "inspect", "."]) == 4
    assert "no saved state" in capsys.readouterr().err
