"""A backtest counts what a replay writes, and tells what an edit of the rules changes."""

import gzip
import json
import os
import shutil
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import van_days

from engine.edge.cli import main
from engine.text import LANGUAGES

HERE = Path(__file__).parent
PACK = HERE / "pack"
GOLDEN = HERE / "golden"
CHINA = timezone(timedelta(hours=8))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return van_days.write(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_LANG", "en")


def edited(folder: Path, **edits: tuple[str, str]) -> Path:
    """The pack with words of some rules replaced: `van_stays=("30m", "40m")`."""
    shutil.copytree(PACK, folder / "rules")
    for name, (before, after) in edits.items():
        path = folder / f"rules/vans/{name.replace('_', '-')}.yaml"
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after), "utf-8")
    return folder / "rules"


def told(capsys, *words: str) -> Any:
    """The JSON answer of a backtest."""
    capsys.readouterr()
    assert main(["backtest", *words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_person_reads(data, tmp_path, capsys, monkeypatch, lang):
    old = edited(tmp_path / "old", van_stays=("at_least: 30m", "at_least: 40m"))
    monkeypatch.chdir(tmp_path)
    words = ["backtest", str(PACK), str(data), "--against", old.relative_to(tmp_path).as_posix()]
    assert main([*words, "--lang", lang]) == 0
    said = capsys.readouterr()
    golden(f"text.{lang}.txt", said.out)
    assert said.err == ""


def test_what_a_program_reads(data, tmp_path, capsys, monkeypatch):
    old = edited(tmp_path / "old", van_speeds=("80 km/h", "120 km/h"))
    monkeypatch.chdir(tmp_path)
    found = told(capsys, str(PACK), str(data), "--against", old.relative_to(tmp_path).as_posix())
    golden("report.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def changes(data: Path, folder: Path) -> list[dict[str, Any]]:
    """What `replay` writes."""
    out = folder / "changes.jsonl"
    assert main(["replay", str(data), "--rules", str(PACK), "--out", str(out)]) == 0
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_the_counts_are_those_of_what_a_replay_writes(data, tmp_path, capsys):
    written = changes(data, tmp_path)
    found = told(capsys, str(PACK), str(data))
    fired = [one for one in written if one["transition"] == "fired"]
    assert len(fired) >= 10
    assert found["alerts"] == len(fired)
    days: Counter[tuple[str, str]] = Counter()
    hours: Counter[tuple[str, str]] = Counter()
    for one in fired:
        at = datetime.fromtimestamp(one["at_ms"] / 1000, CHINA)
        days[one["rule"], at.date().isoformat()] += 1
        hours[one["rule"], str(at.hour)] += 1
    for name, counts in (("days", days), ("hours", hours)):
        assert counts == {
            (rule, at): count
            for rule, one in found["rules"].items()
            for at, count in one[name].items()
        }
    worst: dict[str, str] = {}
    for one in written:
        if one["transition"] in {"fired", "raised"}:
            worst[one["episode_id"]] = one["severity"]
    levels = Counter((one["rule"], worst[one["episode_id"]]) for one in fired)
    assert levels == {
        (rule, level): count
        for rule, one in found["rules"].items()
        for level, count in one["severities"].items()
    }
    keys = Counter((one["rule"], one["key"]) for one in fired)
    for rule, one in found["rules"].items():
        assert one["keys"] == len({key for name, key in keys if name == rule})
        assert all(keys[rule, top["key"]] == top["alerts"] for top in one["top"])
    cleared = {one["episode_id"]: one["at_ms"] for one in written if one["transition"] == "cleared"}
    begun = {one["episode_id"]: one for one in fired}
    for rule, one in found["rules"].items():
        lasted = sorted(
            at - begun[id_]["at_ms"] for id_, at in cleared.items() if begun[id_]["rule"] == rule
        )
        if lasted:
            assert [each["lasted_ms"] for each in one["shortest"]] == lasted[:5]
            assert [each["lasted_ms"] for each in one["longest"]] == lasted[:-6:-1]
    assert found["rejected"] == {"van-fixes/bad-time": van_days.BAD}


def test_the_days_of_the_vans_are_told_as_they_were_written(data, capsys):
    """Against the script itself: what stands half an hour or drives fast."""
    found = told(capsys, str(PACK), str(data))["rules"]
    stays = [long for some in van_days.STAYS.values() for _, long in some]
    assert found["van-stays"]["fired"] == sum(long > 30 for long in stays)
    assert found["van-stays"]["severities"]["orange"] == sum(long > 120 for long in stays)
    assert found["van-speeds"]["fired"] == sum(len(some) for some in van_days.FAST.values())
    fast = sum(long for some in van_days.FAST.values() for _, long in some)
    assert found["van-speeds"]["wanted"] == found["van-flies"]["wanted"] >= fast


def test_a_rule_that_never_fired_tells_how_near_it_came(data, capsys):
    found = told(capsys, str(PACK), str(data))
    assert found["never_fired"] == ["van-flies"]
    near = found["rules"]["van-flies"]["nearest"]
    assert near["key"] == "van-3"
    assert 0 < near["share"] < 1
    held = [step for step in near["steps"] if step.get("unit") == "ms"]
    assert [(step["have"], step["need"]) for step in held] == [(409 * 60_000, 480 * 60_000)]


def test_an_easier_rule_gains_a_harder_one_loses_and_both_move(data, tmp_path, capsys):
    harder = edited(tmp_path / "old", van_stays=("at_least: 30m", "at_least: 45m"))
    found = told(capsys, str(PACK), str(data), "--against", str(harder))["against"]
    stays = [long for some in van_days.STAYS.values() for _, long in some]
    gained = sum(30 < long <= 45 for long in stays)
    kept = sum(long > 45 for long in stays)
    assert gained >= 2
    assert kept >= 2
    counts = found["rules"]["van-stays"]["counts"]
    assert counts == {"same": 0, "moved": kept, "changed": 0, "gained": gained, "lost": 0}
    assert found["counts"]["same"] == 4
    for pair in found["differ"]:
        if pair["fate"] == "moved":
            assert pair["old"]["fired_ms"] - pair["new"]["fired_ms"] == 15 * 60_000
            assert "fired" in pair["what"]
    assert [(one["sign"], "at_least: 45m" in one["text"]) for one in
            found["rules"]["van-stays"]["lines"]] == [("-", True), ("+", False)]  # fmt: skip
    turned = told(capsys, str(harder), str(data), "--against", str(PACK))["against"]
    assert turned["rules"]["van-stays"]["counts"] == {
        "same": 0, "moved": kept, "changed": 0, "gained": 0, "lost": gained,
    }  # fmt: skip


def test_other_words_and_levels_are_changes(data, tmp_path, capsys):
    old = edited(
        tmp_path / "old",
        van_stays=("orange: {at_least: 2h}", "red: {at_least: 2h}"),
        van_speeds=("drives at", "went at"),
    )
    found = told(capsys, str(PACK), str(data), "--against", str(old))["against"]
    assert found["rules"]["van-stays"]["counts"]["changed"] == 2
    assert found["rules"]["van-speeds"]["counts"]["changed"] == 4
    whats = {tuple(pair["what"]) for pair in found["differ"]}
    assert whats == {("severity",), ("text",)}


def test_rules_that_come_and_go(data, tmp_path, capsys):
    old = edited(tmp_path / "old")
    (old / "vans/van-speeds.yaml").unlink()
    capsys.readouterr()
    assert main(["backtest", str(PACK), str(data), "--against", str(old)]) == 0
    assert "the rule is new" in capsys.readouterr().out
    assert main(["backtest", str(old), str(data), "--against", str(PACK)]) == 0
    said = capsys.readouterr().out
    assert "the rule is gone" in said
    assert "gained 0, lost 4, moved 0, changed 0, same 7" in said


def test_an_edit_elsewhere_is_named(data, tmp_path, capsys):
    old = edited(tmp_path / "old")
    feed = old / "vans/feeds/van-fixes.yaml"
    feed.write_text(feed.read_text("utf-8").replace("datum: wgs84", "datum: gcj02"), "utf-8")
    found = told(capsys, str(PACK), str(data), "--against", str(old))["against"]
    assert [one["sign"] for one in found["other_files"]["vans/feeds/van-fixes.yaml"]] == ["-", "+"]


def test_another_version_may_know_other_feeds(data, tmp_path, capsys):
    """Each version reads what it declares; a feed that only one knows is no error."""
    old = edited(tmp_path / "old")
    (old / "vans/feeds/van-fixes.yaml").rename(old / "vans/feeds/fixes-of-vans.yaml")
    for path in old.rglob("*.yaml"):
        path.write_text(path.read_text("utf-8").replace("van-fixes", "fixes-of-vans"), "utf-8")
    folder = tmp_path / "both"
    shutil.copytree(data, folder)
    shutil.copy(data / "van-fixes.jsonl", folder / "fixes-of-vans.jsonl")
    found = told(capsys, str(PACK), str(folder), "--against", str(old))["against"]
    assert found["counts"] == {"same": 11, "moved": 0, "changed": 0, "gained": 0, "lost": 0}
    without = told(capsys, str(PACK), str(data), "--against", str(old))["against"]
    assert without["counts"]["gained"] == 11


def test_the_same_rules_make_no_difference(data, tmp_path, capsys):
    old = edited(tmp_path / "other-name")
    assert main(["backtest", str(PACK), str(data), "--against", str(old)]) == 0
    said = capsys.readouterr().out
    assert "The same episodes, at the same times, with the same texts." in said
    assert "gained 0, lost 0, moved 0, changed 0, same 11" in said


def test_a_span_of_the_recording(data, capsys):
    """From --since on alerts are told; what came before is known to the rules all the same."""
    whole = told(capsys, str(PACK), str(data))
    late = told(capsys, str(PACK), str(data), "--since", "2026-03-02 12:10")
    early = told(capsys, str(PACK), str(data), "--until", "2026-03-02 12:10")
    assert late["alerts"] + early["alerts"] == whole["alerts"]
    assert 0 < early["alerts"] < whole["alerts"]
    assert early["last_ms"] <= early["until_ms"] == late["since_ms"]
    assert late["records"] == whole["records"]
    assert sum(one["ends"].get("open", 0) for one in early["rules"].values()) >= 1


def test_packed_recordings_and_named_feeds(data, tmp_path, capsys):
    packed = tmp_path / "some.jsonl.gz"
    packed.write_bytes(gzip.compress((data / "van-fixes.jsonl").read_bytes()))
    found = told(capsys, str(PACK), f"van-fixes={packed}")
    assert found == told(capsys, str(PACK), str(data))


BROKEN = {
    "no such rules": (["nowhere", "{data}"], 4, "nowhere does not exist"),
    "no such data": (["{pack}", "nowhere"], 4, "nowhere does not exist"),
    "no such other rules": (["{pack}", "{data}", "--against", "nowhere"], 4, "nowhere"),
    "an empty folder": (["{pack}", "{empty}"], 4, "holds no recording"),
    "an odd form": (["{pack}", "{data}", "--format", "xml"], 64, "--format is text or json"),
    "an odd time": (["{pack}", "{data}", "--since", "tomorrow"], 64, "'tomorrow' is no time"),
    "a span that ends before it begins": (
        ["{pack}", "{data}", "--since", "2026-03-04", "--until", "2026-03-03"],
        64,
        "is not after",
    ),
    "wrong rules": (["{wrong}", "{data}"], 2, "error R"),
    "wrong other rules": (["{pack}", "{data}", "--against", "{wrong}"], 2, "error R"),
    "a folder that cannot be written": (
        ["{pack}", "{data}", "--out", "{data}/van-fixes.jsonl/report.html"],
        4,
        "report.html",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input(data, tmp_path, capsys, name):
    words, code, sentence = BROKEN[name]
    wrong = edited(tmp_path / "wrong", van_stays=("severity: yellow", "severity: mauve"))
    (tmp_path / "empty").mkdir()
    places = {"pack": PACK, "data": data, "wrong": wrong, "empty": tmp_path / "empty"}
    assert main(["backtest", *(word.format(**places) for word in words)]) == code
    said = capsys.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
