"""The outbox in SQL: which deliveries are due at a sink, and what became of each."""

import sqlite3

from engine.ports import Backlog, Due


def put(link: sqlite3.Connection, delivery: str, episode: str, sink: str, now_ms: int) -> None:
    """Queue a delivery, once a sink; behind an earlier one of its episode that still waits."""
    link.execute(
        "INSERT INTO outbox (delivery_id, sink, episode_id, due_ms, stored_ms) VALUES (?1, ?2, ?3,"
        " max(?4, coalesce((SELECT max(due_ms) FROM outbox WHERE sink = ?2 AND episode_id = ?3"
        " AND phase = 'due'), 0)), ?4) ON CONFLICT DO NOTHING",
        (delivery, sink, episode, now_ms),
    )


def claim(link: sqlite3.Connection, sink: str, now_ms: int, limit: int) -> list[Due]:
    """The oldest due deliveries of a sink, at most one an episode.

    A later transition of an episode waits until the earlier one was taken or given up, so a peer
    never hears `cleared` before `fired`. Nothing is marked: after a crash the same row is due.
    """
    rows = link.execute(
        "SELECT o.id, o.delivery_id, o.episode_id, o.attempts, o.stored_ms, c.body"
        " FROM outbox o JOIN changes c USING (delivery_id)"
        " WHERE o.sink = ? AND o.phase = 'due' AND o.due_ms <= ? AND NOT EXISTS ("
        "  SELECT 1 FROM outbox e WHERE e.sink = o.sink AND e.episode_id = o.episode_id"
        "  AND e.phase = 'due' AND e.id < o.id)"
        " ORDER BY o.id LIMIT ?",
        (sink, now_ms, limit),
    )
    return [Due(*row) for row in rows]


def mark_sent(link: sqlite3.Connection, row: int, now_ms: int) -> None:
    """Note that the peer took a delivery."""
    link.execute(
        "UPDATE outbox SET phase = 'sent', attempts = attempts + 1, done_ms = ?, reason = '',"
        " detail = '' WHERE id = ? AND phase = 'due'",
        (now_ms, row),
    )


def mark_retry(link: sqlite3.Connection, row: int, due_ms: int, reason: str, detail: str) -> None:
    """Note that a delivery failed for now, and when it (and its episode with it) is due again."""
    link.execute(
        "UPDATE outbox SET attempts = attempts + 1, reason = ?, detail = ?"
        " WHERE id = ? AND phase = 'due'",
        (reason, detail, row),
    )
    link.execute(
        "UPDATE outbox SET due_ms = max(?1, CASE id WHEN ?2 THEN 0 ELSE due_ms END)"
        " WHERE phase = 'due' AND (sink, episode_id) IN"
        " (SELECT sink, episode_id FROM outbox WHERE id = ?2)",
        (due_ms, row),
    )


def mark_dead(link: sqlite3.Connection, row: int, now_ms: int, reason: str, detail: str) -> None:
    """Give a delivery up, with the reason; `revive` brings it back."""
    link.execute(
        "UPDATE outbox SET phase = 'dead', attempts = attempts + 1, done_ms = ?, reason = ?,"
        " detail = ? WHERE id = ? AND phase = 'due'",
        (now_ms, reason, detail, row),
    )


def revive(link: sqlite3.Connection, sink: str, now_ms: int) -> int:
    """Make the given-up deliveries of a sink due again; answers how many."""
    done = link.execute(
        "UPDATE outbox SET phase = 'due', attempts = 0, due_ms = ?, stored_ms = ?, done_ms = NULL"
        " WHERE sink = ? AND phase = 'dead'",
        (now_ms, now_ms, sink),
    )
    return done.rowcount


def recall(link: sqlite3.Connection, now_ms: int) -> int:
    """Make due what was stored after now, so under a clock that was wrong; answers how many."""
    return link.execute(
        "UPDATE outbox SET due_ms = ?1, stored_ms = ?1 WHERE phase = 'due' AND stored_ms > ?1",
        (now_ms,),
    ).rowcount


def clamp(link: sqlite3.Connection, now_ms: int, latest_ms: int) -> None:
    """Bring deliveries nearer that the wall clock, set back while nobody ran, has moved away."""
    recall(link, now_ms)
    link.execute(
        "UPDATE outbox SET due_ms = ? WHERE phase = 'due' AND due_ms > ?", (latest_ms, latest_ms)
    )


def shift(link: sqlite3.Connection, now_ms: int, by_ms: int) -> None:
    """Let a step of the wall clock neither delay what is due nor make it older.

    What was queued between the step and now may become due, or look younger, a little early.
    """
    link.execute(
        "UPDATE outbox SET stored_ms = min(?1, stored_ms + max(0, ?2)) WHERE phase = 'due'",
        (now_ms, by_ms),
    )
    link.execute(
        "UPDATE outbox SET due_ms = max(?1, due_ms + ?2) WHERE phase = 'due' AND due_ms > ?1"
        " AND ?2 < 0",
        (now_ms, by_ms),
    )


def next_due_ms(link: sqlite3.Connection, sink: str) -> int | None:
    """When the next delivery of a sink is due; None when nothing waits."""
    query = "SELECT min(due_ms) FROM outbox WHERE sink = ? AND phase = 'due'"
    due: int | None = link.execute(query, (sink,)).fetchone()[0]
    return due


def backlog(link: sqlite3.Connection, sink: str) -> Backlog:
    """How far a sink is behind."""
    waiting, oldest = link.execute(
        "SELECT count(*), min(stored_ms) FROM outbox WHERE sink = ? AND phase = 'due'", (sink,)
    ).fetchone()
    (dead,) = link.execute(
        "SELECT count(*) FROM outbox WHERE sink = ? AND phase = 'dead'", (sink,)
    ).fetchone()
    return Backlog(waiting, oldest, dead)
