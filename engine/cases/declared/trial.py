"""What comes of an alert, tried without a desk: decision, who hears, limits with their ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import structs

from engine.cases.areas import Areas
from engine.cases.book import Silence
from engine.cases.clocks import ends
from engine.cases.decision import Decision, Mute
from engine.cases.declared.route_tests import ZONE, Expected, RouteTest
from engine.cases.model import Incident, Stage
from engine.cases.mute import quiet
from engine.cases.policy import Match, Policy
from engine.cases.routing import decide
from engine.errors import Location
from engine.geo.regions import Regions
from engine.model.calendar import CalendarEnd
from engine.model.change import Change
from engine.text import say

MINUTE = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of one alert at one instant.

    Attributes:
        due: For each stage with a limit, the first instant past it if it began now; None where
            the calendar does not reach so far.
        hears: Every sink that is told, with what it is told as: `centre`, a department's role.

    """

    decision: Decision
    mute: Mute | None
    due: dict[Stage, int | None]
    hears: tuple[tuple[str, str], ...]

    @property
    def sinks(self) -> tuple[str, ...]:
        """The sinks, each once."""
        return tuple(dict.fromkeys(sink for sink, _ in self.hears))


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met."""

    at: Location
    name: str
    wanted: str
    found: str

    def said(self, lang: str) -> str:
        """The sentence in one language."""
        return say("route-test-differs", lang, name=self.name, wanted=self.wanted, found=self.found)


@dataclass(frozen=True, slots=True)
class Tried:
    """A route test that was run."""

    test: RouteTest
    outcome: Outcome
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


def outcome(
    policy: Policy,
    alert: Change,
    now_ms: int,
    regions: Regions | None = None,
    cases: Sequence[Incident] = (),
) -> Outcome:
    """What comes of an alert, as the desk would do it at this instant.

    Args:
        policy: What is declared.
        alert: The alert.
        now_ms: The desk's own time, UTC ms.
        regions: The layer that positions are looked up in.
        cases: Cases that are open then; inhibitions ask for them.

    """
    decision = decide(policy, alert, now_ms, regions)
    book = OpenCases(cases)
    mute = quiet(policy, book, alert, decision.area, now_ms)
    due: dict[Stage, int | None] = {}
    for stage, limit in decision.timing.limits.items():
        try:
            due[stage] = ends(limit.period, now_ms, limit.hours)
        except CalendarEnd:
            due[stage] = None
    return Outcome(decision, mute, due, tuple(_hears(policy, decision)))


def _hears(policy: Policy, decision: Decision) -> Iterable[tuple[str, str]]:
    """Who is told of a case, and as what."""
    centre = policy.centres.get(decision.centre)
    for sink in centre.sinks if centre is not None else ():
        yield sink, "centre"
    offices = (("lead", decision.lead), ("host", decision.host))
    for role, name in (*offices, *(("assisting", one) for one in decision.assisting)):
        department = policy.departments.get(name)
        if role == "host" and name == decision.lead:
            continue
        for sink in department.sinks if department is not None else ():
            yield sink, role
    for sink in decision.sinks:
        yield sink, "route"
    if decision.refer:
        yield decision.refer, "refer"


def run(test: RouteTest, policy: Policy, regions: Regions | None = None) -> Tried:
    """Run one route test."""
    areas = Areas(policy.centres)
    cases = [_placed(one, areas) for one in test.open]
    found = outcome(policy, test.alert, test.now_ms, regions, cases)
    failures = [
        Failure(test.places[name], name, _shown(wanted), _shown(came))
        for name, wanted in test.expected.items()
        if not _same(name, wanted, came := _came(name, found))
    ]
    return Tried(test, found, tuple(failures))


def _same(name: str, wanted: Expected, came: Expected) -> bool:
    if name in {"sinks", "assisting"} and isinstance(wanted, tuple) and isinstance(came, tuple):
        return set(wanted) == set(came)
    return wanted == came


def _came(name: str, found: Outcome) -> Expected:
    """What came of an alert, under the key that a test names it by."""
    if name.startswith("due."):
        due_ms = found.due.get(Stage(name.removeprefix("due.")))
        return clock(due_ms) if due_ms is not None else ""
    decision = found.decision
    match name:
        case "quiet":
            return found.mute.why if found.mute is not None else False
        case "sinks":
            return found.sinks
        case "timing":
            return decision.timing.name
        case "tier":
            return decision.tier.value
        case "dispatch":
            return "at-once" if decision.dispatch else "by-hand"
    came: Expected = getattr(decision, name)
    return came


def _shown(value: Expected) -> str:
    """A value of an expectation as people read it."""
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    return value or "-" if isinstance(value, str) else str(value).lower()


def clock(at_ms: int, zone: str = ZONE) -> str:
    """An instant as a reading of the clock, to the minute."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime(MINUTE)


def _placed(case: Incident, areas: Areas) -> Incident:
    """An open case with the code of the area that its label names."""
    return structs.replace(case, area=areas.code_of(case.area) or case.area)


class OpenCases:
    """A book that knows open cases only: nothing is silenced in a trial."""

    def __init__(self, cases: Sequence[Incident]) -> None:
        """Hold the cases."""
        self._cases = cases

    def silences(self, at_ms: int) -> Sequence[Silence]:
        """No silence is in force."""
        del at_ms
        return ()

    def open_alerts(self, match: Match) -> Sequence[Incident]:
        """The open cases; who asks looks at each of them."""
        del match
        return self._cases
