"""A wall clock that a proof can set: imported by a cradle, it moves `time.time` and `time.time_ns`.

`FOREWARN_CLOCK` names a file whose modification time, less 1,000,000,000 s, is by how many seconds
the clock is wrong. Clocks that are never set (monotonic ones) stay as they are, as they do when an
operator or NTP sets the clock of a machine.
"""

import os
import time
from pathlib import Path

VARIABLE = "FOREWARN_CLOCK"
RIGHT_S = 1_000_000_000
_time, _time_ns = time.time, time.time_ns


def set_clock(file: Path, by_s: int) -> None:
    """Make the clock of those who look at this file wrong by so many seconds."""
    file.touch()
    os.utime(file, (RIGHT_S + by_s, RIGHT_S + by_s))


def _wrong_by_s() -> int:
    file = os.environ.get(VARIABLE)
    return int(Path(file).stat().st_mtime) - RIGHT_S if file else 0


def _wrong() -> float:
    return _time() + _wrong_by_s()


def _wrong_ns() -> int:
    return _time_ns() + _wrong_by_s() * 1_000_000_000


time.time, time.time_ns = _wrong, _wrong_ns
