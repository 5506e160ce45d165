"""Deliveries that wait in the outbox because their feed is down: held, let go, or withheld.

A row that is `held` is due to nobody. When the alert that the feed is down ends, the rows of alerts
that still go on become due; an alert that ended while it was held is never told (`withheld`).
"""

import sqlite3
from collections.abc import Sequence

from engine.dispatch.inhibit import DownFeeds
from engine.model.change import ENDED, Change, Transition

_GOES_ON = "transition NOT IN ({})".format(", ".join(f"'{one}'" for one in sorted(ENDED)))


def hold(link: sqlite3.Connection, change: Change, down: DownFeeds, now_ms: int) -> bool:
    """Hold back what a change would have sent, if its feed is down; answers whether it is held.

    The rows of the change are in the outbox already.
    """
    if change.rule not in down.explains:
        return False
    held = _is_held(link, change.episode_id)
    if not held and change.transition not in ENDED and not _was_told(link, change):
        held = any(_is_open(link, *alert) for alert in down.explains[change.rule])
    if not held:
        return False
    ended = change.transition in ENDED
    link.execute(
        "UPDATE outbox SET phase = ?, done_ms = ? WHERE episode_id = ? AND phase = ?",
        ("withheld", now_ms, change.episode_id, "held")
        if ended
        else ("held", None, change.episode_id, "due"),
    )
    if ended:
        link.execute(
            "UPDATE outbox SET phase = 'withheld', done_ms = ?"
            " WHERE delivery_id = ? AND phase = 'due'",
            (now_ms, change.delivery_id),
        )
    return True


def feed_changed(link: sqlite3.Connection, change: Change, down: DownFeeds, now_ms: int) -> None:
    """A feed went down or is back: hold what was not sent since, or let go of what still goes on.

    Alerts may be read before the one that explains them, if another worker raised them.
    """
    rules = down.explained.get((change.rule, change.key), ())
    if not rules:
        return
    if change.transition is Transition.FIRED:
        for episode in _fired_since(link, rules, change.at_ms):
            link.execute(
                "UPDATE outbox SET phase = 'held' WHERE episode_id = ? AND phase = 'due'"
                " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.episode_id = outbox.episode_id"
                " AND (o.phase <> 'due' OR o.attempts > 0))",
                (episode,),
            )
    elif change.transition in ENDED:
        still = [
            alert
            for rule in rules
            for alert in down.explains[rule]
            if alert != (change.rule, change.key) and _is_open(link, *alert)
        ]
        kept = {rule for alert in still for rule in down.explained[alert]}
        for rule in rules:
            if rule not in kept:
                _let_go(link, rule, now_ms)


def _let_go(link: sqlite3.Connection, rule: str, now_ms: int) -> None:
    """Make due what is held of a rule's alerts that still go on; the others are never told."""
    link.execute(
        "UPDATE outbox SET phase = 'due', due_ms = ?1, stored_ms = ?1 WHERE phase = 'held'"  # noqa: S608 - our own words
        " AND episode_id IN (SELECT episode_id FROM alerts WHERE rule = ?2"
        f" AND {_GOES_ON})",
        (now_ms, rule),
    )
    link.execute(
        "UPDATE outbox SET phase = 'withheld', done_ms = ?1 WHERE phase = 'held'"
        " AND episode_id IN (SELECT episode_id FROM alerts WHERE rule = ?2)",
        (now_ms, rule),
    )


def _was_told(link: sqlite3.Connection, change: Change) -> bool:
    """Whether anybody was to hear of an earlier transition of this alert."""
    row = link.execute(
        "SELECT 1 FROM outbox WHERE episode_id = ? AND delivery_id <> ? LIMIT 1",
        (change.episode_id, change.delivery_id),
    ).fetchone()
    return row is not None


def _is_held(link: sqlite3.Connection, episode: str) -> bool:
    row = link.execute(
        "SELECT 1 FROM outbox WHERE episode_id = ? AND phase = 'held' LIMIT 1", (episode,)
    ).fetchone()
    return row is not None


def _is_open(link: sqlite3.Connection, rule: str, key: str) -> bool:
    row = link.execute(
        "SELECT 1 FROM alerts WHERE rule = ? AND key = ?"  # noqa: S608
        f" AND {_GOES_ON} LIMIT 1",
        (rule, key),
    ).fetchone()
    return row is not None


def _fired_since(link: sqlite3.Connection, rules: Sequence[str], at_ms: int) -> list[str]:
    """Alerts of rules that fired at an instant or later."""
    found: list[str] = []
    for rule in rules:
        rows = link.execute(
            "SELECT episode_id FROM changes"  # noqa: S608
            " WHERE rule = ? AND transition = 'fired' AND at_ms >= ?"
            " AND episode_id IN (SELECT episode_id FROM alerts WHERE rule = changes.rule"
            f" AND {_GOES_ON})",
            (rule, at_ms),
        )
        found += [row[0] for row in rows]
    return found
