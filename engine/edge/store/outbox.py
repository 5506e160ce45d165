"""The outbox in SQL: which deliveries are due at a sink, and what became of each."""

import sqlite3

from engine.ports import Backlog, Due

LOOK = 4
"""So many rows for each that is asked for are looked at, before all are."""


def put(link: sqlite3.Connection, delivery: str, episode: str, sink: str, now_ms: int) -> None:
    """Queue a delivery, once a sink; behind an earlier one of its episode that still waits.

    Deliveries go out in rounds (`turn`), so that an episode with a thousand transitions has one
    in each: it comes a round after the one before it, a new episode in the round that is going on.
    """
    before = link.execute(
        "SELECT due_ms, turn + 1 FROM outbox WHERE sink = ? AND episode_id = ? AND phase = 'due'"
        " ORDER BY id DESC LIMIT 1",
        (sink, episode),
    ).fetchone()
    due_ms, turn = before or (0, 0)
    link.execute(
        "INSERT INTO outbox (delivery_id, sink, episode_id, due_ms, stored_ms, turn)"
        " VALUES (?1, ?2, ?3, max(?4, ?5), ?4, max(?6, coalesce("
        "(SELECT min(turn) FROM outbox WHERE sink = ?2 AND phase = 'due'), 0)))"
        " ON CONFLICT DO NOTHING",
        (delivery, sink, episode, now_ms, due_ms, turn),
    )


def claim(link: sqlite3.Connection, sink: str, now_ms: int, limit: int) -> list[Due]:
    """Due deliveries of a sink, at most one an episode: by their round, then by their age.

    A later transition of an episode waits until the earlier one was taken or given up, so a peer
    never hears `cleared` before `fired`. Nothing is marked: after a crash the same row is due.
    A backlog costs no more to look into than a short queue.
    """
    heads, looked = _heads(link, sink, now_ms, limit, LOOK * limit)
    if not heads and looked == LOOK * limit:
        heads, _ = _heads(link, sink, now_ms, limit, -1)
    marks = ",".join("?" * len(heads))
    rows = link.execute(
        "SELECT o.id, o.delivery_id, o.episode_id, o.attempts, o.stored_ms, c.body"  # noqa: S608
        f" FROM outbox o JOIN changes c USING (delivery_id) WHERE o.id IN ({marks})"
        " ORDER BY o.turn, o.id",
        heads,
    )
    return [Due(*row) for row in rows]


def _heads(
    link: sqlite3.Connection, sink: str, now_ms: int, limit: int, look: int
) -> tuple[list[int], int]:
    """Rows that wait for no other of their episode, and how many rows were looked at for them."""
    rows = link.execute(
        "SELECT id, NOT EXISTS (SELECT 1 FROM outbox e WHERE e.sink = o.sink AND"
        " e.episode_id = o.episode_id AND e.phase = 'due' AND e.id < o.id) FROM"
        " (SELECT id, sink, episode_id FROM outbox INDEXED BY outbox_turn WHERE sink = ?"
        " AND phase = 'due' AND due_ms <= ? ORDER BY turn, id LIMIT ?) o",
        (sink, now_ms, look),
    )
    heads: list[int] = []
    looked = 0
    for row, is_head in rows:
        looked += 1
        if is_head:
            heads.append(row)
            if len(heads) == limit:
                break
    return heads, looked


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
    """Give a delivery up, with the reason; people may send it again by hand."""
    link.execute(
        "UPDATE outbox SET phase = 'dead', attempts = attempts + 1, done_ms = ?, reason = ?,"
        " detail = ? WHERE id = ? AND phase = 'due'",
        (now_ms, reason, detail, row),
    )


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
