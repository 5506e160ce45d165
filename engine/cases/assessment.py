"""How departments and areas did in a span of time, and what the rules were worth: from moves alone.

Everything is counted at the instant at which it became certain: a limit that was kept when it was
met, one that was missed when it passed. So each counts once, in one month, and what a month says
does not change when the next one has begun. A limit that fell away (the order was given back, the
case was merged, or closed before anybody signed) counts for nobody, unless it had passed before.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_low
from typing import Any
from zoneinfo import ZoneInfo

from engine.cases.model import Move, Stage, Verb, Verdict

STAGES = (
    Stage.DISPATCH, Stage.SIGN, Stage.ARRIVE, Stage.RESOLVE, Stage.VERIFY, Stage.CALL_BACK,
)  # fmt: skip
"""Stages whose limits are assessed; giving an order back in time is nobody's duty."""
CLOSED_BY = frozenset({Stage.RESOLVE, Stage.VERIFY})
"""Limits that a close keeps; others fall away with it."""
TIMED = {"signed_ms": Stage.SIGN, "arrived_ms": Stage.ARRIVE, "resolved_ms": Stage.RESOLVE}
"""Fields of a case that say when a stage was done, counted from its order."""
COUNTED = {
    Verb.RETURN: "returns", Verb.REOPEN: "reopens", Verb.ESCALATE: "escalations",
    Verb.LIFT: "lifts", Verb.SUPERVISE: "supervisions", Verb.CRITICISE: "criticisms",
}  # fmt: skip
"""Moves that are counted against whoever was in charge, by the name of their figure."""
_COUNTY = 6
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: from one instant up to another that is not in it (UTC ms), and its zone."""

    from_ms: int
    until_ms: int
    zone: str = "Asia/Shanghai"

    @classmethod
    def month(cls, text: str, zone: str = "Asia/Shanghai") -> "Span":
        """The month `2026-03` as the clocks of a zone have it.

        Raises:
            ValueError: not a month so written.

        """
        begins = datetime.strptime(text, "%Y-%m").replace(tzinfo=ZoneInfo(zone))
        year, month = divmod(begins.year * _MONTHS + begins.month, _MONTHS)
        ends = begins.replace(year=year, month=month + 1)
        return cls(round(begins.timestamp() * 1000), round(ends.timestamp() * 1000), zone)

    def __contains__(self, at_ms: int) -> bool:
        """Whether an instant lies in it."""
        return self.from_ms <= at_ms < self.until_ms

    def day(self, at_ms: int) -> str:
        """The date of an instant on the clocks of the zone."""
        return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(self.zone)).date().isoformat()


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many."""

    kept: int = 0
    of: int = 0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.kept / self.of if self.of else None


@dataclass(slots=True)
class Figures:
    """What is counted of a department, an area, or all of them.

    Attributes:
        orders: Orders made, those that were made again included.
        kept, missed: By stage, the limits that were decided so in the span.
        took_ms: By stage, how long each order took to it.
        called_back: People who were asked afterwards; satisfied and solved are those who said so.
        counts: By name (`COUNTED`), also `opened` and `closed`.

    """

    orders: int = 0
    kept: Counter[Stage] = field(default_factory=Counter)
    missed: Counter[Stage] = field(default_factory=Counter)
    took_ms: dict[Stage, list[int]] = field(default_factory=dict)
    called_back: int = 0
    satisfied: int = 0
    solved: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it was counted."""
        return self == Figures()

    def on_time(self, stage: Stage) -> Rate:
        """How many limits of a stage were kept."""
        return Rate(self.kept[stage], self.kept[stage] + self.missed[stage])

    def median_ms(self, stage: Stage) -> int | None:
        """The middle of the times from order to stage; of two the smaller; None without any."""
        times = self.took_ms.get(stage)
        return median_low(times) if times else None


@dataclass(slots=True)
class Worth:
    """What the cases of a rule, or of a pack, turned out to be."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)

    @property
    def precision(self) -> Rate:
        """True ones among those that were judged true or false; a duplicate is neither."""
        true = self.verdicts[Verdict.TRUE] + self.verdicts[Verdict.ELSEWHERE]
        return Rate(true, true + self.verdicts[Verdict.FALSE])


@dataclass(slots=True)
class Assessment:
    """The figures of a span; names in order. Areas are counties (6 digits) and towns (9)."""

    span: Span
    whole: Figures = field(default_factory=Figures)
    departments: dict[str, Figures] = field(default_factory=dict)
    areas: dict[str, Figures] = field(default_factory=dict)
    rules: dict[str, Worth] = field(default_factory=dict)
    packs: dict[str, Worth] = field(default_factory=dict)
    days: dict[str, Counter[str]] = field(default_factory=dict)


def assess(cases: Iterable[Sequence[Move]], span: Span) -> Assessment:
    """Count the moves of cases; of each case all moves from its first one up to the span's end.

    Cases without a move in the span may be left out.
    """
    found = Assessment(span)
    for moves in cases:
        _Case(found).read(moves)
    found.departments = _counted(found.departments)
    found.areas = _counted(found.areas)
    found.rules, found.packs = dict(sorted(found.rules.items())), dict(sorted(found.packs.items()))
    found.days = dict(sorted(found.days.items()))
    return found


def _counted(figures: dict[str, Figures]) -> dict[str, Figures]:
    """Those of whom something was counted, by name."""
    return {name: one for name, one in sorted(figures.items()) if not one.is_empty}


class _Case:
    """One case on its way through its moves."""

    def __init__(self, into: Assessment) -> None:
        self._into = into
        self._fields: dict[str, Any] = {}
        self._rules: dict[str, tuple[str, str]] = {}
        self._missed: set[tuple[str, int]] = set()
        self._verdict: Verdict | None = None

    def read(self, moves: Sequence[Move]) -> None:
        """Follow the case and count what lies in the span."""
        for move in moves:
            if move.at_ms >= self._into.span.until_ms:
                break
            before = self._groups()
            self._fields |= move.sets
            for member in move.sets.get("members", ()):
                self._rules[member["episode"]] = (member["rule"], member["pack"])
            self._judge(move)
            self._limits(move)
            if move.at_ms in self._into.span:
                self._count(move, before)
        if self._verdict is not None:
            self._value(self._verdict)

    def _groups(self) -> list[Figures]:
        """Whose figures a move counts in: of all, of who is in charge, of where it is."""
        lead, area = self._fields.get("lead", ""), self._fields.get("area", "")
        found = [self._into.whole]
        if lead:
            found.append(self._into.departments.setdefault(lead, Figures()))
        codes = dict.fromkeys((area[:_COUNTY], area)) if area else ()
        return found + [self._into.areas.setdefault(code, Figures()) for code in codes]

    def _judge(self, move: Move) -> None:
        """The verdict that stands at the end of the span, if it was given in the span."""
        if move.verb is Verb.CLOSE:
            said = move.details.get("verdict") if move.at_ms in self._into.span else None
            self._verdict = None if said is None else Verdict(said)
        elif move.verb in {Verb.REOPEN, Verb.MERGE}:
            self._verdict = None

    def _limits(self, move: Move) -> None:
        """Limits that are decided by a move: one that passed, and those that it meets."""
        cycle = self._fields.get("cycle", 1)
        if move.verb is Verb.OVERDUE:
            self._decide(move, move.details["stage"], cycle, late=True)
        for one in move.details.get("met", ()):
            ended = move.verb is Verb.CLOSE and one["stage"] not in CLOSED_BY
            if one["due_ms"] is not None and not ended:
                self._decide(move, one["stage"], one["cycle"], late=one["late"])

    def _decide(self, move: Move, stage: str, cycle: int, *, late: bool) -> None:
        if stage not in STAGES or (stage, cycle) in self._missed:
            return
        if late:
            self._missed.add((stage, cycle))
        if move.at_ms not in self._into.span:
            return
        for figures in self._groups():
            (figures.missed if late else figures.kept)[Stage(stage)] += 1
        if late:
            self._day(move, "missed")

    def _count(self, move: Move, before: Sequence[Figures]) -> None:
        """Count one move of the span. What is counted against somebody is so against who had it."""
        if name := COUNTED.get(move.verb):
            for figures in before:
                figures.counts[name] += 1
        now = self._groups()
        if move.verb is Verb.OPEN:
            self._add(move, now, "opened")
        if move.verb is Verb.CLOSE:
            self._add(move, now, "closed")
        if move.sets.get("ordered"):
            self._day(move, "orders")
            for figures in now:
                figures.orders += 1
        if move.verb is Verb.CALL_BACK:
            for figures in before:
                figures.called_back += 1
                figures.satisfied += bool(move.details.get("satisfied"))
                figures.solved += bool(move.details.get("solved"))
        self._time(move, now)

    def _time(self, move: Move, now: Sequence[Figures]) -> None:
        """How long the order in force took to a stage that is done now."""
        ordered_ms = self._fields.get("dispatched_ms")
        for name, stage in TIMED.items():
            done_ms = move.sets.get(name)
            if done_ms is not None and ordered_ms is not None:
                for figures in now:
                    figures.took_ms.setdefault(stage, []).append(done_ms - ordered_ms)

    def _add(self, move: Move, groups: Sequence[Figures], name: str) -> None:
        self._day(move, name)
        for figures in groups:
            figures.counts[name] += 1

    def _day(self, move: Move, name: str) -> None:
        day = self._into.span.day(move.at_ms)
        self._into.days.setdefault(day, Counter())[name] += 1

    def _value(self, verdict: Verdict) -> None:
        """Each rule of the case, and each pack, is judged once by it."""
        rules = {rule for rule, _ in self._rules.values()}
        packs = {pack for _, pack in self._rules.values() if pack}
        for names, into in ((rules, self._into.rules), (packs, self._into.packs)):
            for name in names:
                into.setdefault(name, Worth()).verdicts[verdict] += 1
