"""Processes that start in a fifth of a second: forked from cradles that have imported the program.

Importing takes longer than recovering does, and a proof that ends a process a thousand times would
spend its time on imports. So a cradle imports everything once and forks a life for each start; from
there on a life does all that `python -m engine` does: read settings and rules, recover, work, end.
There are several cradles, each with a hash seed of its own, so that lives differ as processes do.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.report import ROOT
from engine.edge.crashpoint import VARIABLE

CRADLES = 3


@dataclass(slots=True)
class Life:
    """One process from its fork to its end.

    Attributes:
        log: What it says goes here, behind what was said before.
        code: How it ended; minus the signal that ended it; None while it lives.

    """

    pid: int
    log: Path
    said_before: int
    code: int | None = None
    began: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def age_s(self) -> float:
        """Seconds since its fork."""
        return time.monotonic() - self.began

    @property
    def is_stopped(self) -> bool:
        """Whether it is paused by a signal."""
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def signal(self, number: int) -> None:
        """Send a signal, if it still lives."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(30.0)

    def wait(self, within_s: float) -> int | None:
        """Wait for its end; None when it still lives then."""
        self.ended.wait(within_s)
        return self.code

    def said(self) -> str:
        """Its own words."""
        with self.log.open("rb") as file:
            file.seek(self.said_before)
            return file.read().decode("utf-8", "replace")

    def wait_said(self, words: str, within_s: float) -> bool:
        """Wait until it said this; False when it ended or time was up before."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if words in self.said():
                return True
            if self.ended.wait(0.005):
                return words in self.said()
        return False


class Lives:
    """Starts lives from a few cradles; a context, so that nothing outlives the proof."""

    def __init__(self, modules: Sequence[str], seed: int = 0) -> None:
        self._chance = random.Random(seed)
        self._cradles = [_Cradle(modules, number) for number in range(1, CRADLES + 1)]

    def start(
        self, words: Sequence[str], *, log: Path, cwd: Path = ROOT, point: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Life:  # fmt: skip
        """Start `python -m engine WORDS`, to be ended at a crash point if one is named."""
        given = {**(more or {}), VARIABLE: point}
        return self._chance.choice(self._cradles).start(words, log, cwd, given)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for cradle in self._cradles:
            cradle.close()


class _Cradle:
    """The parent's end of one cradle process."""

    def __init__(self, modules: Sequence[str], seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lives", *modules], cwd=ROOT, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._lives: dict[int, Life] = {}
        self._born: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._answers: list[int] = []
        self._answered = threading.Condition(self._lock)
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, words: Sequence[str], log: Path, cwd: Path, more: Mapping[str, str]) -> Life:
        log.touch()
        said_before = log.stat().st_size
        asked = {"words": list(words), "log": str(log), "cwd": str(cwd), "more": dict(more)}
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            if not self._answered.wait_for(lambda: bool(self._answers), 30.0):
                message = "the cradle does not answer"
                raise RuntimeError(message)
            life = self._lives[self._answers.pop()]
            life.log, life.said_before = log, said_before
            return life

    def close(self) -> None:
        """End what still lives, and the cradle."""
        with self._lock:
            lives = [life for life in self._lives.values() if life.code is None]
        for life in lives:
            life.signal(signal.SIGCONT)
            life.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        """Note births and ends as the cradle tells them."""
        assert self._process.stdout is not None
        with suppress(ValueError):  # closed meanwhile
            for line in self._process.stdout:
                pid, code = json.loads(line)
                with self._lock:
                    if code is None:
                        self._lives[pid] = Life(pid, Path(), 0)
                        self._answers.append(pid)
                        self._answered.notify_all()
                    else:
                        life = self._lives[pid]
                        life.code = code
                        life.ended.set()


def main(modules: Sequence[str]) -> None:
    """Be a cradle: import, then fork whatever is asked for on standard input."""
    for name in modules:
        __import__(name)
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    waiting, alive = b"", set[int]()
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 4096)
            _bury(alive)
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:  # the proof is over, or was ended
                for pid in alive:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return
            *lines, waiting = (waiting + got).split(b"\n")
            for line in lines:
                child = os.fork()
                if child == 0:
                    os.close(woken)
                    os.close(wake)
                    sys.exit(_live(json.loads(line)))
                alive.add(child)
                _tell(child, None)


def _bury(alive: set[int]) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            alive.discard(pid)
            _tell(pid, os.waitstatus_to_exitcode(status))


def _tell(pid: int, code: int | None) -> None:
    with suppress(BrokenPipeError):
        os.write(1, (json.dumps([pid, code]) + "\n").encode())


def _live(asked: Mapping[str, Any]) -> int:
    """Become the process that was asked for."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nothing), (1, log), (2, log)):
        os.dup2(file, number)
    os.environ.update(asked["more"])
    os.chdir(asked["cwd"])
    sys.argv = ["forewarn", *asked["words"]]
    random.seed()
    from engine.edge.cli.entry import main as forewarn  # noqa: PLC0415 - imported long ago

    return forewarn()


if __name__ == "__main__":
    main(sys.argv[1:])
