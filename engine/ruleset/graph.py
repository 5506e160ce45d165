"""How a project hangs together: feeds, key spaces, rules, routes, sinks, tables and zones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.feeds.alerts import ALERTS
from engine.ruleset.compile import Program
from engine.ruleset.lint import DEFAULT_ROUTE
from engine.ruleset.spec import Project, RuleSpec, Status
from engine.ruleset.stages import read_rules
from engine.ruleset.uses import layers_of, tables_of

KINDS = ("feed", "table", "zones", "space", "rule", "route", "sink")
"""Kinds of node, in the order in which an event meets them."""


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One thing; `kind` is one of `KINDS`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """What goes from one thing to another: `records`, `alerts` or `lookup`."""

    source: Node
    target: Node
    what: str


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes and edges, each in a fixed order.

    Attributes:
        notes: For some nodes what is worth a word: a title, a status, a least severity.
        reads: For each rule the feeds it reads itself.

    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    notes: Mapping[Node, str] = field(default_factory=dict)
    reads: Mapping[Node, frozenset[Node]] = field(default_factory=dict)

    def after(self, node: Node, what: str) -> tuple[Node, ...]:
        """Where something goes to from a node."""
        return tuple(e.target for e in self.edges if e.source == node and e.what == what)

    def before(self, node: Node, what: str) -> tuple[Node, ...]:
        """Where something comes from to a node."""
        return tuple(e.source for e in self.edges if e.target == node and e.what == what)


def graph_of(program: Program, lang: str) -> Graph:
    """The graph of a compiled project. Retired rules do not run and are left out.

    A rule whose operator works in several key spaces stands in each of them; a rule over alerts
    stands in the key space of its floor.
    """
    project = program.project
    rules = [rule for _, rule in sorted(project.rules.items()) if rule.status is not Status.RETIRED]
    edges = set(_runs(program))
    for rule in rules:
        edges.update(_of_rule(rule, rules, project))
    nodes = {edge.source for edge in edges} | {edge.target for edge in edges}
    nodes |= {Node("feed", name) for name in project.feeds}
    nodes |= {Node("rule", rule.id) for rule in rules}
    ordered = sorted(nodes, key=lambda one: (KINDS.index(one.kind), one.name))
    reads = {
        Node("rule", rule.id): frozenset(Node("feed", name) for name in rule.feeds)
        for rule in rules
    }
    notes = dict(_notes(project, ordered, lang))
    return Graph(tuple(ordered), tuple(sorted(edges)), notes, reads)


def _runs(program: Program) -> Iterator[Edge]:
    """Feeds into key spaces, key spaces into each other and into their rules."""
    for name, space in program.spaces.items():
        here = Node("space", name)
        for feed in space.feeds:
            if feed not in space.upstream:
                yield Edge(Node("feed", feed), here, "records")
            elif feed != ALERTS:
                for sender in space.upstream[feed]:
                    yield Edge(Node("space", sender), here, "records")
        for rule in space.rules:
            yield Edge(here, Node("rule", _rule_id(rule.spec.id, program.project)), "records")


def _rule_id(part: str, project: Project) -> str:
    """The rule that a part of a rule belongs to."""
    if part in project.rules:
        return part
    return next((name for name in project.rules if part.startswith(f"{name}/")), part)


def _of_rule(rule: RuleSpec, rules: Sequence[RuleSpec], project: Project) -> Iterator[Edge]:
    """What a rule looks up, whose alerts it reads, and where its own go."""
    here = Node("rule", rule.id)
    for name in tables_of(rule):
        yield Edge(Node("table", name), here, "lookup")
    for name in layers_of(rule, project):
        yield Edge(Node("zones", name), here, "lookup")
    for name in read_rules(rule, rules):
        yield Edge(Node("rule", name), here, "alerts")
    if rule.status is not Status.STABLE:
        return
    route = project.routes.get(rule.dispatch or DEFAULT_ROUTE)
    if route is not None:
        yield Edge(here, Node("route", route.name), "alerts")
        for sink in route.sinks:
            yield Edge(Node("route", route.name), Node("sink", sink), "alerts")


def _notes(project: Project, nodes: Sequence[Node], lang: str) -> Iterator[tuple[Node, str]]:
    """Titles of feeds, titles and severities of rules, least severities of routes."""
    for node in nodes:
        match node.kind:
            case "feed":
                yield node, project.feeds[node.name].title.get(lang, "")
            case "rule":
                rule = project.rules[node.name]
                status = "" if rule.status is Status.STABLE else f"  [{rule.status.value}]"
                yield node, f"{rule.title.get(lang, '')}{status}"
            case "route":
                yield node, f">= {project.routes[node.name].min_severity.value}"
