"""Whether an alert is what a branch, a silence or an inhibition is about, and what does not fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from engine.cases.areas import Areas, covers
from engine.cases.model import Incident, Member
from engine.cases.policy import Match
from engine.geo.regions import Regions
from engine.model.calendar import CalendarEnd
from engine.model.change import Change
from engine.model.severity import Severity
from engine.model.worktime import WorkTime
from engine.ruleset.filters import MISSING

AREA_LABELS = ("area", "region", "county")
"""Labels that say where an alert is, for those without a position; the first that means an area."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is asked of an alert in order to find out who deals with it.

    Attributes:
        area: Code of the narrowest region that is known, or what the alert says where none of the
            centres knows it; empty for no area.
        within: The codes of the areas that it lies in, itself first.
        area_from: Where the area comes from: `position`, the name of a label, or nothing.

    """

    rule: str
    pack: str
    key: str
    severity: str
    dispatch: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    area: str = ""
    within: tuple[str, ...] = ()
    area_from: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """A part of a match that an alert does not meet.

    Attributes:
        part: `rules`, `areas`, ...; `labels.<name>` for a label.
        wanted: What is asked for.
        found: What the alert has; empty for nothing.

    """

    part: str
    wanted: str
    found: str


def facts_in(alert: Change, area: str, areas: Areas, source: str = "") -> Facts:
    """The facts of an alert whose area is known; `source` is what said it."""
    return Facts(
        rule=alert.rule,
        pack=alert.pack,
        key=alert.key,
        severity=alert.severity,
        dispatch=alert.dispatch,
        labels=alert.labels,
        area=area,
        within=areas.within(area),
        area_from=source if area else "",
    )


def facts_of_member(incident: Incident, member: Member, within: tuple[str, ...]) -> Facts:
    """The facts of an alert that belongs to a case; `within` are the areas that hold the case's."""
    return Facts(
        rule=member.rule,
        pack=member.pack,
        key=member.key,
        severity=member.severity,
        dispatch=incident.dispatch,
        labels=incident.labels,
        area=incident.area,
        within=within,
    )


def facts_of(alert: Change, areas: Areas, regions: Regions | None) -> Facts:
    """The facts of an alert; its area is that of its position, else what its labels say."""
    code, source = _region(alert, areas, regions), "position"
    if not code:
        code, source = _label(alert.labels, areas)
    return facts_in(alert, code, areas, source)


def _region(alert: Change, areas: Areas, regions: Regions | None) -> str:
    """The code of the narrowest region at an alert's position; empty without one."""
    if regions is None or alert.lon is None or alert.lat is None:
        return ""
    found = regions.at(alert.lon, alert.lat)
    if found is None:
        return ""
    codes = [str(found.get(name, "")) for name in ("code", "town_code", "county_code", "city_code")]
    return next((known for code in codes if code and (known := areas.code_of(code))), codes[0])


def _label(labels: Mapping[str, str], areas: Areas) -> tuple[str, str]:
    """The area that an alert's labels name, and the label that does."""
    given = [(name, labels[name]) for name in AREA_LABELS if said(labels, name)]
    for name, text in given:
        if code := areas.code_of(text):
            return code, name
    return (given[0][1], given[0][0]) if given else ("", "")


def said(labels: Mapping[str, str], name: str) -> str:
    """A label of an alert; empty where it has none, or where its rule found nothing to write."""
    text = labels.get(name, "")
    return "" if text == MISSING else text


def missed(match: Match, facts: Facts, now_ms: int) -> Iterator[Missed]:
    """Each part of a match that an alert does not meet, in the order people write them."""
    for name, values in match.labels.items():
        found = facts.labels.get(name, "")
        if found not in values:
            yield Missed(f"labels.{name}", ", ".join(sorted(values)), found)
    for part, patterns, found in (
        ("rules", match.rules, facts.rule),
        ("keys", match.keys, facts.key),
    ):
        if patterns and not any(fits(pattern, found) for pattern in patterns):
            yield Missed(part, ", ".join(patterns), found)
    if match.areas and not any(is_in(facts, area) for area in match.areas):
        yield Missed("areas", ", ".join(match.areas), facts.area)
    if match.packs and facts.pack not in match.packs:
        yield Missed("packs", ", ".join(match.packs), facts.pack)
    if match.dispatch and facts.dispatch not in match.dispatch:
        yield Missed("dispatch", ", ".join(match.dispatch), facts.dispatch)
    if match.min_severity and Severity(facts.severity).rank < Severity(match.min_severity).rank:
        yield Missed("min_severity", match.min_severity, facts.severity)
    if match.hours is not None:
        yield from _hours(match.hours, now_ms)


def _hours(hours: WorkTime, now_ms: int) -> Iterator[Missed]:
    """The hours of a match, when they do not hold now; after the end of a calendar none holds."""
    clock = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(hours.zone))
    found = clock.strftime("%Y-%m-%d %H:%M")
    try:
        counts = hours.counts(now_ms)
    except CalendarEnd as end:
        yield Missed("calendar", end.calendar, found)
        return
    if not counts:
        yield Missed("hours", hours_as_text(hours), found)


def hours_as_text(hours: WorkTime) -> str:
    """Hours as people write them: `cn 08:30-12:00, 14:00-18:00`."""
    spans = [
        f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
        for begin, end in sorted(hours.hours)
    ]
    return f"{hours.calendar.name} {', '.join(spans)}"


def matches(match: Match, facts: Facts, now_ms: int) -> bool:
    """Whether an alert meets every part of a match."""
    return next(missed(match, facts, now_ms), None) is None


def fits(pattern: str, name: str) -> bool:
    """Whether a name is the one that is meant; a `*` at the end stands for any rest."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def is_in(facts: Facts, area: str) -> bool:
    """Whether an alert lies in an area, told by the codes and by the centres."""
    return area in facts.within or bool(facts.area and covers(area, facts.area))


def same_areas(facts: Facts, areas: Sequence[str]) -> bool:
    """Whether an alert lies in one of some areas; no areas mean everywhere."""
    return not areas or any(is_in(facts, area) for area in areas)
