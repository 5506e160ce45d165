"""The command `forewarn`: what people type, and what it answers."""

from engine.edge.cli.entry import main as main
