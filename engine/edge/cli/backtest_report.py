"""A backtest as people read it on a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from engine.backtest.compare import Fate, Pair
from engine.backtest.declared import Line
from engine.backtest.figures import SEVERITIES, RuleFigures
from engine.backtest.report import Against, Report
from engine.backtest.words import differs, instant, severity, silent
from engine.edge.cli.helptext import WIDTH, table, width
from engine.model.formats import format_duration
from engine.text import say

_MOST_DAYS = 31
_BAR = 30
_EXAMPLES = 5
_MOST_LINES = 12
_COLUMN = 28

Row = tuple[str, str]


def as_text(report: Report, lang: str) -> str:
    """The whole report."""
    tally, zone = report.ran.tally, report.zone
    first, last = instant(tally.first_ms, zone, lang), instant(tally.last_ms, zone, lang)
    lines = [say("bt-read", lang, records=f"{tally.records.total():,}", first=first, last=last)]
    if report.since_ms is not None:
        lines.append(say("bt-since", lang, since=instant(report.since_ms, zone, lang)))
    lines += table(_counts(tally.records.items()))
    for title, rows in (
        ("bt-rules", list(_rules(report, lang))),
        ("bt-days", list(_days(report, lang))),
        ("bt-lasting", list(_lasting(report, lang))),
        ("bt-keys", list(_keys(report, lang))),
        ("bt-silent", list(_silent(report, lang))),
        (
            "bt-rejected",
            _counts((f"{feed}: {why}", n) for (feed, why), n in tally.rejected.items()),
        ),
        ("bt-late", _counts(tally.late.items())),
        ("bt-other", _counts((f"{name}: {about}", n) for (name, about), n in tally.other.items())),
    ):
        if rows:
            lines += ["", say(title, lang), *_set_out(rows)]
    for trouble in tally.troubles:
        found = {"kind": trouble.kind, "rule": trouble.rule, "detail": trouble.detail}
        lines.append(say("test-rule-trouble", lang, **found))
    if report.against is not None:
        lines += ["", *_against(report.against, report, lang)]
    rejected = f"{tally.rejected.total():,}"
    alerts = f"{report.figures.fired:,}"
    lines += ["", say("bt-total", lang, alerts=alerts, rejected=rejected)]
    if report.against is not None:
        counts = report.against.comparison.counts()
        lines.append(say("bt-total-against", lang, name=report.against.name, **counts))
    return "\n".join(lines)


def _set_out(rows: Sequence[Row]) -> list[str]:
    """Two columns, the left one as wide as it needs to be."""
    column = min(max(_COLUMN, *(2 + width(left) for left, _ in rows)), WIDTH // 2)
    lines: list[str] = []
    for left, right in rows:
        first, *more = _wrapped(right, WIDTH - column - 2) or [""]
        if width(left) + 2 > column:
            lines.append(f"  {left}")
            more = [first, *more]
        else:
            lines.append(f"  {left}{' ' * (column - width(left))}{first}".rstrip())
        lines += [" " * (column + 2) + line for line in more]
    return lines


def _wrapped(text: str, cells: int) -> list[str]:
    """Lines broken between words; what has no blanks stays whole."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(lines[-1]) + 1 + width(word) <= cells:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [line.strip() for line in lines if line.strip()]


def _counts(items: Iterable[tuple[str, int]]) -> list[Row]:
    return [(name, f"{count:,}") for name, count in sorted(items)]


def _rules(report: Report, lang: str) -> Iterator[Row]:
    """How many episodes each rule had, of which severity, and how they ended."""
    for one in report.figures.rules.values():
        if one.fired:
            levels = [(severity(name, lang), one.severities[name]) for name in SEVERITIES]
            ends = [(say(f"bt-end-{end}", lang), count) for end, count in sorted(one.ends.items())]
            parts = [f"{name} {count:,}" for name, count in [*levels, *ends] if count]
            yield one.rule, f"{one.fired:,}   {'  '.join(parts)}"


def _days(report: Report, lang: str) -> Iterator[Row]:
    """New episodes of each day with a bar; only the busiest days of a long recording."""
    rules = report.figures.rules.values()
    totals = {day: sum(one.days[day] for one in rules) for day in report.figures.days}
    shown = sorted(sorted(totals, key=lambda day: (-totals[day], day))[:_MOST_DAYS])
    most = max(totals.values(), default=0)
    for day in shown:
        bar = "█" * max(1, round(_BAR * totals[day] / most))
        parts = [f"{one.rule} {one.days[day]:,}" for one in rules if one.days[day]]
        yield day, f"{bar} {totals[day]:,}   {'  '.join(parts)}"
    if len(shown) < len(totals):
        yield "", say("bt-days-more", lang, shown=len(shown), days=len(totals))


def _lasting(report: Report, lang: str) -> Iterator[Row]:
    for one in report.figures.rules.values():
        if one.median_ms is not None:
            yield one.rule, _span(one, lang)


def _span(one: RuleFigures, lang: str) -> str:
    """The middle, the shortest and the longest of a rule's cleared episodes."""
    short, long = one.shortest[0], one.longest[0]
    return say(
        "bt-lasting-row",
        lang,
        median=format_duration(one.median_ms or 0, lang),
        shortest=format_duration(short.lasted_ms or 0, lang),
        short_key=short.key,
        longest=format_duration(long.lasted_ms or 0, lang),
        long_key=long.key,
    )


def _keys(report: Report, lang: str) -> Iterator[Row]:
    for one in report.figures.rules.values():
        if one.fired:
            top = "  ".join(f"{key} {count:,}" for key, count in one.top)
            yield one.rule, say("bt-keys-row", lang, count=f"{len(one.keys):,}", top=top)


def _silent(report: Report, lang: str) -> Iterator[Row]:
    for rule in report.figures.silent:
        first, *more = silent(rule, report, lang)
        yield rule, first
        for line in more:
            yield "", line


def _against(other: Against, report: Report, lang: str) -> Iterator[str]:
    """What the edit changes, rule by rule, with examples and the lines that differ."""
    yield say("bt-against", lang, name=other.name)
    rules = sorted({*other.comparison.rules, *other.edits.of_rules})
    if not rules and not other.edits.others:
        yield f"  {say('bt-against-same', lang)}"
    for rule in rules:
        counts = other.comparison.counts(rule)
        parts = [f"{say(f'bt-fate-{fate}', lang)} {n:,}" for fate, n in counts.items() if n]
        yield from _set_out([(rule, "  ".join(parts) or "—")])
        yield from _why(rule, other, report, lang)
        for fate in (Fate.GAINED, Fate.LOST, Fate.MOVED, Fate.CHANGED):
            yield from _examples(other.comparison.of(fate, rule), fate, report.zone, lang)
    if other.edits.others:
        yield say("bt-other-files", lang)
        for name, lines in other.edits.others.items():
            yield f"  {name}"
            yield from _lines(lines, lang)


def _why(rule: str, other: Against, report: Report, lang: str) -> Iterator[str]:
    """Which lines of a rule differ, or what else may have changed it."""
    if rule not in other.project.rules:
        yield f"    {say('bt-only-new', lang)}"
    elif rule not in report.project.rules:
        yield f"    {say('bt-only-old', lang)}"
    elif lines := other.edits.of_rules.get(rule):
        yield f"    {say('bt-edited', lang)}"
        yield from _lines(lines, lang)
    else:
        yield f"    {say('bt-not-edited', lang)}"


def _lines(lines: Sequence[Line], lang: str) -> Iterator[str]:
    for line in lines[:_MOST_LINES]:
        yield f"      {line.sign} {line.number:>4}  {line.text}"
    if len(lines) > _MOST_LINES:
        yield f"      {say('bt-more', lang, count=len(lines) - _MOST_LINES)}"


def _examples(pairs: Sequence[Pair], fate: Fate, zone: str, lang: str) -> Iterator[str]:
    for pair in pairs[:_EXAMPLES]:
        one = pair.one
        what = "; ".join(differs(pair, zone, lang)) or one.text(lang)
        at = instant(one.fired_ms, zone, lang)
        yield f"    {say(f'bt-fate-{fate}', lang)}  {at}  {one.key}  {what}"
    if len(pairs) > _EXAMPLES:
        yield f"    {say('bt-more', lang, count=len(pairs) - _EXAMPLES)}"
