"""What the daemon counts, for Prometheus; label look-ups are made once and kept."""

import platform
import shutil
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from engine.edge.store import Backlog, Stored
from engine.errors import StateError
from engine.ports import Outcome
from engine.state.codec import unpack_meta

_BATCH_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
_RESTORE_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 20, 60, 300)
_PAUSE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_SEND_SECONDS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30)
_FAR_PAST = -(2**61)
_RECORD_S = 5.0
"""A partition's own record is looked into at most this often: it can be large."""


class Metrics:
    """The daemon's own registry: nothing of other libraries is in it, every name is `forewarn_...`.

    Attributes:
        labels: The label names of every figure that we declare.

    """

    def __init__(self) -> None:
        """Declare every metric, so that all names are there from the start."""
        self.registry = CollectorRegistry()
        self.labels: dict[str, tuple[str, ...]] = {}
        self._events = self._counter("events", "Records read", "feed")
        self._rejected = self._counter("rejected", "Records refused", "feed", "reason")
        self._counts = self._counter("core", "What the core counted", "what", "label")
        self._alerts = self._counter("alerts", "Alert transitions", "rule", "transition")
        self._held = self._counter("held", "Alerts held while their feed is down", "rule")
        self._deliveries = self._counter("deliveries", "Sends by result", "sink", "result")
        self._batches = self._histogram("batch_seconds", "Time of a batch", _BATCH_SECONDS, "step")
        self._sends = self._histogram("delivery_seconds", "Time of a send", _SEND_SECONDS, "sink")
        self._lag = self._gauge(
            "event_lag_seconds", "Wall clock less newest event time", "feed", "partition"
        )
        self._reach = self._gauge(
            "event_time_seconds", "Newest event time seen (UTC)", "feed", "partition"
        )
        self._watermark = self._gauge(
            "watermark_seconds", "Complete up to (UTC)", "space", "partition"
        )
        self._waiting = self._gauge(
            "waiting_records", "Records read that wait for their turn", "space", "partition"
        )
        self._off = self._gauge(
            "rule_quarantined", "1 while a rule is taken out", "rule", "space", "partition"
        )
        self._troubles = self._counter("troubles", "What operators must hear of", "kind", "rule")
        self._restores = self._histogram(
            "restore_seconds", "Time to read saved state back", _RESTORE_SECONDS
        )
        self._reloads = self._counter("reloads", "Edits of the rules by outcome", "outcome")
        self._refused = self._gauge(
            "reload_refused", "1 while the declared rules are refused and older ones go on"
        )
        self._pauses = self._histogram(
            "reload_pause_seconds", "How long a change of rules held events up", _PAUSE_SECONDS
        )
        self._depth = self._gauge("outbox_depth", "Deliveries that wait", "sink")
        self._age = self._gauge("outbox_age_seconds", "Age of the oldest waiting", "sink")
        self._dead = self._gauge("outbox_dead", "Deliveries given up", "sink")
        self._broken = self._gauge("sink_troubled", "1 while a sink keeps failing", "sink")
        self._sources = self._counter("source", "What a source counted", "source", "what")
        self._inbox = self._gauge("inbox_depth", "Posted records not finished", "feed")
        self._keys = self._gauge("state_keys", "Keys with saved state", "rule")
        self._bytes = self._gauge("state_bytes", "Bytes of saved state", "rule")
        self._database = self._gauge("database_bytes", "Size of the database file")
        self._problem = self._gauge("store_blocked", "1 while the disk refuses writes")
        self._free = self._gauge("disk_free_bytes", "Free space where the data folder is")
        self._ready = self._gauge("ready", "1 while records are taken in and kept")
        self._gauge("build_info", "What runs", "version", "python").labels(
            _own_version(), platform.python_version()
        ).set(1)
        ProcessCollector(namespace="forewarn", registry=self.registry)
        self._looked: dict[tuple[str, int], float] = {}
        self._quarantined: dict[tuple[str, int], frozenset[str]] = {}
        self._child = cache(lambda metric, *labels: metric.labels(*labels))

    def batch(self, feed: str, records: int, compute_s: float, commit_s: float) -> None:
        """A batch went through."""
        if feed:
            self._child(self._events, feed).inc(records)
        self._child(self._batches, "compute").observe(compute_s)
        self._child(self._batches, "commit").observe(commit_s)

    def outcome(self, space: str, outcome: Outcome, partition: int = 0) -> None:
        """What one partition of a key space did with a batch."""
        for (what, label), count in outcome.counts.items():
            self._child(self._counts, what, label).inc(count)
        for trouble in outcome.troubles:
            self._child(self._troubles, trouble.kind, trouble.rule).inc()
        if outcome.watermark_ms > _FAR_PAST:
            watermark = self._child(self._watermark, space, str(partition))
            watermark.set(outcome.watermark_ms / 1000)
        if outcome.meta:
            self._look_into(space, partition, outcome.meta, at_once=bool(outcome.troubles))

    def restored(self, seconds: float) -> None:
        """Saved state was read back."""
        self._restores.observe(seconds)

    def reloaded(self, outcome: str, pause_s: float) -> None:
        """An edit of the rules became live, was refused, or changed nothing."""
        self._child(self._reloads, outcome).inc()
        self._refused.set(int(outcome == "refused"))
        if outcome == "live":
            self._pauses.observe(pause_s)

    def rules_refused(self) -> None:
        """The daemon came up with the last good rules, because the declared ones are refused."""
        self._refused.set(1)

    def released(self, space: str, partition: int) -> None:
        """This partition is somebody else's now: what it said last must not look like a stall."""
        place = (space, str(partition))
        self._watermark.remove(*place)
        self._waiting.remove(*place)
        for rule in self._quarantined.pop((space, partition), frozenset()):
            self._off.remove(rule, *place)
        self._looked.pop((space, partition), None)
        self._child.cache_clear()

    def stored(self, stored: Stored) -> None:
        """What was new in a write: alerts and dead letters are counted once, repeats never."""
        for change in stored.changes:
            self._child(self._alerts, change.rule, change.transition.value).inc()
        for (feed, reason), count in stored.rejected.items():
            self._child(self._rejected, feed, reason).inc(count)
        for rule, count in stored.held.items():
            self._child(self._held, rule).inc(count)

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

    def source(self, name: str, what: str, count: int) -> None:
        """A source counted something of its own: callers, messages, refusals."""
        self._child(self._sources, name, what).inc(count)

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

    def disk(self, folder: Path) -> None:
        """How much room the data folder has."""
        self._free.set(shutil.disk_usage(folder).free)

    def ready(self, is_ready: bool) -> None:
        """Whether records are taken in and kept just now."""
        self._ready.set(int(is_ready))

    def text(self) -> bytes:
        """Everything, in the Prometheus text format."""
        return generate_latest(self.registry)

    def _look_into(self, space: str, partition: int, record: bytes, *, at_once: bool) -> None:
        """Read from a partition's own record what waits in it and which rules are off."""
        place, now = (space, partition), time.monotonic()
        if not at_once and now - self._looked.get(place, -_RECORD_S) < _RECORD_S:
            return
        self._looked[place] = now
        try:
            meta = unpack_meta(record)
        except (msgspec.DecodeError, StateError):
            return  # figures are no reason to stop; whoever restores from it will say so
        waiting = sum(read - done for done, read, _ in meta.positions.values())
        self._child(self._waiting, space, str(partition)).set(waiting)
        off = frozenset(rule for rule, (_, since) in meta.troubled.items() if since is not None)
        for rule in off | self._quarantined.get(place, frozenset()):
            self._child(self._off, rule, space, str(partition)).set(int(rule in off))
        self._quarantined[place] = off

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        self.labels[f"forewarn_{name}"] = labels
        return Counter(f"forewarn_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        self.labels[f"forewarn_{name}"] = labels
        return Gauge(f"forewarn_{name}", help_, labels, registry=self.registry)

    def _histogram(
        self, name: str, help_: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        self.labels[f"forewarn_{name}"] = labels
        return Histogram(f"forewarn_{name}", help_, labels, buckets=buckets, registry=self.registry)


def _own_version() -> str:
    try:
        return version("forewarn")
    except PackageNotFoundError:
        return "0+source"
