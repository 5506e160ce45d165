"""`forewarn simulate`: hands the wish to the simulators, which know nothing of the engine."""

from collections.abc import Sequence
from pathlib import Path

from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from simulators.__main__ import main as simulate


def simulate_world(
    world: str,
    *,
    out: Path,
    seed: int,
    rate: float,
    http: str | None,
    kafka: str | None,
    more: Sequence[str],
) -> int:
    """Make a world; sizes in `more` are handed on as they are."""
    words = [world, "--out", str(out), *more]
    if world != "area":
        words += ["--seed", str(seed), "--rate", str(rate)]
        words += ["--http", http] if http else []
        words += ["--kafka", kafka] if kafka else []
        words += ["--json"] if voice().json else []
    try:
        return simulate(words)
    except SystemExit as stop:
        return Exit.USAGE if stop.code else Exit.FINE
    except OSError as error:
        raise EnvironmentUnusable(str(error)) from error
