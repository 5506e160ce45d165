"""`forewarn explain` as people use it: over recordings, in a daemon's folder, about an alert."""

import json
import shutil
from pathlib import Path

import pytest
from explained import PACK, case_named, told

from engine.edge.cli.entry import main
from engine.edge.cli.exits import Exit

SETTINGS = """
packs: [{pack}]
data_folder: state
sources:
  gps: {{kind: file, feed: gps, path: gps.jsonl}}
sinks:
  out: {{kind: jsonl, path: alerts.jsonl}}
metrics: {{port: -1}}
"""
KEY = "U1"
T0 = 1_772_413_200_000  # 2026-03-02 09:00 in Shanghai
TESTS = "_test.yaml"
AGAIN = """
rule: again
title: {zh: 规则之上, en: Above a rule}
owner: tests
severity: yellow
from: alerts
by: key
where: rule == 'dwell'
when: {match: transition == 'fired'}
clear: transition == 'cleared'
"""


def record(folder: Path, words: str) -> Path:
    """A recording of a case of `dwell`."""
    file = folder / "gps.jsonl"
    file.write_bytes(b"\n".join(value for _, value in told(case_named("dwell", words))) + b"\n")
    return file


@pytest.fixture
def daemon(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """The folder of a daemon that has worked on a stay of 25 minutes."""
    record(tmp_path, "stays 25 minutes")
    (tmp_path / "forewarn.yaml").write_text(SETTINGS.format(pack=PACK), "utf-8")
    assert main(["run", str(tmp_path), "--once"]) == Exit.FINE
    capfd.readouterr()
    return tmp_path


def explain(*words: str) -> int:
    return main(["explain", *words])


def test_a_recording_tells_how_far_a_key_came(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = str(record(tmp_path, "17 minutes"))
    words = ["dwell", "--key", KEY, "--data", data, "--rules", str(PACK)]
    assert explain(*words, "--at", "2026-03-02 09:12") == Exit.FINE
    assert "it does not fire now: stayed 12 min of 20 min, 8 min short" in capfd.readouterr().out
    assert explain(*words, "--lang", "zh") == Exit.FINE
    assert "停留中断：自 2026-03-02 09:17 起离开 1 分钟，容许 1 分钟" in capfd.readouterr().out


def test_a_heartbeat_of_later_lets_no_time_pass_that_was_not_asked_about(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = record(tmp_path, "25 minutes")
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f'{{"$watermark": {T0 + 3 * 3_600_000}}}\n')
    words = ["dwell", "--key", KEY, "--data", str(file), "--rules", str(PACK)]
    assert explain(*words, "--at", "2026-03-02 09:24") == Exit.FINE
    assert "it has fired and is still open" in capfd.readouterr().out
    assert explain(*words) == Exit.FINE
    assert "12:00" not in capfd.readouterr().out.partition("\n\n")[0]


def test_the_instant_holds_for_every_feed_below_a_rule_over_alerts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(PACK, rules, ignore=lambda _, names: [n for n in names if n.endswith(TESTS)])
    (rules / "again.yaml").write_text(AGAIN, "utf-8")
    data = str(record(tmp_path, "25 minutes"))
    words = ["again", "--key", KEY, "--data", f"gps={data}", "--rules", str(rules)]
    assert explain(*words, "--at", "2026-03-02 09:19", "--lang", "en") == Exit.FAILED
    assert "it has fired" not in capfd.readouterr().out
    assert explain(*words, "--at", "2026-03-02 09:21", "--lang", "en") == Exit.FINE
    assert "it has fired and is still open" in capfd.readouterr().out


@pytest.mark.parametrize("form", [["--json"], ["--format", "json"]])
def test_programs_get_the_same_as_json(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], form: list[str]
) -> None:
    data = str(record(tmp_path, "17 minutes"))
    assert explain("dwell", "--key", KEY, "--data", data, "--rules", str(PACK), *form) == Exit.FINE
    said = json.loads(capfd.readouterr().out)
    assert said["stops_at"] == "dwell-held"
    assert said["intakes"][0]["records"] == 45
    held = next(
        one for one in said["misses"][0]["progress"]["steps"] if one["name"] == "dwell-held"
    )
    assert (held["have"], held["need"]) == (1_020_000, 1_200_000)


def test_an_unknown_rule_is_named_with_its_nearest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = str(record(tmp_path, "17 minutes"))
    assert explain("dwel", "--key", KEY, "--data", data, "--rules", str(PACK)) == Exit.USAGE
    assert "no rule is called 'dwel'. did you mean 'dwell'?" in capfd.readouterr().err


def test_an_unknown_key_is_named_with_its_nearest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = str(record(tmp_path, "17 minutes"))
    assert explain("dwell", "--key", "U11", "--data", data, "--rules", str(PACK)) == Exit.FAILED
    said = capfd.readouterr()
    assert "no record of gps is about this key; there are 45 about others" in said.out
    assert "nothing is known of a key 'U11'. did you mean 'U1'?" in said.err


def test_a_folder_tells_what_its_daemon_knows(
    daemon: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert explain("dwell", "--key", KEY, "--folder", str(daemon)) == Exit.FINE
    said = capfd.readouterr().out
    assert "it has fired and is still open" in said
    assert "stayed 20 min of 20 min" in said
    assert explain("dwell", "--key", "U11", "--folder", str(daemon)) == Exit.FAILED
    assert "did you mean 'U1'?" in capfd.readouterr().err


def test_an_export_tells_the_same_as_the_folder(
    daemon: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = daemon / "state.export"
    assert main(["state", "export", str(daemon), "--out", str(out)]) == Exit.FINE
    capfd.readouterr()
    words = ["dwell", "--key", KEY, "--rules", str(PACK), "--json", "--folder"]
    assert explain(*words, str(out)) == Exit.FINE
    exported = json.loads(capfd.readouterr().out)
    assert explain(*words, str(daemon)) == Exit.FINE
    stored = json.loads(capfd.readouterr().out)
    assert exported["tries"] == stored["tries"]
    assert exported["at_ms"] == stored["at_ms"]


def test_state_on_kafka_is_exported_first(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = SETTINGS.format(pack=PACK) + "broker: kafka://127.0.0.1:1\n"
    (tmp_path / "forewarn.yaml").write_text(settings, "utf-8")
    assert explain("dwell", "--key", KEY, "--folder", str(tmp_path)) == Exit.ENVIRONMENT
    assert "forewarn state export" in capfd.readouterr().err


def test_an_alert_is_explained_from_what_was_stored_with_it(
    daemon: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    alert = json.loads((daemon / "state" / "alerts.jsonl").read_text("utf-8").splitlines()[0])
    for name in (alert["episode_id"], alert["delivery_id"]):
        assert explain(name, "--folder", str(daemon)) == Exit.FINE
        from_folder = capfd.readouterr().out
        assert explain(name, "--data", str(daemon / "state" / "alerts.jsonl")) == Exit.FINE
        assert capfd.readouterr().out == from_folder
    assert "stayed 20 min of 20 min" in from_folder
    assert 'exception does not apply: inside(anchor, "yards")' in from_folder


def test_an_unknown_alert_is_named_with_its_nearest(
    daemon: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    alert = json.loads((daemon / "state" / "alerts.jsonl").read_text("utf-8").splitlines()[0])
    wrong = alert["episode_id"][:20] + "0000"
    assert explain(wrong, "--folder", str(daemon)) == Exit.USAGE
    assert alert["episode_id"] in capfd.readouterr().err
    assert explain("dwell", "--folder", str(daemon)) == Exit.USAGE
    assert "--key KEY" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["dwell", "--key", KEY, "--folder", "{here}"], Exit.ENVIRONMENT),
        (["dwell", "--key", KEY, "--folder", "{here}", "--at", "09:00"], Exit.USAGE),
        (["dwell", "--key", KEY, "--folder", "{here}", "--data", "x"], Exit.USAGE),
        (["0" * 24, "--data", "{here}/none.jsonl"], Exit.ENVIRONMENT),
        (["0" * 24, "--data", "{here}/no-alerts.jsonl"], Exit.ENVIRONMENT),
        (["dwell", "--key", KEY, "--format", "xml"], Exit.USAGE),
    ],
)
def test_what_makes_no_sense_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], code: Exit
) -> None:
    (tmp_path / "forewarn.yaml").write_text(SETTINGS.format(pack=PACK), "utf-8")
    (tmp_path / "no-alerts.jsonl").write_text("{" + "0" * 24 + "\n", "utf-8")
    assert explain(*[word.replace("{here}", str(tmp_path)) for word in words]) == code
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err
    assert "Traceback" not in said.err
