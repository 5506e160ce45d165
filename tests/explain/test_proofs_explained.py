"""Why a matter was not proved over: which condition, by how much, and what was seen instead.

`GOLDEN=write` writes the expected files anew; read them before they are committed.
"""

import json
import os
from functools import cache
from pathlib import Path

import pytest

from engine.edge.cli.entry import main
from engine.edge.cli.exits import Exit
from engine.edge.files import read_project
from engine.explain.case import funnel_of
from engine.explain.funnel import Proof
from engine.explain.words import as_text
from engine.ruleset.compile import compile_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project
from engine.ruletest.cases import Case, read_cases
from engine.ruletest.run import run_case
from engine.ruletest.wire import letters
from engine.text import LANGUAGES

HERE = Path(__file__).parent
RULE, KEY = "lorry-stands", "U1"
SETTINGS = """
packs: [{pack}]
data_folder: state
sources:
  gps: {{kind: file, feed: gps, path: gps.jsonl}}
sinks:
  out: {{kind: jsonl, path: alerts.jsonl}}
metrics: {{port: -1}}
"""


@cache
def project() -> Project:
    loaded = load_project(read_project([HERE / "proved"]), LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    return loaded.project


@cache
def cases() -> list[Case]:
    (document,) = project().tests.values()
    found, problems = read_cases(document, project())
    assert problems == []
    return found


def shown(case: Case, lang: str) -> str:
    """What is said of the proofs, without the way to the alert."""
    told = [(one.feed, one.value) for one in letters(case.given, project(), case.moments)]
    funnel = funnel_of(compile_project(project()), RULE, KEY, told, case.until_ms)
    text = as_text(funnel, lang)
    head = {"en": "\nproof that", "zh": "\n核验消除条件"}[lang]
    start = text.find(head)
    return "" if start < 0 else text[start + 1 :].partition("\n\n")[0]


def proofs(words: str) -> list[Proof]:
    (case,) = [case for case in cases() if words in case.name]
    told = [(one.feed, one.value) for one in letters(case.given, project(), case.moments)]
    return funnel_of(compile_project(project()), RULE, KEY, told, case.until_ms).proofs


@pytest.mark.parametrize("case", cases(), ids=lambda one: one.name)
def test_every_case_ends_as_it_says(case: Case) -> None:
    result = run_case(case, project())
    assert result.passed, [miss.sentence(case.moments, "en") for miss in result.verdict.failures]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_people_read(lang: str) -> None:
    texts = "".join(f"# {case.name}\n{shown(case, lang)}\n\n" for case in cases())
    expected = HERE / "golden" / f"proof.{lang}.txt"
    if os.environ.get("GOLDEN") == "write":
        expected.write_text(texts, "utf-8")
    assert texts == expected.read_text("utf-8")


def test_what_was_proved_over_needs_no_explanation() -> None:
    assert proofs("stayed there") == []


def test_what_is_missing_is_told_in_figures() -> None:
    (proof,) = proofs("came back")
    steps = {step.name: step for step in proof.steps}
    assert steps["proof-holds"].met is False
    assert (steps["proof-broken"].have, steps["proof-broken"].need) == (7 * 60_000, 10 * 60_000)
    assert [part.value for part in proof.broke] == [False, True]


def test_of_whom_nothing_was_heard_after_the_alert_it_says_so() -> None:
    (proof,) = proofs("never heard of")
    assert [step.name for step in proof.steps if step.met is False] == [
        "proof-ended", "proof-unasked", "proof-holds", "proof-held"
    ]  # fmt: skip


def test_a_record_of_which_it_cannot_be_asked_breaks_nothing_off() -> None:
    (proof,) = proofs("nothing about its speed")
    steps = {step.name: step for step in proof.steps}
    assert steps["proof-asked"].found == {"yes": 4, "no": 4, "unknown": 2}
    assert "proof-broken" not in steps
    assert steps["proof-holds"].met


def test_a_proof_that_is_not_waited_for_any_more_says_what_it_lacked() -> None:
    (proof,) = proofs("never went")
    assert proof.given_up
    assert proof.steps[-1].name == "proof-given-up"
    assert proof.last[0].value is False


@pytest.mark.parametrize(
    ("words", "alert_says", "key_says"),
    [
        (
            "came back",
            "✗ the condition does not hold\n  · it had held for 7 min when it broke off",
            "it had held for 7 min of 10 min when it broke off at 2026-03-02 09:32, 3 min short",
        ),
        (
            "so far for six minutes",
            "✓ the condition holds since 2026-03-02 09:25",
            "it has held for 7 min of 10 min, 3 min short",
        ),
    ],
)
def test_a_folder_says_what_the_proof_of_an_alert_waits_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: str, alert_says: str, key_says: str
) -> None:
    alert = daemon(tmp_path, words)
    capfd.readouterr()
    assert main(["explain", alert, "--folder", str(tmp_path)]) == Exit.FINE
    said = capfd.readouterr().out
    assert alert_says in said
    assert f"forewarn explain {RULE} --key {KEY} --folder {tmp_path}" in said
    assert main(["explain", RULE, "--key", KEY, "--folder", str(tmp_path)]) == Exit.FINE
    assert key_says in capfd.readouterr().out


@pytest.mark.parametrize(
    ("lang", "says"), [("en", "was never proved over"), ("zh", "始终未获核验消除")]
)
def test_a_folder_keeps_why_a_proof_never_came(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], lang: str, says: str
) -> None:
    alert = daemon(tmp_path, "came back", days=2)
    capfd.readouterr()
    assert main(["explain", alert, "--folder", str(tmp_path), "--lang", lang]) == Exit.FINE
    assert f"{alert} {says}" in capfd.readouterr().out


def daemon(folder: Path, words: str, days: int = 0) -> str:
    """The folder of a daemon that has worked on a case; another lorry is heard of days later."""
    (case,) = [case for case in cases() if words in case.name]
    values = [one.value for one in letters(case.given, project(), case.moments)]
    if days:
        last = json.loads(values[-1])
        last |= {"unit": "U2", "at": last["at"].replace("03-02", f"03-0{2 + days}")}
        values.append(json.dumps(last).encode())
    (folder / "gps.jsonl").write_bytes(b"\n".join(values) + b"\n")
    (folder / "forewarn.yaml").write_text(SETTINGS.format(pack=HERE / "proved"), "utf-8")
    assert main(["run", str(folder), "--once"]) == Exit.FINE
    (told,) = {
        json.loads(line)["episode_id"]
        for line in (folder / "state" / "alerts.jsonl").read_text("utf-8").splitlines()
    }
    return str(told)
