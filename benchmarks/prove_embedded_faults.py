"""The machine under the daemon fails: disk full, folder taken, damaged or read-only, clock set.

A small file system in memory holds what is to be full (mounting it needs root; without that right
the limit of file sizes of the process is lowered instead, and read-only folders are left out).
Every run that goes on is compared with an undisturbed run of the same folder: alerts, distinct
deliveries, state rows, dead letters, reading positions. Every refusal must be one sentence and
exit code 4.
"""

import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import set_clock
from benchmarks.lives import Life, Lives
from benchmarks.prove_kill import REFUSE_EACH, kept, make, ready, start, undisturbed
from benchmarks.receiver import Inbox, receiver
from benchmarks.report import Report, options
from benchmarks.worlds import scratch

MODULES = ("engine.edge.cli.daemon", "benchmarks.set_clock")
ENVIRONMENT = 4
HOLD_S = 2.0
"""How long a disk stays full."""


class Disk:
    """A place that can be full, and has room again."""

    def __init__(self, folder: Path, megabytes: int = 96) -> None:
        self.folder, self._life = folder, None
        folder.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        self.is_mounted = not subprocess.run(words, capture_output=True, check=False).returncode

    def fill(self, life: Life | None) -> None:
        """No more room, for anybody or (without a mount) for this process."""
        if self.is_mounted:
            with (self.folder / "ballast").open("ab", buffering=0) as ballast:
                for size in (1 << 20, 4096):
                    while _taken(ballast.write, b"\0" * size):
                        pass
        elif life is not None:
            files = self.folder.rglob("*")
            largest = max((path.stat().st_size for path in files if path.is_file()), default=0)
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

    def free(self, life: Life | None) -> None:
        """Room again."""
        if self.is_mounted:
            (self.folder / "ballast").unlink(missing_ok=True)
        elif life is not None and life.code is None:
            none = resource.RLIM_INFINITY
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (none, none))

    def remount(self, how: str) -> None:
        """Make it read-only (`ro`) or writable (`rw`)."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)

    def close(self) -> None:
        """Unmount."""
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


def _taken(write: Callable[[bytes], int | None], some: bytes) -> bool:
    try:
        return write(some) == len(some)
    except OSError:
        return False


@contextmanager
def disk(folder: Path, megabytes: int = 96) -> Iterator[Disk]:
    """A disk that is gone afterwards."""
    made = Disk(folder, megabytes)
    try:
        yield made
    finally:
        made.close()


@dataclass(slots=True)
class Proof:
    """What the scenes share: lives, the folder, the undisturbed run, and what was seen."""

    lives: Lives
    folder: Path
    chance: random.Random
    calm_ids: set[str] = field(default_factory=set)
    expected: dict[str, list[Any]] = field(default_factory=dict)
    rows: list[list[object]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def saw(self, fault: str, what: str, *, holds: bool) -> None:
        """One line of the report."""
        self.rows.append([fault, what, "holds" if holds else "FAILS"])
        if not holds:
            self.failed.append(fault)

    def compare(self, fault: str, place: Path, inbox: Inbox, what: str, *, met: bool) -> None:
        """A run that went on must have ended as the undisturbed one did."""
        found = kept(place)
        wrong = [name for name, rows in self.expected.items() if rows != found[name]]
        if set(inbox.ids) != self.calm_ids:
            wrong.append("deliveries")
        repeats = len(inbox.ids) - len(set(inbox.ids))
        words = f"{what}; {repeats} repeats" + (f"; differs: {', '.join(wrong)}" if wrong else "")
        self.saw(fault, words, holds=met and not wrong)

    def refused(self, fault: str, life: Life, *words: str) -> None:
        """A start that must end with code 4 and one sentence that names what is wrong."""
        code = life.wait(60.0)
        said = [line for line in life.said().splitlines() if line and not line.startswith("{")]
        plain = "Traceback" not in life.said() and all(word in " ".join(said) for word in words)
        life.kill()
        told = (said[-1] if said else "nothing").replace(str(self.folder), "FOLDER")
        self.saw(fault, f"code {code}: {told}", holds=code == ENVIRONMENT and plain)


def main() -> int:
    """Let the machine fail; exit code 1 when something was lost, doubled, or not said."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--full", type=int, help="times the disk is full: 6, reduced 2")
    asked = parser.parse_args()
    times = asked.full if asked.full is not None else (2 if asked.reduced else 6)
    report = Report("embedded-faults", "Proof: the machine under the daemon fails", asked)
    with scratch("faults") as folder, Lives(MODULES, asked.seed) as lives:
        proof = Proof(lives, folder, random.Random(asked.seed))
        make(folder / "city", asked.seed, reduced=asked.reduced)
        calm, calm_s = undisturbed(folder, lives)
        proof.calm_ids, proof.expected = set(calm.inbox.ids), calm.found
        with disk(folder / "disk") as full:
            kind = "a file system in memory" if full.is_mounted else "the limit of file sizes"
            full_while_working(proof, full, times)
        with disk(folder / "disk-outbox") as full:
            full_while_delivering(proof, full)
        with disk(folder / "disk-start") as full:
            if full.is_mounted:
                full_at_the_start(proof, full)
                read_only(proof, full)
        taken(proof)
        damaged(proof)
        clock_set(proof, times)
    report.say(
        f"City of seed {asked.seed}; the undisturbed run took {calm_s:.0f} s. The disk was {kind}; "
        "the clock was Python's wall clock, set by one hour back and forth."
    )
    report.table(["fault", "what was seen", ""], proof.rows)
    report.claim("every fault was told or waited for, and nothing shows of it", not proof.failed,
                 ", ".join(proof.failed) or f"{len(proof.rows)} faults")  # fmt: skip
    return report.close()


def place_on(proof: Proof, full: Disk, name: str, inbox: Inbox) -> Path:
    """A copy of the city whose data folder lies on a disk."""
    place = ready(proof.folder / "city", proof.folder / name, inbox.url)
    (full.folder / "data").mkdir(exist_ok=True)
    (place / "data").symlink_to(full.folder / "data")
    return place


def full_while_working(proof: Proof, full: Disk, times: int) -> None:
    """The disk is full at random moments while batches are written."""
    with receiver(Inbox(refuse_each=REFUSE_EACH)) as inbox:
        place = place_on(proof, full, "full", inbox)
        life = start(proof.lives, place)
        life.wait_said('"started"', 60.0)
        for _ in range(times):
            life.wait(proof.chance.uniform(0.05, 0.4))
            full.fill(life)
            life.wait(HOLD_S)
            full.free(life)
        code = life.wait(600.0)
        blocked = life.said().count('"store-blocked"')
        proof.compare("disk full while it works", place, inbox,
                      f"{times} times full, {blocked} writes refused, code {code}",
                      met=blocked > 0 and code == 0)  # fmt: skip


def full_while_delivering(proof: Proof, full: Disk) -> None:
    """All is read; the disk is full while deliveries are marked."""
    with receiver(Inbox(delay_s=0.15, refuse_each=REFUSE_EACH)) as inbox:
        place = place_on(proof, full, "full-outbox", inbox)
        life = start(proof.lives, place)
        until = time.monotonic() + 300
        while life.said().count('"source-ended"') < 6 and time.monotonic() < until:
            life.wait(0.05)
        life.wait(0.3)
        full.fill(life)
        life.wait(HOLD_S)
        full.free(life)
        inbox.delay_s = 0.0
        code = life.wait(600.0)
        blocked = life.said().count("-unwritable") + life.said().count('"store-blocked"')
        proof.compare("disk full while deliveries are marked", place, inbox,
                      f"{blocked} writes refused, code {code}", met=code == 0)  # fmt: skip


def full_at_the_start(proof: Proof, full: Disk) -> None:
    """A new daemon finds no room."""
    with receiver(Inbox()) as inbox:
        place = place_on(proof, full, "full-start", inbox)
        full.fill(None)
        proof.refused("disk full at the first start", start(proof.lives, place), "full")
        full.free(None)
        shutil.rmtree(full.folder / "data")


def read_only(proof: Proof, full: Disk) -> None:
    """The data folder cannot be written."""
    with receiver(Inbox()) as inbox:
        (proof.folder / "full-start/data").unlink()
        place = place_on(proof, full, "read-only", inbox)
        full.remount("ro")
        proof.refused("data folder is read-only", start(proof.lives, place), "Read-only")
        full.remount("rw")


def taken(proof: Proof) -> None:
    """A second daemon on the folder, while the first works and while it is paused."""
    with receiver(Inbox(delay_s=5.0)) as inbox:
        place = ready(proof.folder / "city", proof.folder / "taken", inbox.url)
        first = start(proof.lives, place)
        first.wait_said('"started"', 60.0)
        proof.refused("a second daemon", start(proof.lives, place), f"process {first.pid}")
        first.signal(signal.SIGSTOP)
        second = start(proof.lives, place)
        proof.refused("a second one, the first paused", second, f"process {first.pid}")
        first.kill()


def damaged(proof: Proof) -> None:
    """The database is not what it was."""
    whole = proof.folder / "calm/data/forewarn.db"
    size = whole.stat().st_size

    def noise(path: Path, at: int, length: int) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(proof.chance.randbytes(length))

    def cut(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(size // 2)

    faults: dict[str, Callable[[Path], None]] = {
        "database with a spoilt beginning": lambda path: noise(path, 0, 64),
        "database with spoilt pages": lambda path: noise(path, 4096, min(size, 1 << 20) // 2),
        "database cut in half": cut,
        "database that is another program's": _foreign,
    }
    with receiver(Inbox()) as inbox:
        for number, (fault, spoil) in enumerate(faults.items()):
            place = ready(proof.folder / "city", proof.folder / f"damaged-{number}", inbox.url)
            (place / "data").mkdir()
            shutil.copy(whole, place / "data/forewarn.db")
            spoil(place / "data/forewarn.db")
            proof.refused(fault, start(proof.lives, place), "forewarn.db")


def _foreign(path: Path) -> None:
    import sqlite3  # noqa: PLC0415 - the only place

    path.unlink()
    with sqlite3.connect(path) as link:
        link.execute("CREATE TABLE theirs (x)")
    link.close()


def clock_set(proof: Proof, times: int) -> None:
    """The wall clock is set by an hour, back and forth, while records are read and delivered."""
    clock = proof.folder / "clock"
    set_clock.set_clock(clock, 0)
    more = {set_clock.VARIABLE: str(clock)}
    with receiver(Inbox(delay_s=0.05, refuse_each=REFUSE_EACH, busy_each=7)) as inbox:
        place = ready(proof.folder / "city", proof.folder / "clock-set", inbox.url)
        words = ["run", str(place), "--once"]
        life = proof.lives.start(words, log=place / "daemon.log", more=more)
        life.wait_said('"started"', 60.0)
        for number in range(times):
            life.wait(proof.chance.uniform(0.3, 1.0))
            set_clock.set_clock(clock, (-3600, 0, 3600, 0)[number % 4])
        inbox.delay_s, begun = 0.0, time.monotonic()
        code = life.wait(600.0)
        stepped = life.said().count('"clock-stepped"')
        found = f"set {times} times, seen {stepped} times, code {code}"
        took_s = time.monotonic() - begun
        proof.saw("clock set by an hour: no delivery waits for it", f"{took_s:.0f} s to the end",
                  holds=took_s < 120)  # fmt: skip
        inbox.raw = inbox.first_answers()
        proof.compare("clock set by an hour", place, inbox, found, met=code == 0)


if __name__ == "__main__":
    sys.exit(main())
