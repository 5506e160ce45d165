"""How a project hangs together: a tree to read and two forms to draw, the same every time."""

import json
import os
import re
from functools import cache
from pathlib import Path

import pytest

from engine.edge.cli import main
from engine.edge.files import read_project
from engine.ruleset.compile import compile_project
from engine.ruleset.graph import Graph, Node, graph_of
from engine.ruleset.graph_text import as_json, dot, mermaid, tree
from engine.ruleset.load import load_project
from engine.ruleset.spec import Project, Status
from engine.text import LANGUAGES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FORMS = {"tree": [], "mermaid": ["--mermaid"], "dot": ["--dot"]}


def golden(name: str, text: str) -> None:
    """Hold a page against its golden file; `GOLDEN=write` writes it anew."""
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@cache
def shipped() -> tuple[Project, Graph]:
    project = load_project(read_project([ROOT / "rules"])).project
    assert project is not None
    return project, graph_of(compile_project(project), "en")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_a_graph_looks_so(form, lang, capsys, monkeypatch):
    monkeypatch.chdir(HERE)
    assert main(["graph", "authoring", *FORMS[form], "--lang", lang]) == 0
    golden(f"graph-{form}.{lang}", capsys.readouterr().out)


def test_every_running_rule_of_the_shipped_packs_is_reached_from_a_feed():
    project, graph = shipped()
    running = {name for name, rule in project.rules.items() if rule.status is not Status.RETIRED}
    assert {node.name for node in graph.nodes if node.kind == "rule"} == running
    lines = "\n".join(tree(graph, "en"))
    assert "nothing reaches" not in lines
    for name in running:
        assert re.search(rf"rule {name}( |$)", lines, re.MULTILINE), name


def test_every_feed_a_rule_reads_leads_to_it():
    project, graph = shipped()
    for name, rule in project.rules.items():
        here = Node("rule", name)
        spaces = set(graph.before(here, "records"))
        everywhere = set()
        for feed in rule.feeds:
            reached, waiting = set(), [Node("feed", feed)]
            while waiting:
                one = waiting.pop()
                if one not in reached:
                    reached.add(one)
                    waiting += graph.after(one, "records")
            assert feed == "alerts" or spaces & reached, (name, feed)
            everywhere |= reached
        assert "alerts" in rule.feeds or spaces <= everywhere, name


def test_a_table_that_only_an_operator_reads_is_joined_to_its_rule():
    _, graph = shipped()
    rule = Node("rule", "dike-patrol-missed")
    assert Node("table", "patrol-points") in graph.before(rule, "lookup")


def test_alerts_go_to_the_route_that_a_stable_rule_names_and_nowhere_else():
    project, graph = shipped()
    for name, rule in project.rules.items():
        routes = {n.name for n in graph.after(Node("rule", name), "alerts") if n.kind == "route"}
        wanted = {rule.dispatch} if rule.status is Status.STABLE and rule.dispatch else set()
        assert routes == wanted, name
    for name, route in project.routes.items():
        if Node("route", name) in graph.nodes:
            sinks = {node.name for node in graph.after(Node("route", name), "alerts")}
            assert sinks == set(route.sinks)


def test_the_same_project_gives_the_same_text_in_whatever_order_its_files_come():
    files = read_project([ROOT / "rules"])
    again = load_project(list(reversed(files))).project
    assert again is not None
    graph = graph_of(compile_project(again), "en")
    first = shipped()[1]
    for form in (tree, mermaid, dot):
        assert list(form(graph, "en")) == list(form(first, "en"))


def test_every_edge_joins_two_nodes_and_every_name_is_drawn_once():
    _, graph = shipped()
    said = as_json(graph)
    nodes, edges = said["nodes"], said["edges"]
    assert isinstance(nodes, list)
    assert isinstance(edges, list)
    ids = [node["id"] for node in nodes]
    assert len(ids) == len(set(ids)) > 50
    assert all(edge["from"] in ids and edge["to"] in ids for edge in edges)
    drawn = list(mermaid(graph, "en"))
    assert len(drawn) == 1 + len(nodes) + len(edges)
    assert len(list(dot(graph, "en"))) == 3 + len(nodes) + len(edges)


def test_quotes_in_a_title_do_not_break_a_drawing(tmp_path, capsys):
    (tmp_path / "feeds").mkdir()
    (tmp_path / "pack.yaml").write_text("pack: p\ntitle: P\nowner: o\nversion: 1.0.0\n")
    (tmp_path / "feeds/gps.yaml").write_text(
        "feed: gps\ntitle: 'a \"quoted\" feed'\nformat: json\nkey: van\n"
        "time: {field: at, format: iso8601}\nfields: {van: text, at: {type: time}}\n"
    )
    assert main(["graph", str(tmp_path), "--mermaid"]) == 0
    assert '"gps<br/>a #quot;quoted#quot; feed"' in capsys.readouterr().out
    assert main(["graph", str(tmp_path), "--dot"]) == 0
    assert r'label="gps\na \"quoted\" feed"' in capsys.readouterr().out


def test_a_rule_that_is_not_stable_says_so_and_a_retired_one_is_left_out(tmp_path, capsys):
    for file in (HERE / "authoring").rglob("*"):
        if file.is_file():
            path = tmp_path / file.relative_to(HERE / "authoring")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read_bytes())
    for name, status in (("long-stay", "shadow"), ("late-reply", "retired")):
        rule = tmp_path / f"{name}.yaml"
        rule.write_text(rule.read_text("utf-8") + f"status: {status}\n", "utf-8")
    assert main(["graph", str(tmp_path), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "Van stays long  [shadow]" in said
    assert "late-reply" not in said


def test_json_holds_the_same(capsys):
    assert main(["graph", str(HERE / "authoring"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"from": "rule:long-stay", "to": "rule:stays-often", "what": "alerts"} in said["edges"]
    assert {"from": "table:vans", "to": "rule:long-stay", "what": "lookup"} in said["edges"]
    assert {node["kind"] for node in said["nodes"]} == {
        "feed", "table", "zones", "space", "rule", "route", "sink",
    }  # fmt: skip


def test_two_forms_at_once_are_exit_64(capsys):
    assert main(["graph", str(HERE / "authoring"), "--dot", "--mermaid", "--lang", "en"]) == 64
    assert "exclude each other" in capsys.readouterr().err
