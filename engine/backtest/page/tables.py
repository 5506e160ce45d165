"""The tables of the page: rules, episodes with their filters, the difference, counts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.backtest.compare import Fate, Pair
from engine.backtest.declared import Line
from engine.backtest.episodes import Episode
from engine.backtest.figures import SEVERITIES, RuleFigures
from engine.backtest.page.charts import split
from engine.backtest.page.markup import Html, join, tag
from engine.backtest.report import Against, Report
from engine.backtest.words import differs, instant
from engine.backtest.words import silent as how_near
from engine.model.formats import format_duration
from engine.text import say as sentence

MOST_PAIRS = 500
"""So many episodes that differ stand in the table of the difference."""


@dataclass(frozen=True, slots=True)
class Told:
    """A report, and the language in which it is told."""

    report: Report
    lang: str

    def say(self, name: str, /, **values: object) -> str:
        """A sentence."""
        return sentence(name, self.lang, **values)

    def title(self, rule: str) -> str:
        """What a rule is called, with its id."""
        name = self.report.title(rule, self.lang)
        return rule if name == rule else f"{name} ({rule})"

    def at(self, at_ms: int | None) -> str:
        """An instant."""
        return instant(at_ms, self.report.zone, self.lang)


def rules(told: Told) -> Html:
    """One row for each rule that fired."""
    fired = [one for one in told.report.figures.rules.values() if one.fired]
    most = max((one.fired for one in fired), default=0)
    names = ("rule", "alerts", "severity", "ends", "keys", "median", "longest", "top")
    numbers = {"alerts", "keys", "median"}
    head = [
        tag("th", told.say(f"page-th-{name}"), class_="n" if name in numbers else None)
        for name in names
    ]
    rows = [tag("tr", *_rule(told, one, most)) for one in fired]
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), id="rules")


def _rule(told: Told, one: RuleFigures, most: int) -> Iterator[Html]:
    levels = [(name, one.severities[name]) for name in SEVERITIES]
    said = ", ".join(f"{told.say(f'bt-severity-{name}')} {n:,}" for name, n in levels if n)
    ends = ", ".join(f"{told.say(f'bt-end-{end}')} {n:,}" for end, n in sorted(one.ends.items()))
    middle = "—" if one.median_ms is None else format_duration(one.median_ms, told.lang)
    longest = "—"
    if one.longest:
        first = one.longest[0]
        longest = f"{format_duration(first.lasted_ms or 0, told.lang)} ({first.key})"
    yield tag("td", told.title(one.rule))
    yield tag("td", f"{one.fired:,}", class_="n")
    yield tag("td", split(levels, most), said)
    yield tag("td", ends)
    yield tag("td", f"{len(one.keys):,}", class_="n")
    yield tag("td", middle, class_="n")
    yield tag("td", longest)
    yield tag("td", *(tag("p", f"{key} {n:,}") for key, n in one.top), class_="k")


def filters(told: Told, shown: Sequence[Episode], fates: Mapping[str, Fate]) -> Html:
    """A field for words, and a choice for each thing there is more than one of."""
    words = tag(
        "input", id="words", type="search", placeholder=told.say("page-filter"),
        aria_label=told.say("page-filter"),
    )  # fmt: skip
    choices: list[tuple[str, list[tuple[str, str]]]] = [
        ("rule", sorted({(one.rule, told.title(one.rule)) for one in shown})),
        (
            "severity",
            [
                (name, told.say(f"bt-severity-{name}"))
                for name in SEVERITIES
                if any(one.severity == name for one in shown)
            ],
        ),
        (
            "fate",
            [(fate.value, told.say(f"bt-fate-{fate}")) for fate in Fate if fate in fates.values()],
        ),
    ]
    picks = [_choice(told, name, some) for name, some in choices if len(some) > 1]
    return tag("div", words, *picks, class_="filters")


def _choice(told: Told, name: str, choices: Iterable[tuple[str, str]]) -> Html:
    every = tag("option", told.say(f"page-every-{name}"), value="")
    options = [tag("option", text, value=value) for value, text in choices]
    return tag("select", every, *options, data_by=name, aria_label=told.say(f"page-every-{name}"))


def episodes(told: Told, shown: Sequence[Episode], fates: Mapping[str, Fate]) -> Html:
    """One row for each episode."""
    names = ["fired", "rule", "key", "severity", "lasted", "place", "text"]
    if fates:
        names.append("fate")
    head = [tag("th", told.say(f"page-th-{name}")) for name in names]
    rows = [
        tag(
            "tr", *_episode(told, one, fates.get(one.id)), data_id=one.id, data_rule=one.rule,
            data_severity=one.severity, data_fate=fates.get(one.id),
        )
        for one in shown
    ]  # fmt: skip
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), id="episodes")


def _episode(told: Told, one: Episode, fate: Fate | None) -> Iterator[Html]:
    lasted = told.say("bt-end-open")
    if one.lasted_ms is not None:
        lasted = format_duration(one.lasted_ms, told.lang)
        if one.end != "cleared":
            lasted += f" ({told.say(f'bt-end-{one.end}')})"
    yield tag("td", told.at(one.fired_ms), class_="t")
    yield tag("td", told.report.title(one.rule, told.lang))
    yield tag("td", one.key, class_="k")
    yield tag("td", _pill(told, one.severity))
    yield tag("td", lasted, class_="t")
    yield tag("td", one.place)
    yield tag("td", one.text(told.lang))
    if fate is not None:
        yield tag("td", _fate(told, fate))


def _pill(told: Told, name: str) -> Html:
    return tag("span", told.say(f"bt-severity-{name}"), class_=f"pill s-{name}")


def _fate(told: Told, fate: Fate) -> Html:
    return tag("span", told.say(f"bt-fate-{fate}"), class_=f"fate f-{fate}")


def silent(told: Told) -> Html:
    """The rules that never fired, and how near they came."""
    rows = [
        tag("tr", tag("td", told.title(rule)),
            tag("td", *(tag("p", line) for line in how_near(rule, told.report, told.lang))))
        for rule in told.report.figures.silent
    ]  # fmt: skip
    return tag("table", tag("tbody", *rows), id="silent")


def counts(rows: Iterable[tuple[str, int]]) -> Html:
    """Names with numbers."""
    drawn = [tag("tr", tag("td", name), tag("td", f"{n:,}", class_="n")) for name, n in rows]
    return tag("table", tag("tbody", *drawn))


def difference(told: Told, other: Against) -> Iterator[Html]:
    """What became of the episodes, rule by rule, why, and which they are."""
    rules_ = sorted({*other.comparison.rules, *other.edits.of_rules})
    if not rules_ and not other.edits.others:
        yield tag("p", told.say("bt-against-same"))
    head = [tag("th", told.say("page-th-rule"))]
    head += [tag("th", told.say(f"bt-fate-{fate}"), class_="n") for fate in Fate]
    total = tag("tr", tag("td", told.say("page-total")), *_fates(other.comparison.counts()))
    rows = [
        tag("tr", tag("td", told.title(rule)), *_fates(other.comparison.counts(rule)))
        for rule in rules_
    ]
    body = tag("tbody", *rows, total)
    yield tag("div", tag("table", tag("thead", tag("tr", *head)), body, id="fates"), class_="wide")
    for rule in rules_:
        yield tag("h3", told.title(rule))
        yield _why(told, rule, other)
    if other.edits.others:
        yield tag("h3", told.say("bt-other-files"))
    for name, lines in other.edits.others.items():
        yield tag("p", name)
        yield _lines(lines)
    pairs = [pair for pair in other.comparison.pairs if pair.fate is not Fate.SAME]
    if pairs:
        yield tag("h3", told.say("page-differ"))
        yield tag("div", _differ(told, pairs[:MOST_PAIRS]), class_="tall")
    if len(pairs) > MOST_PAIRS:
        yield tag("p", told.say("bt-more", count=f"{len(pairs) - MOST_PAIRS:,}"), class_="note")


def _fates(counted: Mapping[str, int]) -> list[Html]:
    return [tag("td", f"{counted[fate]:,}", class_="n") for fate in Fate]


def _why(told: Told, rule: str, other: Against) -> Html:
    """Which lines of a rule differ, or what else may have changed it."""
    if rule not in other.project.rules:
        return tag("p", told.say("bt-only-new"))
    if rule not in told.report.project.rules:
        return tag("p", told.say("bt-only-old"))
    if rule in other.edits.of_rules:
        return join(tag("p", told.say("bt-edited")), _lines(other.edits.of_rules[rule]))
    return tag("p", told.say("bt-not-edited"))


def _lines(lines: Sequence[Line]) -> Html:
    drawn = [
        tag("div", f"{line.sign} {line.number:>4}  {line.text}",
            class_="plus" if line.sign == "+" else "minus")
        for line in lines
    ]  # fmt: skip
    return tag("div", *drawn, class_="lines")


def _differ(told: Told, pairs: Sequence[Pair]) -> Html:
    names = ("fate", "fired", "rule", "key", "what")
    head = [tag("th", told.say(f"page-th-{name}")) for name in names]
    rows = [tag("tr", *_pair(told, pair), data_id=pair.one.id) for pair in pairs]
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), id="differ")


def _pair(told: Told, pair: Pair) -> Iterator[Html]:
    one = pair.one
    whats = list(differs(pair, told.report.zone, told.lang)) or [one.text(told.lang)]
    yield tag("td", _fate(told, pair.fate))
    yield tag("td", told.at(one.fired_ms), class_="t")
    yield tag("td", told.report.title(one.rule, told.lang))
    yield tag("td", one.key, class_="k")
    yield tag("td", *(tag("p", what) for what in whats))
