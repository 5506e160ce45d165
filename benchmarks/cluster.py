"""Brokers of one proof alone, to be killed, paused and started again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import ROOT

BROKER = ROOT / "tests/broker/kafka.py"


class Cluster:
    """Brokers for one proof alone, whose processes can be killed, paused and started again."""

    def __init__(self, home: Path, brokers: int) -> None:
        self._home = home
        self.address = self._do("start", "--brokers", str(brokers))

    def kill(self, node: int = 1) -> None:
        """`kill -9`; what it wrote stays."""
        self._do("kill-node", "--node", str(node))

    def start(self, node: int = 1) -> None:
        """Start it on its old data; returns when it takes connections."""
        self._do("start-node", "--node", str(node))

    def signal(self, number: int, node: int = 1) -> None:
        """Pause it (SIGSTOP) or let it go on (SIGCONT)."""
        os.kill(int((self._home / f"node-{node}/pid").read_text()), number)

    def close(self) -> None:
        """Stop them and forget their data."""
        self._do("stop")

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, str(BROKER), *words, "--home", str(self._home)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()


@contextmanager
def own_cluster(folder: Path, brokers: int = 1) -> Iterator[Cluster]:
    """Brokers that are gone afterwards."""
    cluster = Cluster(folder / f"broker-{brokers}", brokers)
    try:
        yield cluster
    finally:
        cluster.close()


@contextmanager
def own_broker(folder: Path) -> Iterator[str]:
    """The address of a broker for one proof alone."""
    with own_cluster(folder) as cluster:
        yield cluster.address
