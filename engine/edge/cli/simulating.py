"""`forewarn simulate`: hands the wish to the simulators, which know nothing of the engine."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from engine.edge.cli.exits import Misuse
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from simulators.__main__ import main as simulate
from simulators.__main__ import parser


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
    _understood(words)
    try:
        return simulate(words)
    except OSError as error:
        raise EnvironmentUnusable(str(error)) from error


def _understood(words: Sequence[str]) -> None:
    """Refuse in our own form what the simulators' command line does not know.

    Raises:
        Misuse: Such a world, size or choice does not exist.

    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser().parse_args(words)
    except SystemExit as stop:
        raise Misuse(said.getvalue().rpartition("error: ")[2].strip()) from stop
