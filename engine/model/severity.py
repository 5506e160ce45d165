"""The four warning levels."""

from enum import StrEnum


class Severity(StrEnum):
    """The four warning levels of the Emergency Response Law (2024) art. 63, blue the lowest."""

    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"

    @property
    def rank(self) -> int:
        """1 for blue to 4 for red."""
        return list(Severity).index(self) + 1
