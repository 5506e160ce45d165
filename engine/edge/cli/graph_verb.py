"""`forewarn graph`: how feeds, rules and routes hang together."""

from collections.abc import Sequence
from pathlib import Path

from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.projects import find, tell_if_shipped
from engine.edge.cli.voice import voice
from engine.ruleset.compile import compile_project
from engine.ruleset.graph import graph_of
from engine.ruleset.graph_text import as_json, dot, mermaid, tree


def show_graph(paths: Sequence[Path], *, as_mermaid: bool, as_dot: bool) -> int:
    """Print the graph of the declarations under the paths."""
    speak = voice()
    if as_mermaid and as_dot:
        raise Misuse(speak.say("graph-one-form"))
    tell_if_shipped(paths)
    graph = graph_of(compile_project(find(paths).usable()), speak.lang)
    if speak.json:
        speak.data(as_json(graph))
        return Exit.FINE
    draw = mermaid if as_mermaid else dot if as_dot else tree
    for line in draw(graph, speak.lang):
        speak.line(line)
    return Exit.FINE
