"""Alerts about what is missing wait while their feed is down, and go out when it is back."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.dispatch.inhibit import DownFeeds, Routing
from engine.edge.store.apply import Stored, write_changes
from engine.edge.store.schema import connect
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.ruleset.spec import RouteSpec, Severity

FEED = ("gps-down", "gps")
OTHER = ("beat-down", "beat")
DOWN = DownFeeds(
    {"silent": (FEED,), "unmet": (FEED, OTHER)},
    {FEED: ("silent", "unmet"), OTHER: ("unmet",)},
)


class Desk:
    """A store of its own, and what is due at its one sink."""

    def __init__(self, link: sqlite3.Connection, least: Severity) -> None:
        self.link = link
        self.route = Routing({"default": RouteSpec("default", ("desk",), least)}, DOWN)
        self.ordinals: dict[str, int] = {}
        self.stored = Stored()

    def hears(self, rule: str, key: str, what: str, at: int, severity: str = "yellow") -> None:
        episode = episode_id(rule, key, 0)
        ordinal = self.ordinals[episode] = self.ordinals.get(episode, -1) + 1
        change = Change(
            delivery_id=delivery_id(episode, what, ordinal), episode_id=episode, rule=rule,
            rule_hash="", key=key, transition=Transition(what), ordinal=ordinal, at_ms=at,
            since_ms=0, severity=severity,
        )  # fmt: skip
        write_changes(self.link, [change], self.route, at, self.stored)

    def due(self, phase: str = "due") -> list[tuple[str, str, str]]:
        query = (
            "SELECT c.rule, c.key, c.transition FROM outbox o JOIN changes c USING (delivery_id)"
            " WHERE o.phase = ? ORDER BY o.id"
        )
        return list(self.link.execute(query, (phase,)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    link = connect(tmp_path / "forewarn.db", "en")
    yield Desk(link, Severity.BLUE)
    link.close()


def test_a_thousand_silences_are_one_alert_while_the_feed_is_down(desk: Desk) -> None:
    desk.hears(*FEED, "fired", 10)
    for number in range(1000):
        desk.hears("silent", f"car-{number}", "fired", 20 + number)
    assert desk.due() == [(*FEED, "fired")]
    assert desk.stored.held == {"silent": 1000}
    assert desk.stored.queued == {"desk": 1}


def test_those_that_reported_again_in_the_grace_period_are_never_told(desk: Desk) -> None:
    desk.hears(*FEED, "fired", 10)
    desk.hears("silent", "back", "fired", 20)
    desk.hears("silent", "lost", "fired", 21)
    desk.hears("silent", "back", "cleared", 30)
    desk.hears(*FEED, "cleared", 40)
    told = [(*FEED, "fired"), ("silent", "lost", "fired"), (*FEED, "cleared")]
    assert desk.due() == told
    assert desk.due("withheld") == [("silent", "back", "fired"), ("silent", "back", "cleared")]


def test_what_climbed_while_it_was_held_goes_out_in_its_order(desk: Desk) -> None:
    desk.hears(*FEED, "fired", 10)
    desk.hears("silent", "lost", "fired", 20)
    desk.hears("silent", "lost", "raised", 30, "orange")
    desk.hears(*FEED, "cleared", 40)
    desk.hears("silent", "lost", "cleared", 50, "orange")
    assert [what for rule, _, what in desk.due() if rule == "silent"] == [
        "fired", "raised", "cleared",
    ]  # fmt: skip


def test_an_alert_of_before_goes_on_as_ever(desk: Desk) -> None:
    desk.hears("silent", "lost", "fired", 5)
    desk.hears(*FEED, "fired", 10)
    desk.hears("silent", "lost", "cleared", 20)
    assert desk.due() == [
        ("silent", "lost", "fired"), (*FEED, "fired"), ("silent", "lost", "cleared"),
    ]  # fmt: skip


def test_one_that_came_before_the_alert_that_explains_it_is_held_if_nobody_took_it(
    desk: Desk,
) -> None:
    desk.hears("silent", "one", "fired", 12)
    desk.hears("silent", "two", "fired", 13)
    desk.link.execute(
        "UPDATE outbox SET phase = 'sent' WHERE episode_id = ?", (episode_id("silent", "two", 0),)
    )
    desk.hears(*FEED, "fired", 10)
    assert desk.due() == [(*FEED, "fired")]
    assert desk.due("held") == [("silent", "one", "fired")]


def test_what_two_feeds_explain_waits_for_both(desk: Desk) -> None:
    desk.hears(*FEED, "fired", 10)
    desk.hears(*OTHER, "fired", 11)
    desk.hears("unmet", "site", "fired", 20)
    desk.hears(*FEED, "cleared", 30)
    assert ("unmet", "site", "fired") not in desk.due()
    desk.hears(*OTHER, "cleared", 40)
    assert ("unmet", "site", "fired") in desk.due()


def test_rules_about_other_things_are_not_held(desk: Desk) -> None:
    desk.hears(*FEED, "fired", 10)
    desk.hears("speeding", "car", "fired", 20)
    assert ("speeding", "car", "fired") in desk.due()


def test_one_that_climbs_into_a_routes_range_is_held_too(tmp_path: Path) -> None:
    link = connect(tmp_path / "forewarn.db", "en")
    desk = Desk(link, Severity.ORANGE)
    desk.hears(*FEED, "fired", 10, "red")
    desk.hears("silent", "lost", "fired", 20)
    desk.hears("silent", "lost", "raised", 30, "red")
    assert desk.due("held") == [("silent", "lost", "raised")]
    link.close()
