"""How long `check` and `explain RULE --key` take, the start of the command included.

`check` of a thousand rules has two seconds; `check` of a new project and `explain` of one key have
one. Each is asked in a fresh process. Processor time is what is claimed, for the clock on the wall
also counts what else the machine does; both are shown. Compiled modules are kept, as an
installation keeps them: the first run of each makes them and is not counted.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.edits import write_rules
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch

RULES = 1000
KEY = "room-7"


class Took(NamedTuple):
    """What a command took: by the clock, and of the processor."""

    wall_s: float
    processor_s: float


def ask(words: Sequence[str], compiled: Path) -> Took:
    """Run one command in a fresh process.

    Args:
        words: What follows `forewarn`.
        compiled: The folder that keeps compiled modules.

    """
    kept = {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "engine", *words, "--lang", "en"],
        cwd=ROOT, env={**os.environ, **kept}, capture_output=True, check=False,
    )  # fmt: skip
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-2000:]
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Took(wall, used)


def main() -> int:
    """Ask, and report."""
    asked = options(__doc__ or "").parse_args()
    report = Report("check", "How long check and explain take", asked)
    with scratch("check") as folder:
        compiled, new = folder / "compiled", str(folder / "new")
        (folder / "many").mkdir()
        many = str(write_rules(folder / "many", RULES))
        ask(["init", new], compiled)
        ask(["run", new, "--once"], compiled)
        commands = {
            f"`check` of {RULES:,} rules": (["check", many], 2.0),
            "`check` of a new project": (["check", new], 1.0),
            "`explain` of a key of its daemon": (
                ["explain", "room-too-warm", "--key", KEY, "--folder", new],
                1.0,
            ),
        }
        found: dict[str, list[Took]] = {}
        for name, (words, _) in commands.items():
            ask(words, compiled)
            found[name] = [ask(words, compiled) for _ in range(3 if asked.reduced else 9)]
    middle = {
        name: statistics.median(one.processor_s for one in all_) for name, all_ in found.items()
    }
    report.table(
        ["command", "processor s, median", "least", "most", "clock s, median"],
        [
            [
                name,
                middle[name],
                min(one.processor_s for one in took),
                max(one.processor_s for one in took),
                statistics.median(one.wall_s for one in took),
            ]
            for name, took in found.items()
        ],
    )
    for name, (_, limit) in commands.items():
        text = f"{name} takes less than {limit:.0f} s of the processor"
        report.claim(text, middle[name] < limit, f"{middle[name]:.2f} s")
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
