"""How far event time has come: a watermark per source, and the least of them for the partition."""

from engine.ports import SourceId

NEVER = -(2**62)
"""The watermark of a source that has not said anything yet."""


class Progress:
    """The watermark of a partition: the least over all its sources that are not idle.

    A source's watermark is the newest event time it showed, less the feed's lateness, or a
    heartbeat's word. A source that was announced but has shown nothing holds the partition back
    until it speaks, is declared idle, or is finished. Time never goes backwards.

    State: one number per source; kept in the partition's record.
    """

    __slots__ = ("idle", "sources", "watermark")

    def __init__(self) -> None:
        self.sources: dict[SourceId, int] = {}
        self.idle: set[SourceId] = set()
        self.watermark = NEVER

    def announce(self, source: SourceId) -> None:
        """Let a source hold the partition back from now on."""
        self.sources.setdefault(source, NEVER)

    def reach(self, source: SourceId, watermark: int) -> None:
        """Note that a source is complete up to `watermark`; it is not idle any more."""
        if watermark > self.sources.get(source, NEVER):
            self.sources[source] = watermark
        self.idle.discard(source)

    def reread(self, source: SourceId, watermark: int) -> None:
        """Put a source back to where its log is read again; it holds back until that is done."""
        self.sources[source] = watermark
        self.idle.discard(source)

    def rest(self, source: SourceId) -> None:
        """A source is quiet or finished and holds nothing back."""
        self.sources.setdefault(source, NEVER)
        self.idle.add(source)

    def elapse(self, elapsed_ms: int) -> None:
        """All sources were quiet for this long; event time goes on without them."""
        if self.watermark > NEVER and len(self.idle) == len(self.sources):
            self.watermark += elapsed_ms

    def settle(self) -> int:
        """The partition's watermark now."""
        active = [w for source, w in self.sources.items() if source not in self.idle]
        if active:
            self.watermark = max(self.watermark, min(active))
        elif self.sources:
            self.watermark = max(self.watermark, *self.sources.values())
        return self.watermark
