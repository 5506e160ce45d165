"""The graph of a project as a tree to read, and as Mermaid and Graphviz to draw."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.ruleset.graph import Edge, Graph, Node
from engine.text import say

_SHAPES = {
    "feed": ('(["', '"])', "cds"),
    "table": ('[("', '")]', "cylinder"),
    "zones": ('{{"', '"}}', "hexagon"),
    "space": ('[["', '"]]', "box3d"),
    "rule": ('["', '"]', "box"),
    "route": ('>"', '"]', "rarrow"),
    "sink": ('(("', '"))', "oval"),
}
"""For each kind of node how Mermaid brackets it, and its shape in Graphviz."""


def tree(graph: Graph, lang: str) -> Iterator[str]:
    """Each feed with all that its events reach; a rule that was told before is only named again."""
    drawn = _Tree(graph, lang)
    for number, feed in enumerate(node for node in graph.nodes if node.kind == "feed"):
        if number:
            yield ""
        yield drawn.line(feed)
        yield from drawn.branches(drawn.spaces(feed, feed), "")
    idle = [one.name for one in graph.nodes if one.kind == "rule" and one not in drawn.told]
    if idle:
        yield ""
        yield say("graph-idle", lang, names=", ".join(idle))


@dataclass(slots=True)
class _Branch:
    """One line below another, and what stands below it."""

    text: str
    below: "Sequence[_Branch]" = ()


@dataclass(slots=True)
class _Tree:
    """A tree being drawn; `told` are the rules that stand in it already."""

    graph: Graph
    lang: str
    told: set[Node] = field(default_factory=set)

    def branches(self, branches: Iterable[_Branch], indent: str) -> Iterator[str]:
        """The lines of some branches."""
        ordered = list(branches)
        for number, branch in enumerate(ordered, 1):
            last = number == len(ordered)
            yield f"{indent}{'└── ' if last else '├── '}{branch.text}"
            yield from self.branches(branch.below, indent + ("    " if last else "│   "))

    def spaces(self, node: Node, feed: Node) -> list[_Branch]:
        """The key spaces that a feed's events reach from here, with the rules that read it."""
        found = []
        for space in self.graph.after(node, "records"):
            if space.kind == "space":
                rules = [
                    self.rule(rule)
                    for rule in self.graph.after(space, "records")
                    if rule.kind == "rule" and feed in self.graph.reads[rule]
                ]
                found.append(_Branch(self.line(space), [*rules, *self.spaces(space, feed)]))
        return found

    def rule(self, rule: Node, word: str = "") -> _Branch:
        """A rule with what it looks up and who hears of it."""
        text = f"{word} {self.line(rule)}".lstrip()
        if rule in self.told:
            return _Branch(f"{text}  {say('graph-above', self.lang)}")
        self.told.add(rule)
        below = [
            _Branch(f"{say('graph-looks-up', self.lang)} {self.line(one)}")
            for one in self.graph.before(rule, "lookup")
        ]
        for one in self.graph.after(rule, "alerts"):
            if one.kind == "rule":
                below.append(self.rule(one, say("graph-to", self.lang)))
            else:
                sinks = ", ".join(sink.name for sink in self.graph.after(one, "alerts"))
                words = {"route": self.line(one), "sinks": sinks}
                below.append(_Branch(say("graph-tells", self.lang, **words)))
        return _Branch(text, below)

    def line(self, node: Node) -> str:
        """A node in words."""
        note = self.graph.notes.get(node, "")
        named = f"{say(f'graph-{node.kind}', self.lang)} {node.name}"
        return f"{named}  {note}" if note else named


def mermaid(graph: Graph, lang: str) -> Iterator[str]:
    """A flowchart for Markdown pages."""
    names = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    yield "flowchart LR"
    for node, name in names.items():
        before, behind, _ = _SHAPES[node.kind]
        yield f"  {name}{before}{_label(graph, node, '<br/>').replace(QUOTE, '#quot;')}{behind}"
    for edge in graph.edges:
        arrow = {"lookup": "-.->", "alerts": "==>", "records": "-->"}[edge.what]
        yield f"  {names[edge.source]} {arrow}{_mermaid_word(edge, lang)} {names[edge.target]}"


def _mermaid_word(edge: Edge, lang: str) -> str:
    """The word on an arrow between rules, which would otherwise look like events."""
    both = edge.source.kind == edge.target.kind == "rule"
    return f"|{say('graph-alerts', lang)}|" if both else ""


def dot(graph: Graph, lang: str) -> Iterator[str]:
    """The same for Graphviz."""
    names = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    yield "digraph forewarn {"
    yield "  rankdir=LR;"
    for node, name in names.items():
        label = _label(graph, node, "\\n").replace(QUOTE, f"\\{QUOTE}")
        yield f'  {name} [label="{label}", shape={_SHAPES[node.kind][2]}];'
    for edge in graph.edges:
        style = {"lookup": "dashed", "alerts": "bold", "records": "solid"}[edge.what]
        both = edge.source.kind == edge.target.kind == "rule"
        word = f', label="{say("graph-alerts", lang)}"' if both else ""
        yield f"  {names[edge.source]} -> {names[edge.target]} [style={style}{word}];"
    yield "}"


QUOTE = '"'


def _label(graph: Graph, node: Node, line_break: str) -> str:
    """Name and note of a node on two lines."""
    note = graph.notes.get(node, "")
    return f"{node.name}{line_break}{note}" if note else node.name


def as_json(graph: Graph) -> dict[str, object]:
    """The same for programs."""
    return {
        "nodes": [
            {"id": _id(node), "kind": node.kind, "name": node.name, "note": graph.notes.get(node)}
            for node in graph.nodes
        ],
        "edges": [
            {"from": _id(edge.source), "to": _id(edge.target), "what": edge.what}
            for edge in graph.edges
        ],
    }


def _id(node: Node) -> str:
    """A name that is unique among all kinds."""
    return f"{node.kind}:{node.name}"
