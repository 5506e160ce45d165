"""The rows of an assessment: who, and each figure under its name; the same for every form of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine.cases.assessment import COUNTED, STAGES, TIMED, Assessment, Figures, Rate, Worth
from engine.cases.model import Stage, Verdict
from engine.model.formats import format_duration
from engine.text import say as sentence

_NOTHING = "—"
_TOWN = 9
_COUNTY = 6
COUNTS = tuple(COUNTED.values())


@dataclass(frozen=True, slots=True)
class Telling:
    """An assessment, the language it is told in, and what departments and areas are called.

    Attributes:
        made: When it was made, as people read it.
        is_whole: Whether the span was over by then.

    """

    found: Assessment
    lang: str
    title: str
    departments: Mapping[str, str] = field(default_factory=dict)
    areas: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    is_whole: bool = True

    def say(self, name: str, /, **values: object) -> str:
        """A sentence."""
        return sentence(name, self.lang, **values)

    def groups(self) -> Iterator[tuple[str, str, str, Figures]]:
        """Kind, code, name and figures: all of it, then departments, then areas."""
        yield "whole", "", self.say("bulletin-whole"), self.found.whole
        for code, one in self.found.departments.items():
            yield "department", code, self.departments.get(code, code), one
        for code, one in self.found.areas.items():
            yield "area", code, self.area(code), one

    def area(self, code: str) -> str:
        """What an area is called; a town with its county's name before it."""
        name = self.areas.get(code, code)
        county = self.areas.get(code[:_COUNTY], "")
        return f"{county} {name}" if len(code) >= _TOWN and county and code in self.areas else name

    def worths(self) -> Iterator[tuple[str, str, Worth]]:
        """Kind, name and worth of each pack and rule."""
        for name, one in self.found.packs.items():
            yield "pack", name, one
        for name, one in self.found.rules.items():
            yield "rule", name, one


def share(rate: Rate) -> str:
    """`97.3 % (36/37)`; a dash of nothing. Cut, not rounded: 100 % is all of them."""
    if rate.share is None:
        return _NOTHING
    tenths = rate.kept * 1000 // rate.of
    return f"{tenths // 10}.{tenths % 10} % ({rate.kept}/{rate.of})"


def figures_head(telling: Telling) -> list[str]:
    """The names of the figures of a department or area."""
    names = ["orders", *(f"on-time-{stage}" for stage in STAGES)]
    names += [f"median-{stage}" for stage in TIMED.values()]
    return [telling.say(f"bulletin-{name}") for name in [*names, *COUNTS, "satisfied"]]


def figures_row(telling: Telling, one: Figures) -> list[str]:
    """The figures as people read them."""
    medians = [one.median_ms(stage) for stage in TIMED.values()]
    return [
        f"{one.orders:,}",
        *(share(one.on_time(stage)) for stage in STAGES),
        *(_NOTHING if ms is None else format_duration(ms, telling.lang) for ms in medians),
        *(f"{one.counts[name]:,}" if one.counts[name] else _NOTHING for name in COUNTS),
        share(Rate(one.satisfied, one.called_back)),
    ]


def worth_head(telling: Telling) -> list[str]:
    """The names of the figures of a rule or pack."""
    names = ["precision", *(f"verdict-{verdict}" for verdict in Verdict)]
    return [telling.say(f"bulletin-{name}") for name in names]


def worth_row(one: Worth) -> list[str]:
    """The worth of a rule as people read it."""
    return [share(one.precision), *(f"{one.verdicts[verdict]:,}" for verdict in Verdict)]


def plain(telling: Telling) -> dict[str, object]:
    """The whole assessment as plain values, for programs."""
    groups = [
        {"kind": kind, "code": code, "name": name, **_numbers(one)}
        for kind, code, name, one in telling.groups()
    ]
    worths = [
        {
            "kind": kind,
            "name": name,
            "precision": one.precision.share,
            **{str(verdict): one.verdicts[verdict] for verdict in Verdict},
        }
        for kind, name, one in telling.worths()
    ]
    span = telling.found.span
    return {
        "from_ms": span.from_ms, "until_ms": span.until_ms, "zone": span.zone,
        "complete": telling.is_whole, "groups": groups, "worth": worths,
        "days": {day: dict(counts) for day, counts in telling.found.days.items()},
    }  # fmt: skip


def _numbers(one: Figures) -> dict[str, object]:
    stages: dict[str, object] = {}
    for stage in STAGES:
        rate = one.on_time(stage)
        stages[str(stage)] = {"on_time": rate.kept, "of": rate.of, "share": rate.share}
    return {
        "orders": one.orders, "opened": one.counts["opened"], "closed": one.counts["closed"],
        "stages": stages,
        "median_s": {str(stage): _seconds(one, stage) for stage in TIMED.values()},
        **{name: one.counts[name] for name in COUNTS},
        "called_back": one.called_back, "satisfied": one.satisfied, "solved": one.solved,
    }  # fmt: skip


def _seconds(one: Figures, stage: Stage) -> float | None:
    ms = one.median_ms(stage)
    return None if ms is None else ms / 1000
