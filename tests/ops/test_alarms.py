"""Alarms and the dashboard speak of figures that exist; every alarm has its page, and its cases."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.edge.kafka_metrics import KafkaMetrics
from engine.edge.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS, RUNBOOK = ROOT / "deploy/prometheus", ROOT / "docs/runbook"
BOARD = ROOT / "deploy/grafana/dashboards/forewarn.json"
_NAME = re.compile(r"\b(forewarn_[a-z0-9_]+)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_TARGET_LABELS = {"instance", "job", "role", "le"}
_HEADINGS = ["What it means", "What to look at", "What to do", "How to know that it is over"]


def exposed() -> dict[str, set[str]]:
    """Every name that a scrape can bring, with its labels."""
    metrics = Metrics()
    KafkaMetrics(metrics)
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    found: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        for suffix in suffixes.get(family.type, [""]):
            found[family.name + suffix] = set(metrics.labels.get(family.name, ()))
    return found


def alarms() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROMETHEUS / "forewarn.rules.yaml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """All of the dashboard's."""
    board = json.loads(BOARD.read_text("utf-8"))
    return [one["expr"] for panel in board["panels"] for one in panel.get("targets", [])]


def page_of(alarm: dict[str, Any]) -> Path:
    return ROOT / str(alarm["annotations"]["runbook"])


@pytest.mark.parametrize("text", [rule["expr"] for rule in alarms()] + expressions())
def test_an_expression_names_only_figures_and_labels_that_exist(text: str) -> None:
    known = exposed()
    names = _NAME.findall(text)
    assert names or "up{" in text
    for name, matchers in names:
        assert name in known, f"no such figure: {name}"
        for label, _ in _MATCHER.findall(matchers):
            assert label in known[name] | _TARGET_LABELS, f"{name} has no label {label}"


def test_what_the_core_counts_is_what_the_expressions_ask_for():
    """`forewarn_core_total{what=...}` takes its values from the core's own words."""
    core = "".join(path.read_text("utf-8") for path in (ROOT / "engine").glob("*.py"))
    counted = set(re.findall(r'_count\(\s*"(\w+)"', core))
    for text in [rule["expr"] for rule in alarms()] + expressions():
        for name, matchers in _NAME.findall(text):
            if name == "forewarn_core_total":
                wanted = dict(_MATCHER.findall(matchers))["what"].split("|")
                assert set(wanted) <= counted, (wanted, counted)


def test_every_trouble_and_result_that_an_alarm_waits_for_is_told_somewhere():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "engine").rglob("*.py"))
    for rule in alarms():
        for _, matchers in _NAME.findall(rule["expr"]):
            for label, value in _MATCHER.findall(matchers):
                if label in ("kind", "result", "transition", "reason"):
                    assert all(f'"{one}"' in code for one in value.split("|")), value


def families(names: Iterable[str]) -> set[str]:
    """Names without what a histogram adds to them."""
    return {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in names}


def test_every_figure_of_ours_and_of_an_alarm_is_on_the_dashboard():
    shown = families(name for text in expressions() for name, _ in _NAME.findall(text))
    asked = families(name for rule in alarms() for name, _ in _NAME.findall(rule["expr"]))
    ours = {name for name in families(exposed()) if not name.startswith("forewarn_process_virtual")}
    assert asked <= shown
    assert ours <= shown


@pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: alarm["alert"])
def test_an_alarm_says_what_is_wrong_in_two_languages_and_names_its_page(alarm):
    words = alarm["annotations"]
    assert set(words) == {"summary", "summary_zh", "runbook"}
    assert re.search(r"[一-鿿]", words["summary_zh"])
    assert not re.search(r"[一-鿿]", words["summary"])
    assert alarm["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    page = page_of(alarm).read_text("utf-8")
    assert page.startswith(f"# {alarm['alert']}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == _HEADINGS
    for text in page.split("\n## ")[1:]:
        assert len(text.split("\n", 1)[1].strip()) > 20


def test_every_page_belongs_to_an_alarm_and_the_index_names_all():
    pages = {path.name for path in RUNBOOK.glob("*.md")} - {"README.md"}
    assert pages == {page_of(alarm).name for alarm in alarms()}
    index = (RUNBOOK / "README.md").read_text("utf-8")
    assert pages == set(re.findall(r"\]\(([a-z-]+\.md)\)", index))


def test_every_alarm_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    document = yaml.safe_load((PROMETHEUS / "forewarn.rules.test.yaml").read_text("utf-8"))
    found: dict[str, set[int]] = {}
    for case in document["tests"]:
        for asked in case["promql_expr_test"]:
            name = re.search(r'alertname="(\w+)"', asked["expr"])
            assert name is not None
            found.setdefault(name[1], set()).update(one["value"] for one in asked["exp_samples"])
    assert found == {alarm["alert"]: {0, 1} for alarm in alarms()}


def promtool(*words: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing (Debian: apt-get install prometheus)")
    return subprocess.run(
        ["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )


def test_prometheus_takes_the_rules_and_its_own_configuration():
    done = promtool("check", "rules", "--lint-fatal", "forewarn.rules.yaml")
    assert done.returncode == 0, done.stderr
    done = promtool("check", "config", "prometheus.yaml")
    assert done.returncode == 0, done.stderr


def test_every_alarm_fires_and_stays_silent_as_its_cases_say():
    done = promtool("test", "rules", "forewarn.rules.test.yaml")
    assert done.returncode == 0, done.stderr


def test_a_wrong_case_would_be_noticed(tmp_path):
    for name in ("forewarn.rules.yaml", "forewarn.rules.test.yaml"):
        shutil.copy(PROMETHEUS / name, tmp_path)
    cases = tmp_path / "forewarn.rules.test.yaml"
    cases.write_text(cases.read_text("utf-8").replace("value: 1", "value: 0", 1), "utf-8")
    assert promtool("test", "rules", str(cases)).returncode != 0


def test_prometheus_takes_what_a_daemon_exposes():
    text = Metrics().text().decode()
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing (Debian: apt-get install prometheus)")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_figure_of_ours_is_explained_on_the_operations_page():
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    ours = {name for name in families(exposed()) if "forewarn_process" not in name}
    assert {name for name in ours if f"`{name}" not in page} == set()
