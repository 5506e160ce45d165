"""The report of a proof: what was run, where, the raw figures, and whether each claim holds."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/proofs"


def options(about: str, *, seed: int = 7) -> argparse.ArgumentParser:
    """The command line that every proof shares."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--reduced", action="store_true", help="a small form, for every commit")
    parser.add_argument("--seed", type=int, default=seed, help=f"default {seed}")
    parser.add_argument("--report", type=Path, help="write the report here (default docs/proofs)")
    return parser


class Report:
    """Collects what a proof found and writes it down; a claim that fails makes the exit code 1.

    A reduced run prints its report but leaves the committed one alone.
    """

    def __init__(self, name: str, title: str, asked: argparse.Namespace) -> None:
        self.name = name
        self.asked = asked
        self.failed: list[str] = []
        self.began = datetime.now(UTC)
        command = " ".join(["python", "-m", f"benchmarks.{_module()}", *map(_plain, sys.argv[1:])])
        self.lines = [
            f"# {title}",
            "",
            *_rows(
                ["what", "value"],
                [
                    ["command", f"`{command}`"],
                    ["commit", commit()],
                    ["seed", asked.seed],
                    ["begun (UTC)", f"{self.began:%Y-%m-%d %H:%M}"],
                    ["machine", _machine()],
                    ["form", "reduced" if asked.reduced else "full"],
                ],
            ),
        ]

    def say(self, text: str) -> None:
        """One paragraph."""
        self._put("", text)

    def head(self, text: str) -> None:
        """A section."""
        self._put("", f"## {text}")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Raw figures."""
        self._put("", *_rows(header, rows))

    def code(self, text: str) -> None:
        """Raw output."""
        self._put("", "```text", *text.rstrip().splitlines(), "```")

    def claim(self, text: str, holds: bool, found: object = "") -> None:
        """A claim and whether it holds."""
        if not holds:
            self.failed.append(text)
        self._put(
            "",
            f"- **{'holds' if holds else 'FAILS'}**: {text}"
            + (f" ({found})" if found != "" else ""),
        )

    def close(self) -> int:
        """Write the report; answers the exit code."""
        took = (datetime.now(UTC) - self.began).total_seconds()
        verdict = f"{len(self.failed)} claims fail" if self.failed else "every claim holds"
        self._put("", f"Took {took:,.0f} s; {verdict}.")
        place = self.asked.report or (None if self.asked.reduced else FOLDER / f"{self.name}.md")
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("\n".join(self.lines) + "\n", "utf-8")
        return 1 if self.failed else 0

    def _put(self, *lines: str) -> None:
        self.lines += lines
        for line in lines:
            print(line, flush=True)


def cell(value: Any) -> str:
    """A figure as a person reads it."""
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def _rows(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]


def _module() -> str:
    return Path(sys.argv[0]).stem


def _plain(argument: str) -> str:
    """An argument without the folders of this machine."""
    return Path(argument).name if os.sep in argument and Path(argument).is_absolute() else argument


def commit() -> str:
    """What is run."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "engine", "connectors", "simulators", "rules")
    return git("rev-parse", "--short=12", "HEAD") + (
        " and changes not committed" if changed else ""
    )


def _machine() -> str:
    memory = ""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        kilobytes = int(meminfo.read_text().split("MemTotal:")[1].split()[0])
        memory = f", {kilobytes / 1024**2:.0f} GiB"
    load = f"{os.getloadavg()[0]:.1f}"
    return (
        f"{os.cpu_count()} cores {platform.machine()}{memory}, Python {platform.python_version()}, "
        f"load {load} at the start"
    )
