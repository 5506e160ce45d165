"""Paired rounds: contenders one after the other in fresh processes, compared within each round."""

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import ROOT

Figures = Mapping[str, Any]


@dataclass(slots=True)
class Rounds:
    """What every contender measured in every round."""

    found: dict[str, list[Figures]] = field(default_factory=dict)

    def series(self, name: str, what: str = "rate") -> list[float]:
        """One figure of one contender, round by round."""
        return [float(one[what]) for one in self.found[name]]

    def ratio(self, over: str, under: str, what: str = "rate") -> tuple[float, float, float]:
        """Median of the per-round ratios, with its bootstrap 90 % interval."""
        pairs = zip(self.series(over, what), self.series(under, what), strict=True)
        return median_interval([one / other for one, other in pairs])


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the 5th and 95th percentile of medians of resampled values."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(2000))
    return statistics.median(values), medians[100], medians[1899]


def run_rounds(
    module: str,
    contenders: Sequence[str],
    count: int,
    words: Sequence[str],
    *,
    core: int | None = 0,
    told: Callable[[str], None] = print,
) -> Rounds:
    """Run each contender `count` times, interleaved, pinned to one core.

    A contender is `python -m MODULE --one NAME WORDS...` and prints one line of JSON.
    """
    rounds = Rounds({name: [] for name in contenders})
    for number in range(count):
        for name in contenders:
            rounds.found[name].append(one(module, name, words, core=core))
        last = ", ".join(f"{name} {rounds.found[name][-1]['rate']:,.0f}" for name in contenders)
        told(f"round {number + 1} of {count}: {last}")
    return rounds


def one(module: str, name: str, words: Sequence[str], *, core: int | None) -> Figures:
    """One contender in a fresh process."""

    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})

    done = subprocess.run(
        [sys.executable, "-m", module, "--one", name, *words], cwd=ROOT, preexec_fn=pin,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip
    if done.returncode:
        message = f"{name}: {done.stderr[-3000:]}"
        raise RuntimeError(message)
    (said, *_) = [line for line in reversed(done.stdout.splitlines()) if line.startswith("{")]
    found: Figures = json.loads(said)
    return found


def figures(rounds: Rounds) -> list[list[Any]]:
    """A row for each contender: median rate, range, CPU rate, memory."""
    rows = []
    for name, found in rounds.found.items():
        rates = rounds.series(name)
        rows.append([
            name, f"{statistics.median(rates):,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{statistics.median(rounds.series(name, 'cpu_rate')):,.0f}",
            f"{statistics.median(one['rss_mb'] for one in found):.0f}",
        ])  # fmt: skip
    return rows


def as_text(ratio: tuple[float, float, float]) -> str:
    """A ratio as a person reads it."""
    return f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})"
