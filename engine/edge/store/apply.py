"""What one batch writes: positions, state, alerts, outbox rows, dead letters, all in one go."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from engine.chain import Handed
from engine.dispatch.inhibit import DownFeeds
from engine.edge import crashpoint
from engine.edge.store import held, outbox, rulesets
from engine.edge.store.notes import write_notes
from engine.edge.store.rulesets import Succession
from engine.feeds.derived import PREFIX
from engine.model.change import Change, Transition
from engine.ports import Outcome, Position, Rejected, SourceId, Trouble, Write

Route = Callable[[Change], Sequence[str]]
"""Names of the sinks that must hear of a change; none for shadow rules."""

Place = tuple[str, int]
"""A key space and a partition of it."""


class Tick(NamedTuple):
    """A quiet time that was acted on: `idle` of one source, or `tick` of a whole key space."""

    kind: str
    space: str
    feed: str = ""
    partition: int = 0
    elapsed_ms: int = 0


@dataclass(slots=True)
class Stored:
    """What was new in a write, for metrics and to wake the senders.

    Attributes:
        changes: Transitions that were not stored before.
        queued: New outbox rows by sink.
        rejected: New dead letters by (feed, reason).
        held: Alerts that wait because their feed is down, by rule.

    """

    changes: list[Change] = field(default_factory=list)
    queued: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)


_NOBODY = DownFeeds()
_encode = msgspec.json.Encoder().encode


def write_outcomes(
    link: sqlite3.Connection,
    outcomes: Mapping[Place, Outcome],
    ticks: Sequence[Tick],
    reach: Mapping[SourceId, int],
    route: Route,
    now_ms: int,
    handed: Sequence[Handed] = (),
    succession: Succession | None = None,
) -> Stored:
    """Keep everything that a batch did. The caller's transaction makes it all or nothing."""
    stored = Stored()
    if succession is not None:
        write_changes(link, succession.closing, route, now_ms, stored)
        rulesets.forget_spaces(link, succession.gone)
        rulesets.note(link, rulesets.LIVE, succession.live, now_ms)
        rulesets.note(link, rulesets.REFUSED, "", now_ms)
    link.executemany(
        "INSERT INTO handed VALUES (?, ?, ?, ?)",
        [(space, log, record.offset, record.value) for space, log, record in handed],
    )
    link.executemany(
        "INSERT OR REPLACE INTO reach VALUES (?, ?, ?)",
        [(*stream, newest_ms) for stream, newest_ms in reach.items()],
    )
    for tick in ticks:
        link.execute(
            "INSERT INTO ticks (kind, space, feed, partition, elapsed_ms, written_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*tick, now_ms),
        )
    for (space, partition), outcome in outcomes.items():
        write_state(link, space, partition, outcome.writes)
        if outcome.meta:
            link.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?, ?, ?)",
                (space, partition, outcome.meta, outcome.watermark_ms),
            )
        write_positions(link, space, partition, outcome.positions)
        drop_released(link, space, outcome.positions)
        write_changes(link, outcome.changes, route, now_ms, stored)
        write_dead(link, "rejected", outcome.rejected, now_ms, stored)
        write_dead(link, "late", outcome.late, now_ms, stored)
        write_troubles(link, outcome.troubles, now_ms)
        write_notes(link, outcome.notes, now_ms)
    if succession is not None:
        crashpoint.passing("swap-not-committed")
    crashpoint.passing("before-commit")
    return stored


def write_state(
    link: sqlite3.Connection, space: str, partition: int, writes: Iterable[Write]
) -> None:
    """Keep the changed rows of a partition; a row without value is forgotten."""
    kept, gone = [], []
    for rule, key, value in writes:
        if value is None:
            gone.append((space, partition, rule, key))
        else:
            kept.append((space, partition, rule, key, value))
    if kept:
        link.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?)", kept)
    if gone:
        link.executemany(
            "DELETE FROM state WHERE space = ? AND partition = ? AND rule = ? AND key = ?", gone
        )


def write_positions(
    link: sqlite3.Connection, origin: str, partition: int, positions: Mapping[str, Position]
) -> None:
    """Keep how far a space (or a dispatcher) has read each log."""
    link.executemany(
        "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)",
        [(origin, partition, log, *position) for log, position in positions.items()],
    )


def drop_released(link: sqlite3.Connection, space: str, positions: Mapping[str, Position]) -> None:
    """Forget what was handed to a key space and is released for good."""
    link.executemany(
        "DELETE FROM handed WHERE space = ? AND log = ? AND place < ?",
        [
            (space, log, position.committed)
            for log, position in positions.items()
            if log.startswith(PREFIX)
        ],
    )


def write_changes(
    link: sqlite3.Connection, changes: Iterable[Change], route: Route, now_ms: int, stored: Stored
) -> None:
    """Keep transitions, each once, with one outbox row for every sink that must hear of it."""
    for change in changes:
        fresh = link.execute(
            "INSERT INTO changes (delivery_id, episode_id, rule, key, transition, ordinal, at_ms,"
            " severity, status, body, stored_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (delivery_id) DO NOTHING",
            (
                change.delivery_id, change.episode_id, change.rule, change.key,
                change.transition.value, change.ordinal, change.at_ms, str(change.severity),
                str(change.status), _encode(change), now_ms,
            ),
        )  # fmt: skip
        if not fresh.rowcount:
            continue
        stored.changes.append(change)
        link.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (episode_id) DO UPDATE SET transition = excluded.transition,"
            " ordinal = excluded.ordinal, severity = excluded.severity, at_ms = excluded.at_ms,"
            " delivery_id = excluded.delivery_id WHERE excluded.ordinal >= alerts.ordinal",
            (
                change.episode_id, change.rule, change.key, change.transition.value,
                change.ordinal, str(change.severity), change.since_ms, change.at_ms,
                change.delivery_id,
            ),
        )  # fmt: skip
        sinks, down = route(change), getattr(route, "down", _NOBODY)
        for sink in sinks:
            outbox.put(link, change.delivery_id, change.episode_id, sink, now_ms)
        held.feed_changed(link, change, down, now_ms)
        if sinks and held.hold(link, change, down, now_ms):
            stored.held[change.rule] += change.transition is Transition.FIRED
        else:
            stored.queued.update(sinks)
        crashpoint.passing("alert-row-inserted")


def write_dead(
    link: sqlite3.Connection,
    kind: str,
    rejected: Iterable[Rejected],
    now_ms: int,
    stored: Stored,
) -> None:
    """Keep records that could not be used, once each though several key spaces saw them.

    A record without a place in a log has a negative offset.
    """
    for (feed, partition), place, reason, detail, value in rejected:
        fresh = link.execute(
            "INSERT INTO dead (kind, feed, partition, place, reason, detail, value, stored_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                kind, feed, partition, place if place >= 0 else None, reason, detail,
                value or b"", now_ms,
            ),
        )  # fmt: skip
        if fresh.rowcount and kind == "rejected":
            stored.rejected[feed, reason] += 1


def write_troubles(link: sqlite3.Connection, troubles: Iterable[Trouble], now_ms: int) -> None:
    """Keep what an operator must hear about."""
    link.executemany(
        "INSERT INTO troubles (kind, rule, detail, at_ms, stored_ms) VALUES (?, ?, ?, ?, ?)",
        [(*trouble, now_ms) for trouble in troubles],
    )
