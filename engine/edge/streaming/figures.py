"""What a worker tells of itself in figures; nothing depends on who listens, or whether anybody."""

from typing import Protocol


class Figures(Protocol):
    """Who hears the figures (`engine/edge/kafka_metrics.py`)."""

    def dealt(self) -> None:
        """The group dealt partitions out."""

    def lost(self, reason: str) -> None:
        """A partition's memory was thrown away: `fenced`, `failed` or `taken`."""

    def restored(self, seconds: float) -> None:
        """A partition's saved state was read back."""

    def released(self, space: str, partition: int) -> None:
        """A partition of a key space is not ours now."""

    def lag(self, topic: str, partition: int, records: int) -> None:
        """How many records of a partition were not read yet."""

    def unread(self, topic: str, partition: int) -> None:
        """A partition is not read by us now."""

    def missing(self, topic: str, records: int) -> None:
        """Records were deleted before they were read."""

    def committed(self, seconds: float) -> None:
        """A transaction was made."""

    def read(self, topic: str, records: int) -> None:
        """Records of a topic were handed to the rules or to a router."""

    def worked(self, seconds: float) -> None:
        """What one turn brought was worked on."""

    def took_up(self, rows: int) -> None:
        """Rows of saved state were taken up."""


class NoFigures(Figures):
    """Tells nobody."""

    def dealt(self) -> None:
        """Nothing."""

    def lost(self, reason: str) -> None:
        """Nothing."""

    def restored(self, seconds: float) -> None:
        """Nothing."""

    def released(self, space: str, partition: int) -> None:
        """Nothing."""

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Nothing."""

    def unread(self, topic: str, partition: int) -> None:
        """Nothing."""

    def missing(self, topic: str, records: int) -> None:
        """Nothing."""

    def committed(self, seconds: float) -> None:
        """Nothing."""

    def read(self, topic: str, records: int) -> None:
        """Nothing."""

    def worked(self, seconds: float) -> None:
        """Nothing."""

    def took_up(self, rows: int) -> None:
        """Nothing."""


NO_FIGURES = NoFigures()
