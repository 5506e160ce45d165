"""Which case an alert belongs to: what must agree, how near, how soon, and what comes back.

An alert of a group joins the group's open case; after the close it opens the same case again for
as long as the route says; else it opens its own.
"""

import json

from engine.cases.book import Book
from engine.cases.decision import Decision
from engine.cases.model import Incident, State
from engine.cases.policy import Together
from engine.geo.distance import distance_m
from engine.model.change import Change

MOST_MEMBERS = 500
"""Alerts of one case; the next one opens a case of its own, so that no case grows for ever."""


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


def home_of(
    book: Book, decision: Decision, alert: Change, group: str, now_ms: int
) -> Incident | None:
    """The case that an alert of a group belongs to, as the group stands now.

    An open case that still takes alerts; else one that was closed a short while ago, which the
    alert brings back. None: the alert opens a case of its own.
    """
    found = _open(book, decision, alert, group)
    if found is not None and still_home(found, decision, now_ms):
        return found
    if decision.grouping.recur_ms:
        closed = book.closed_in(group, now_ms - decision.grouping.recur_ms)
        if closed is not None and still_home(closed, decision, now_ms):
            placed = Together.PLACE in decision.grouping.by
            return closed if not placed or _near(closed, decision, alert) else None
    return None


def still_home(incident: Incident, decision: Decision, now_ms: int) -> bool:
    """Whether a case takes an alert of its group now.

    A case that nobody was told of and that ended by itself is never brought back.
    """
    if len(incident.members) >= MOST_MEMBERS or incident.state is State.MERGED:
        return False
    if incident.state is State.CLOSED:
        since = now_ms - decision.grouping.recur_ms
        recurs = decision.grouping.recur_ms > 0 and incident.verdict is not None
        return recurs and incident.closed_ms is not None and incident.closed_ms >= since
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
