"""What a worker or dispatcher on Kafka counts beside what every daemon counts."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from engine.edge.metrics import Metrics

_COMMIT_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30)


class KafkaMetrics:
    """Figures about partitions, transactions and the group, in the daemon's own registry."""

    def __init__(self, metrics: Metrics) -> None:
        """Declare every metric, so that all names are there from the start."""
        self._metrics = metrics
        self._lag = self._gauge("lag_records", "Records not read yet", "topic", "partition")
        self._units = self._gauge("units", "Partitions that this worker works on")
        self._ready = self._gauge("units_ready", "Those of them that are restored and read")
        self._lost = self._counter("units_lost", "Partitions thrown away and restored", "reason")
        self._rebalances = self._counter("rebalances", "Times the group dealt partitions out")
        self._missing = self._counter(
            "missing_records", "Records deleted by retention before they were read", "topic"
        )
        self._read = self._counter("records", "Records handed to the rules", "topic")
        self._rows = self._counter("restored_rows", "Rows of saved state taken up")
        self._commits = self._histogram("commit_seconds", "Time of a transaction")
        self._batches = self._histogram("batch_seconds", "Time the rules took for a turn")
        self._child = cache(lambda metric, *labels: metric.labels(*labels))

    def holding(self, units: int, ready: int) -> None:
        """How many partitions this worker has, and how many of them work."""
        self._units.set(units)
        self._ready.set(ready)

    def dealt(self) -> None:
        """The group dealt partitions out."""
        self._rebalances.inc()

    def lost(self, reason: str) -> None:
        """A partition's memory was thrown away; `reason` is `fenced`, `failed` or `taken`."""
        self._child(self._lost, reason).inc()

    def restored(self, seconds: float) -> None:
        """A partition's saved state was read back."""
        self._metrics.restored(seconds)

    def released(self, space: str, partition: int) -> None:
        """A partition of a key space is not ours now."""
        self._metrics.released(space, partition)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """How many records of a partition were not read yet."""
        self._child(self._lag, topic, str(partition)).set(records)

    def unread(self, topic: str, partition: int) -> None:
        """A partition is not read by us now; whoever reads it tells of its lag."""
        self._lag.remove(topic, str(partition))
        self._child.cache_clear()

    def missing(self, topic: str, records: int) -> None:
        """Records were deleted before they were read."""
        self._child(self._missing, topic).inc(records)

    def committed(self, seconds: float) -> None:
        """A transaction was made."""
        self._commits.observe(seconds)

    def read(self, topic: str, records: int) -> None:
        """Records of a topic were handed to the rules or to a router."""
        self._child(self._read, topic).inc(records)

    def worked(self, seconds: float) -> None:
        """What one turn brought was worked on."""
        self._batches.observe(seconds)

    def took_up(self, rows: int) -> None:
        """Rows of saved state were taken up."""
        self._rows.inc(rows)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        self._metrics.labels[f"forewarn_kafka_{name}"] = labels
        return Gauge(f"forewarn_kafka_{name}", help_, labels, registry=self._metrics.registry)

    def _histogram(self, name: str, help_: str) -> Histogram:
        full = f"forewarn_kafka_{name}"
        self._metrics.labels[full] = ()
        return Histogram(full, help_, buckets=_COMMIT_SECONDS, registry=self._metrics.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        self._metrics.labels[f"forewarn_kafka_{name}"] = labels
        return Counter(f"forewarn_kafka_{name}", help_, labels, registry=self._metrics.registry)
