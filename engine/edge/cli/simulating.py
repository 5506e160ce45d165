"""`forewarn simulate`: hands the wish to the simulators, which know nothing of the engine."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.edge.cli.exits import Misuse
from engine.edge.cli.progress import Progress
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from simulators.__main__ import main as simulate
from simulators.__main__ import parser
from simulators.scenario import Feed, Item, Story, World

_STEP = 2_000
"""So many records go by between two looks at the bar."""


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
        words += ["--seed", str(seed), "--rate", str(rate), "--json"]
        words += ["--http", http] if http else []
        words += ["--kafka", kafka] if kafka else []
    _understood(words)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            code = simulate(words, Watched)
    except OSError as error:
        raise EnvironmentUnusable(str(error)) from error
    if said.getvalue():
        _tell(json.loads(said.getvalue()), out)
    return code


class Watched:
    """A world whose records move a bar as they go by."""

    def __init__(self, world: World) -> None:
        """Watch this world."""
        self._world = world

    @property
    def start_ms(self) -> int:
        """The first instant of the world."""
        return self._world.start_ms

    @property
    def end_ms(self) -> int:
        """The first instant after it."""
        return self._world.end_ms

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds its records belong to."""
        return self._world.feeds

    def items(self) -> Iterator[Item]:
        """The records; the bar shows how much of the world's time they have come through."""
        total, reached, count = self.end_ms - self.start_ms, self.start_ms, 0
        with Progress(voice().say("progress-simulate"), total, counted=False) as progress:
            for count, item in enumerate(self._world.items(), 1):
                yield item
                if not count % _STEP:
                    now = max(reached, min(item.time_ms, self.end_ms))
                    progress.step(now - reached, _STEP)
                    reached = now
            progress.step(self.end_ms - reached, count % _STEP)

    def stories(self) -> Iterator[Story]:
        """The truth."""
        return self._world.stories()

    def tables(self) -> Mapping[str, Iterator[Mapping[str, object]]]:
        """The rows of its tables."""
        return self._world.tables()


def _tell(card: Mapping[str, Any], out: Path) -> None:
    """Say what was made."""
    speaker = voice()
    if speaker.json:
        speaker.record(card)
        return
    known = {"world", "start_ms", "end_ms", "records", "rows", "stories"}
    sizes = ", ".join(f"{name} {value}" for name, value in card.items() if name not in known)
    speaker.line(speaker.say("simulate-made", world=card["world"], sizes=sizes, folder=out))
    for title, name in (
        ("simulate-records", "records"),
        ("simulate-rows", "rows"),
        ("simulate-stories", "stories"),
    ):
        if card[name]:
            speaker.line(speaker.say(title))
            for what, count in card[name].items():
                speaker.line(f"  {count:>12,}  {what}")


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
