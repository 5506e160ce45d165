"""Whether an alert is told at all: silences, maintenance windows and inhibitions, in this order.

What is quiet is kept and never lost: the case is there, and it is told when the reason is gone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from engine.cases.areas import Areas
from engine.cases.book import Silence
from engine.cases.decision import Mute
from engine.cases.match import Facts, facts_in, facts_of_member, matches, said
from engine.cases.model import Incident, Member, Tier
from engine.cases.policy import Inhibition, Maintenance, Match, Policy
from engine.model.calendar import CalendarEnd
from engine.model.change import Change
from engine.model.worktime import WorkTime

SILENCE, MAINTENANCE, INHIBITION = "silence", "maintenance", "inhibition"


class Asked(Protocol):
    """What of a book is asked: see `engine.cases.book.Book`."""

    def silences(self, at_ms: int) -> Sequence[Silence]:
        """Silences in force."""

    def open_alerts(self, match: Match) -> Sequence[Incident]:
        """Open incidents with an alert that matches."""


def quiet(policy: Policy, book: Asked, alert: Change, area: str, now_ms: int) -> Mute | None:
    """Why nothing is to be told of an alert at this instant; None: it is told.

    Of several silences, or windows, the one that lasts longest is named.

    Args:
        policy: What is declared.
        book: Where silences and open alerts are looked up.
        alert: The transition.
        area: Region code that routing found for it; empty for none.
        now_ms: The desk's own time, UTC ms.

    """
    areas = Areas(policy.centres)
    facts = facts_in(alert, area, areas)
    return (
        _silenced(book, facts, now_ms)
        or _maintained(policy, facts, now_ms)
        or _inhibited(policy, areas, book, alert.episode_id, facts, now_ms)
    )


def _silenced(book: Asked, facts: Facts, now_ms: int) -> Mute | None:
    found: Mute | None = None
    for one in book.silences(now_ms):
        until_ms = one.until_ms if one.ended_ms is None else min(one.until_ms, one.ended_ms)
        if one.from_ms <= now_ms < until_ms and matches(one.match, facts, now_ms):
            found = _longer(found, Mute(f"{SILENCE}:{one.id}", until_ms))
    return found


def _maintained(policy: Policy, facts: Facts, now_ms: int) -> Mute | None:
    found: Mute | None = None
    for one in policy.maintenance:
        until_ms = in_force(one, now_ms)
        if until_ms is not None and matches(one.match, facts, now_ms):
            found = _longer(found, Mute(f"{MAINTENANCE}:{one.name}", until_ms))
    return found


def in_force(window: Maintenance, now_ms: int) -> int | None:
    """Until when a window that is in force at an instant holds; None when it is not.

    With hours it is asked again when they end, also where they go on on the next day. A window
    whose calendar is at its end is not in force: what cannot be counted keeps nobody quiet.
    """
    if window.from_ms is not None and now_ms < window.from_ms:
        return None
    if window.until_ms is not None and now_ms >= window.until_ms:
        return None
    ends = [window.until_ms] if window.until_ms is not None else []
    if window.hours is not None:
        end = _end_of(window.hours, now_ms)
        if end is None:
            return None
        ends.append(end)
    return min(ends, default=None)


def _end_of(hours: WorkTime, now_ms: int) -> int | None:
    try:
        return hours.ends(now_ms)
    except CalendarEnd:
        return None


def _longer(one: Mute | None, other: Mute) -> Mute:
    """The reason that lasts longer; of two alike the one whose name comes first."""
    if one is None:
        return other
    return max(
        (one, other), key=lambda mute: (mute.until_ms or 0, [-ord(char) for char in mute.why])
    )


def _inhibited(
    policy: Policy, areas: Areas, book: Asked, episode: str, facts: Facts, now_ms: int
) -> Mute | None:
    """The first inhibition under which an open alert keeps this one quiet.

    An alert never inhibits itself, nor one that it could be inhibited by in the same way: of two
    that are alike in both roles neither is hidden. What an inhibition hides hides nothing.
    """
    for one in policy.inhibitions:
        if not matches(one.target, facts, now_ms):
            continue
        both = matches(one.source, facts, now_ms)
        for member, other in _open(book, one, areas):
            if member.episode == episode or not matches(one.source, other, now_ms):
                continue
            if both and matches(one.target, other, now_ms):
                continue
            if _equal(one, facts, other, areas):
                return Mute(f"{INHIBITION}:{one.name}")
    return None


def _open(book: Asked, one: Inhibition, areas: Areas) -> Iterator[tuple[Member, Facts]]:
    """Open alerts that may be what an inhibition asks for, with the facts of their cases."""
    for incident in book.open_alerts(one.source):
        if incident.mute.startswith(f"{INHIBITION}:"):
            continue
        within = areas.within(incident.area)
        for member in incident.members:
            if not member.ended:
                yield member, facts_of_member(incident, member, within)


def _equal(one: Inhibition, facts: Facts, other: Facts, areas: Areas) -> bool:
    """Whether two alerts agree in what must be equal; what either lacks is not equal."""
    return all(
        (mine := _named(name, facts, areas)) and mine == _named(name, other, areas)
        for name in one.equal
    )


OWN = ("key", "area", "county", "rule", "pack")
"""What `equal` may name besides labels: of the alert itself. A label of the name goes before."""


def _named(name: str, facts: Facts, areas: Areas) -> str:
    """A label of an alert, or where it has none of the name, what it is itself."""
    if text := said(facts.labels, name):
        return text
    own: Mapping[str, str] = {
        "key": facts.key,
        "area": facts.area,
        "rule": facts.rule,
        "pack": facts.pack,
    }
    if name == "county" and facts.area:
        centre = areas.centre(facts.area, Tier.COUNTY)
        return centre.area if centre is not None else ""
    return own.get(name, "")
