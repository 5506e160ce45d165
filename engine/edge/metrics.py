"""What the daemon counts, for Prometheus; label look-ups are made once and kept."""

from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from engine.edge.store import Backlog, Stored
from engine.ports import Outcome

_BATCH_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
_SEND_SECONDS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30)
_FAR_PAST = -(2**61)


class Metrics:
    """The daemon's own registry: nothing of the process or of other libraries is in it."""

    def __init__(self) -> None:
        """Declare every metric, so that all names are there from the start."""
        self.registry = CollectorRegistry()
        self._events = self._counter("events", "Records read", "feed")
        self._rejected = self._counter("rejected", "Records refused", "feed", "reason")
        self._counts = self._counter("core", "What the core counted", "what", "label")
        self._alerts = self._counter("alerts", "Alert transitions", "rule", "transition")
        self._deliveries = self._counter("deliveries", "Sends by result", "sink", "result")
        self._batches = self._histogram("batch_seconds", "Time of a batch", _BATCH_SECONDS, "step")
        self._sends = self._histogram("delivery_seconds", "Time of a send", _SEND_SECONDS, "sink")
        self._lag = self._gauge(
            "event_lag_seconds", "Wall clock less newest event time", "feed", "partition"
        )
        self._reach = self._gauge(
            "event_time_seconds", "Newest event time seen (UTC)", "feed", "partition"
        )
        self._watermark = self._gauge("watermark_seconds", "Complete up to (UTC)", "space")
        self._depth = self._gauge("outbox_depth", "Deliveries that wait", "sink")
        self._age = self._gauge("outbox_age_seconds", "Age of the oldest waiting", "sink")
        self._dead = self._gauge("outbox_dead", "Deliveries given up", "sink")
        self._broken = self._gauge("sink_troubled", "1 while a sink keeps failing", "sink")
        self._inbox = self._gauge("inbox_depth", "Posted records not finished", "feed")
        self._keys = self._gauge("state_keys", "Keys with saved state", "rule")
        self._bytes = self._gauge("state_bytes", "Bytes of saved state", "rule")
        self._database = self._gauge("database_bytes", "Size of the database file")
        self._problem = self._gauge("store_blocked", "1 while the disk refuses writes")
        self._child = cache(lambda metric, *labels: metric.labels(*labels))

    def batch(self, feed: str, records: int, compute_s: float, commit_s: float) -> None:
        """A batch went through."""
        if feed:
            self._child(self._events, feed).inc(records)
        self._child(self._batches, "compute").observe(compute_s)
        self._child(self._batches, "commit").observe(commit_s)

    def outcome(self, space: str, outcome: Outcome) -> None:
        """What one key space did with a batch."""
        for (what, label), count in outcome.counts.items():
            self._child(self._counts, what, label).inc(count)
        if outcome.watermark_ms > _FAR_PAST:
            self._child(self._watermark, space).set(outcome.watermark_ms / 1000)

    def stored(self, stored: Stored) -> None:
        """What was new in a write: alerts and dead letters are counted once, repeats never."""
        for change in stored.changes:
            self._child(self._alerts, change.rule, change.transition.value).inc()
        for (feed, reason), count in stored.rejected.items():
            self._child(self._rejected, feed, reason).inc(count)

    def reached(self, feed: str, partition: int, newest_ms: int, now_ms: int) -> None:
        """How new the newest event of a source is."""
        self._child(self._lag, feed, str(partition)).set((now_ms - newest_ms) / 1000)
        self._child(self._reach, feed, str(partition)).set(newest_ms / 1000)

    def delivered(self, sink: str, result: str, seconds: float) -> None:
        """A send ended; `result` is `sent`, `dead` or the bounded reason of a failure."""
        self._child(self._deliveries, sink, result).inc()
        if result == "sent":
            self._child(self._sends, sink).observe(seconds)

    def outbox(self, sink: str, backlog: Backlog, now_ms: int, troubled: bool) -> None:
        """How far a sink is behind."""
        age = 0 if backlog.oldest_ms is None else max(0, now_ms - backlog.oldest_ms)
        self._child(self._depth, sink).set(backlog.waiting)
        self._child(self._age, sink).set(age / 1000)
        self._child(self._dead, sink).set(backlog.dead)
        self._child(self._broken, sink).set(int(troubled))

    def inbox(self, feed: str, depth: int) -> None:
        """How many posted records are not finished."""
        self._child(self._inbox, feed).set(depth)

    def state(self, sizes: Mapping[str, tuple[int, int]], database_bytes: int) -> None:
        """Keys and bytes of state by rule."""
        for rule, (keys, size) in sizes.items():
            self._child(self._keys, rule).set(keys)
            self._child(self._bytes, rule).set(size)
        self._database.set(database_bytes)

    def blocked(self, is_blocked: bool) -> None:
        """Whether the disk refuses writes just now."""
        self._problem.set(int(is_blocked))

    def text(self) -> bytes:
        """Everything, in the Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"forewarn_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"forewarn_{name}", help_, labels, registry=self.registry)

    def _histogram(
        self, name: str, help_: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"forewarn_{name}", help_, labels, buckets=buckets, registry=self.registry)
