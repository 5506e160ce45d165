"""What each exit code of the command means; other programs rely on these numbers."""

from enum import IntEnum


class Misuse(Exception):
    """The command line asks for something that makes no sense; carries the sentence."""


class Exit(IntEnum):
    """How a command ended."""

    FINE = 0
    FAILED = 1
    DECLARATIONS = 2
    WARNINGS = 3
    ENVIRONMENT = 4
    STATE = 5
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143
