"""Which deliveries a sink gets next: in rounds over the alerts, in order within each alert."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.edge.store import outbox, schema

NOW = 1_000


@pytest.fixture
def link(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    link = schema.connect(tmp_path / schema.FILE_NAME, "en")
    yield link
    link.close()


def queue(link: sqlite3.Connection, episode: str, number: int, now_ms: int = NOW) -> None:
    """The next transition of an episode, for the sink `s`."""
    name = f"{episode}-{number}"
    link.execute(
        "INSERT INTO changes (delivery_id, episode_id, rule, key, transition, ordinal, at_ms,"
        " severity, status, body, stored_ms) VALUES (?, ?, 'r', 'k', 'fired', ?, 0, 'red',"
        " 'stable', x'00', 0)",
        (name, episode, number),
    )
    outbox.put(link, name, episode, "s", now_ms)


def drain(link: sqlite3.Connection, limit: int = 8) -> list[str]:
    """Claim and mark until nothing is due."""
    taken = []
    while due := outbox.claim(link, "s", NOW, limit):
        for row in due:
            outbox.mark_sent(link, row.id, NOW)
            taken.append(row.delivery_id)
    return taken


def test_an_alert_with_a_thousand_transitions_waits_its_turn_like_any_other(link) -> None:
    for number in range(1000):
        queue(link, "flood", number)
    for number in range(3):
        queue(link, "second", number)
    queue(link, "third", 0)
    taken = drain(link)
    assert taken[:6] == ["flood-0", "second-0", "third-0", "flood-1", "second-1", "flood-2"]
    assert [name for name in taken if name.startswith("flood")] == [
        f"flood-{n}" for n in range(1000)
    ]


def test_a_new_alert_comes_in_the_round_that_is_going_on(link) -> None:
    for number in range(100):
        queue(link, "flood", number)
    for row in outbox.claim(link, "s", NOW, 8):
        outbox.mark_sent(link, row.id, NOW)
    queue(link, "new", 0)
    assert drain(link)[:2] == ["flood-1", "new-0"]


def test_a_lone_flood_is_found_behind_any_number_of_rows_that_wait_for_it(link) -> None:
    for number in range(200):
        queue(link, "flood", number)
    link.execute("UPDATE outbox SET turn = 500 WHERE delivery_id = 'flood-0'")
    assert drain(link, limit=2) == [f"flood-{n}" for n in range(200)]


def test_a_look_at_a_deep_queue_reads_a_bounded_number_of_rows(link) -> None:
    for number in range(3000):
        queue(link, "flood", number)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    link.set_progress_handler(count, 1000)
    assert len(outbox.claim(link, "s", NOW, 64)) == 1
    link.set_progress_handler(None, 0)
    assert steps < 20


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("psrg")), min_size=1, max_size=40))
def test_whatever_happens_each_alert_is_told_in_its_order_and_nothing_is_forgotten(steps) -> None:
    link = sqlite3.connect(":memory:", isolation_level=None)
    for statement in schema.statements(schema.TABLES):
        link.execute(statement)
    told: dict[str, list[int]] = {}
    numbers: dict[str, int] = {}
    gone: set[str] = set()
    for which, what in steps:
        episode = f"e{which}"
        if what == "p":
            numbers[episode] = numbers.get(episode, -1) + 1
            queue(link, episode, numbers[episode])
            continue
        for row in outbox.claim(link, "s", NOW, 2):
            if what == "s":
                outbox.mark_sent(link, row.id, NOW)
                told.setdefault(row.group, []).append(int(row.delivery_id.split("-")[1]))
            elif what == "r":
                outbox.mark_retry(link, row.id, NOW + 5, "down", "")
            else:
                outbox.mark_dead(link, row.id, NOW, "no", "")
                gone.add(row.delivery_id)
    link.execute("UPDATE outbox SET due_ms = 0")
    for name in drain(link, limit=3):
        episode, _, number = name.partition("-")
        told.setdefault(episode, []).append(int(number))
    link.close()
    for episode, last in numbers.items():
        whole = [n for n in range(last + 1) if f"{episode}-{n}" not in gone]
        assert told.get(episode, []) == whole
