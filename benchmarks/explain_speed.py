"""How long `forewarn explain` takes in a folder with 100,000 stored alerts.

The goal is one second. Alerts and near misses are those of one episode, stored again and again
under other ids, keys and times. Each question is asked in a fresh process, as people ask it;
reading Python modules is part of it.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch
from engine.edge.store import Store
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.model.progress import Note, Progress, Step
from engine.ports import Outcome

RULE, KEYS = "explained", 5_000
_BEGIN_MS, _MINUTE_MS = 1_772_412_000_000, 60_000
_LOT = 2_000
_GOAL_S = 1.0


def main() -> int:
    """Fill a folder, ask, and report."""
    parser = options(__doc__ or "")
    parser.add_argument("--alerts", type=int, default=0, help="default 100,000, reduced 5,000")
    asked = parser.parse_args()
    count = asked.alerts or (5_000 if asked.reduced else 100_000)
    report = Report("explain", "How long explain takes", asked)
    with scratch("explain") as folder:
        asyncio.run(_fill(folder, count))
        (folder / "forewarn.yaml").write_text("data_folder: data\nmetrics: {port: -1}\n", "utf-8")
        size = (folder / "data/forewarn.db").stat().st_size
        report.say(f"{count:,} alerts (fired and cleared) in {size / 1e6:,.0f} MB.")
        rows: list[list[object]] = []
        medians: list[float] = []
        for number in (0, count // 2, count - 1):
            name = _episode(number)
            took = [_ask(folder, name) for _ in range(3 if asked.reduced else 7)]
            medians.append(statistics.median(took))
            rows.append([name, medians[-1], min(took), max(took)])
        bare = statistics.median(_bare() for _ in range(5))
        report.table(["alert", "median s", "least s", "most s"], rows)
        report.say(f"A Python that imports nothing of ours: {bare:.2f} s.")
        median = statistics.median(medians)
        report.claim(
            "explain of an alert takes less than a second", median < _GOAL_S, f"{median:.2f} s"
        )
    return report.close()


def _key(number: int) -> str:
    return f"V{number % KEYS:05d}"


def _since(number: int) -> int:
    return _BEGIN_MS + number * _MINUTE_MS


def _episode(number: int) -> str:
    return episode_id(RULE, _key(number), _since(number))


async def _fill(folder: Path, count: int) -> None:
    """Store the alerts as the daemon does, in batches."""
    store = Store(folder / "data", lambda _change: ())
    try:
        for start in range(0, count, _LOT):
            numbers = range(start, min(start + _LOT, count))
            outcome = Outcome(
                changes=[one for number in numbers for one in _changes(number)],
                notes=[_note(number) for number in numbers],
            )
            await store.apply({("explained", 0): outcome})
    finally:
        await store.close()


def _changes(number: int) -> Iterator[Change]:
    """An alert that fires after half an hour and clears after another."""
    name, since = _episode(number), _since(number)
    steps = [
        Step("dwell-stay", met=True, at_ms=since, found={"lon": 120.9, "lat": 32.0, "zone": ""}),
        Step("dwell-held", True, 30 * _MINUTE_MS, 30 * _MINUTE_MS, "ms"),
        Step("alert-fired", met=True, at_ms=since),
    ]
    for ordinal, transition in enumerate((Transition.FIRED, Transition.CLEARED)):
        evidence = {"trace": msgspec.to_builtins(steps)} if not ordinal else {}
        yield Change(
            delivery_id=delivery_id(name, transition, ordinal),
            episode_id=name,
            rule=RULE,
            rule_hash="0" * 12,
            key=_key(number),
            transition=transition,
            ordinal=ordinal,
            at_ms=since + (ordinal + 1) * 30 * _MINUTE_MS,
            since_ms=since,
            severity="yellow",
            summary={"en": f"{_key(number)} has stayed", "zh": f"{_key(number)} 停留"},
            evidence={"operator": {"since": since}, **evidence},
        )


def _note(number: int) -> Note:
    step = Step("dwell-held", False, 25 * _MINUTE_MS, 30 * _MINUTE_MS, "ms")
    return Note("near-miss", RULE, _key(number), _since(number), Progress("", (step,)))


def _ask(folder: Path, name: str) -> float:
    """How long one question takes, from the command line to its answer."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "engine", "explain", name, "--folder", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    took = time.perf_counter() - begun
    if "stayed 30 min of 30 min" not in done.stdout:
        raise RuntimeError(done.stdout)
    return took


def _bare() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
