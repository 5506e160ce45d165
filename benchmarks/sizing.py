"""Writes docs/sizing.md from the committed reports: every figure there was measured by a proof.

python -m benchmarks.sizing          writes the page
python -m benchmarks.sizing --print  only prints it
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import FOLDER, ROOT

PAGE = ROOT / "docs/sizing.md"
HEAD = """\
# Sizing

How large a machine for how many records, keys and alerts. Every figure was measured by the
command beside it, on the machine that the report names, and is copied from the report by
`python -m benchmarks.sizing`. Only ratios carry over to another machine: run the commands on yours.
"""
TAIL = """
## From figures to machines

- **Cores.** Plan for the peak, not for the average, at no more than half of what a core drains: a
  backlog after an outage must drain while records go on coming, and a core that is full has no
  room for a burst. A worker is one process on one core; more cores are more workers, at most one
  for each partition of the busiest topic.
- **Partitions.** They cannot be changed while running (`forewarn state export` and `import` carry
  state over), so make three to four times as many as the workers you need today.
- **Memory.** Keys that rules remember times bytes a key and rule, plus what an empty worker
  takes. A vehicle that drives normally leaves nothing behind, so count the keys that stand, wait
  or are overdue at the worst hour. While state is read back its rows are in memory too; the peak
  of the restore is the figure to plan for.
- **Disk of the daemon.** The database holds state once, and the outbox and dead letters as long
  as `retention` says; `forewarn_database_bytes` grows to a level and stays there.
- **Brokers.** State topics are compacted, at the pace that the brokers' settings allow. Alerts,
  dead letters and routed topics are kept for `kafka.retention_ms`; a routed feed is written once
  more.
- **Takeover.** After a crash a partition waits for `kafka.session_s`, then for its share of the
  restore time. More partitions on more workers restore beside each other.
"""


class Figure(NamedTuple):
    """A question, and where in a report its answer stands: section, first cell of a row, column."""

    question: str
    command: str
    report: str
    section: str
    row: str
    column: str


FIGURES = (
    Figure("one daemon without a broker, records/s on one core", "make prove-speed", "speed",
           "The job", "embedded", "fixes/s"),
    Figure("one worker on Kafka drains, records/s of a core", "make prove-throughput", "throughput",
           "One core", "forewarn-worker", "fixes/s of CPU"),
    Figure("memory of that worker, MB", "make prove-throughput", "throughput", "One core",
           "forewarn-worker", "peak RSS MB"),
    Figure("two workers beside each other, records/s of a core", "make prove-throughput",
           "throughput", "One and two workers", "2", "fixes/s of CPU of a worker"),
    Figure("rate with 1,000 rules that do not match, against one", "make prove-speed", "speed",
           "Rules that do not match", "1000", "CPU rate against 1 rule"),
    Figure("memory a key and rule, bytes", "make prove-speed", "speed", "Memory per key",
           "keys-compiled", "bytes a key"),
    Figure("a million keys restored, s", "make prove-recovery", "recovery", "", "forewarn-worker",
           "s per million keys"),
    Figure("memory while and after that, MB", "make prove-recovery", "recovery", "",
           "forewarn-worker", "peak RSS MB"),
    Figure("at 23,150 records/s: core in use", "make prove-latency", "latency", "Latency",
           "23,150", "core in use"),
    Figure("at 23,150 records/s: event to alert, p50, ms", "make prove-latency", "latency",
           "Latency", "23,150", "alert p50 ms"),
    Figure("at 23,150 records/s: event to alert, p99, ms", "make prove-latency", "latency",
           "Latency", "23,150", "alert p99"),
    Figure("after an hour at half load: memory, MB", "make prove-soak", "soak", "", "memory, MB",
           "last look"),
)  # fmt: skip


def main() -> int:
    """Write the page, or print it."""
    text = page()
    if "--print" in sys.argv[1:]:
        print(text, end="")
    else:
        PAGE.write_text(text, "utf-8")
    return 0


def page(folder: Path = FOLDER) -> str:
    """The page, with what the committed reports say; a report that is not there has no rows."""
    lines = [HEAD, "| question | measured | command | report |", "| --- | --- | --- | --- |"]
    for one in FIGURES:
        path = folder / f"{one.report}.md"
        if path.exists():
            found = look_up(path.read_text("utf-8"), one)
            link = f"[{one.report}](proofs/{one.report}.md)"
            lines.append(f"| {one.question} | {found} | `{one.command}` | {link} |")
    return "\n".join(lines) + "\n" + TAIL


def look_up(text: str, wanted: Figure) -> str:
    """One cell of a report.

    Raises:
        LookupError: The report has no such cell.

    """
    for section, header, cells in rows(text):
        here = not wanted.section or section == wanted.section
        if here and cells[0] == wanted.row and wanted.column in header:
            return cells[header.index(wanted.column)]
    message = f"{wanted.report} has no '{wanted.column}' of '{wanted.row}'"
    raise LookupError(message)


def rows(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Every row of every table: its section, its header, its cells."""
    section, header = "", list[str]()
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        if not line.startswith("|"):
            header = []
        elif not header:
            header = _cells(line)
        elif not re.fullmatch(r"[|\s-]+", line):
            yield section, header, _cells(line)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


if __name__ == "__main__":
    sys.exit(main())
