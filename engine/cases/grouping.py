"""Which case an alert belongs to: what must agree, how near, how soon, and what comes back.

An alert of a group joins the group's open case; after the close it opens the same case again for
as long as the route says; else it opens its own.
"""

import json
from dataclasses import dataclass

from engine.cases.book import Book
from engine.cases.decision import Decision
from engine.cases.model import OPEN, Incident, State
from engine.cases.policy import Together
from engine.geo.distance import distance_m
from engine.model.change import Change

MOST_MEMBERS = 500
"""Alerts of one case; the next one opens a case of its own, so that no case grows for ever."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where an alert belongs.

    Attributes:
        incident: The case it joins; None: it opens its own.
        recurs: Whether it brings the matter back: the case was closed, or was being verified.

    """

    incident: Incident | None = None
    recurs: bool = False


def group_key(decision: Decision, alert: Change) -> str:
    """What later alerts must share with this one to be the same matter.

    Without a position nothing can be near, so an alert that is grouped by place and has none is a
    matter of its own.
    """
    grouping = decision.grouping
    parts: list[list[str]] = []
    for what in grouping.by:
        match what:
            case Together.ENTITY:
                parts.append(["key", alert.key])
            case Together.RULE:
                parts.append(["rule", alert.rule])
            case Together.AREA:
                parts.append(["area", decision.area])
            case Together.LABELS:
                parts += [[f"label.{name}", alert.labels.get(name, "")] for name in grouping.labels]
            case Together.PLACE:
                known = alert.lon is not None and alert.lat is not None
                parts.append(["place", f"{grouping.radius_m:g}"])
                parts += [] if known else [["episode", alert.episode_id]]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def home_of(book: Book, decision: Decision, alert: Change, group: str, now_ms: int) -> Home:
    """The case that an alert of a group belongs to, as the group stands now."""
    found = _open(book, decision, alert, group)
    if found is not None and takes(found, decision, now_ms):
        return Home(found, recurs=found.state is State.VERIFYING)
    if decision.grouping.recur_ms:
        closed = book.closed_in(group, now_ms - decision.grouping.recur_ms)
        if closed is not None and len(closed.members) < MOST_MEMBERS:
            near = Together.PLACE not in decision.grouping.by or _near(closed, decision, alert)
            if near:
                return Home(closed, recurs=True)
    return Home()


def takes(incident: Incident, decision: Decision, now_ms: int) -> bool:
    """Whether an open case still takes new alerts."""
    if incident.state not in OPEN or len(incident.members) >= MOST_MEMBERS:
        return False
    within = decision.grouping.within_ms
    last = max((member.joined_ms for member in incident.members), default=incident.opened_ms)
    return not within or now_ms - last <= within


def _open(book: Book, decision: Decision, alert: Change, group: str) -> Incident | None:
    if Together.PLACE not in decision.grouping.by:
        return book.open_in(group)
    if alert.lon is None or alert.lat is None:
        return None
    return book.open_near(group, alert.lon, alert.lat, decision.grouping.radius_m)


def _near(incident: Incident, decision: Decision, alert: Change) -> bool:
    """Whether an alert lies within the radius of a case's first position."""
    if incident.lon is None or incident.lat is None or alert.lon is None or alert.lat is None:
        return False
    away = distance_m(incident.lon, incident.lat, alert.lon, alert.lat)
    return away <= decision.grouping.radius_m
