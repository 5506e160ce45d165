"""The page: cards, charts, map, tables, the difference to another version of the rules."""

from collections.abc import Sequence

from engine.backtest.compare import Fate, Pair
from engine.backtest.episodes import Episode
from engine.backtest.figures import SEVERITIES
from engine.backtest.page import tables
from engine.backtest.page.charts import bars, by_day, colour
from engine.backtest.page.frame import framed
from engine.backtest.page.geography import Track, drawing
from engine.backtest.page.markup import Html, join, tag
from engine.backtest.page.tables import Told
from engine.backtest.report import Report
from engine.backtest.words import instant
from engine.model.formats import format_duration
from engine.model.severity import Severity

MOST_ROWS = 2000
"""So many episodes stand in the table."""
MOST_DOTS = 5000
"""So many episodes are drawn on the map."""
MOST_TRACKS = 24
"""For so many episodes the way of the key is drawn."""
_TRACKS_A_RULE = 3


def page(report: Report, tracks: Sequence[Track], lang: str, version: str) -> str:
    """The whole page as text; nothing of it is fetched from anywhere."""
    told = Told(report, lang)
    return framed(
        told.say("page-title"),
        lang,
        version,
        _header(told),
        tag("main", *_sections(told, tracks)),
        tag("div", id="tip"),
    )


def chosen(report: Report) -> list[Episode]:
    """The episodes whose tracks are drawn: of each rule the most severe, then the longest."""
    found: list[Episode] = []
    for rule in report.figures.rules:
        some = [one for one in report.ran.episodes if one.rule == rule and one.lon is not None]
        some.sort(key=lambda one: (-_rank(one), -(one.lasted_ms or 0), one.fired_ms, one.id))
        found += some[:_TRACKS_A_RULE]
    return found[:MOST_TRACKS]


def _header(told: Told) -> Html:
    report, say = told.report, told.say
    tally = report.ran.tally
    span = [instant(at, report.zone, told.lang) for at in (tally.first_ms, tally.last_ms)]
    packs = ", ".join(sorted(report.project.packs))
    lines = [tag("p", say("page-span", first=span[0], last=span[1], zone=report.zone))]
    if report.since_ms is not None:
        since = instant(report.since_ms, report.zone, told.lang)
        lines.append(tag("p", say("bt-since", since=since)))
    cards = [
        ("page-records", tally.records.total()),
        ("page-alerts", report.figures.fired),
        ("page-keys", len({one.key for one in report.ran.episodes})),
        ("page-silent", len(report.figures.silent)),
        ("page-rejected", tally.rejected.total()),
        ("page-late", tally.late.total()),
    ]
    shown = [
        tag("div", tag("b", f"{count:,}"), tag("span", say(name)), class_="card")
        for name, count in cards
    ]
    title = tag("h1", f"{say('page-title')}: {packs}")
    return tag(
        "header", title, tag("div", *lines, class_="soft"), tag("div", *shown, class_="cards")
    )


def _sections(told: Told, tracks: Sequence[Track]) -> list[Html]:
    """All parts of the page in their order; those that have nothing to tell are left out."""
    found = [_difference(told), _rules(told), _charts(told), _map(told, tracks)]
    found += [_episodes(told), _silent(told), _rest(told)]
    return [one for one in found if one is not None]


def _section(told: Told, title: str, *parts: Html | None) -> Html:
    return tag("section", tag("h2", told.say(title)), *parts)


def _rules(told: Told) -> Html:
    return _section(told, "bt-rules", tag("div", tables.rules(told), class_="wide"))


def _charts(told: Told) -> Html | None:
    """New alerts by day and by hour of day."""
    figures = told.report.figures
    fired = [one for one in figures.rules.values() if one.fired]
    if not fired:
        return None
    colours = {one.rule: colour(number) for number, one in enumerate(fired)}
    step, labels, counts = by_day({one.rule: one.days for one in fired})
    hours = {one.rule: {f"{hour:02}": count for hour, count in one.hours.items()} for one in fired}
    clock = [f"{hour:02}" for hour in range(24)]
    legend = tag(
        "div", *(tag("span", _swatch(colours[one.rule]), told.title(one.rule)) for one in fired),
        class_="legend",
    )  # fmt: skip
    first, second = told.say(f"page-by-{step}"), told.say("page-by-hour")
    return tag(
        "section",
        tag("h2", first), bars(labels, counts, colours, first),
        tag("h2", second), bars(clock, hours, colours, second),
        legend,
    )  # fmt: skip


def _swatch(shade: str) -> Html:
    square = tag("rect", width=10, height=10, rx=2, fill=shade)
    return tag("i", tag("svg", square, viewBox="0 0 10 10", width=10, height=10))


def _map(told: Told, tracks: Sequence[Track]) -> Html | None:
    """Where the alerts were."""
    report, say = told.report, told.say
    placed = [one for one in report.ran.episodes if one.lon is not None]
    shown = _foremost(placed, MOST_DOTS)
    tips = {one.id: _tip(told, one) for one in shown}
    drawn = drawing(shown, tracks, report.project.zones, tips, say("page-map"))
    if drawn is None or not placed:
        return None
    buttons = [
        tag("button", sign, id=id_, type="button", aria_label=say(f"page-{id_}"))
        for sign, id_ in (("+", "in"), ("−", "out"), ("⌂", "home"))
    ]
    frame = tag(
        "div", drawn, tag("div", *buttons, class_="tools"), tag("div", id="scale", class_="scale"),
        class_="frame",
    )  # fmt: skip
    levels = [
        tag("span", tag("i", class_=f"round s-{name}"), say(f"bt-severity-{name}"))
        for name in SEVERITIES
        if any(one.severity == name for one in shown)
    ]
    notes = [say("page-map-note", tracks=len(tracks))]
    if len(shown) < len(placed):
        notes.append(say("page-map-cut", shown=f"{len(shown):,}", all=f"{len(placed):,}"))
    if len(placed) < len(report.ran.episodes):
        missing = len(report.ran.episodes) - len(placed)
        notes.append(say("page-map-without", count=f"{missing:,}"))
    return _section(
        told, "page-map", frame, tag("div", *levels, class_="legend"),
        tag("p", " ".join(notes), class_="note"),
    )  # fmt: skip


def _tip(told: Told, one: Episode) -> str:
    """What is shown when an alert on the map is pointed at."""
    lasted = one.lasted_ms
    held = told.say("bt-end-open") if lasted is None else format_duration(lasted, told.lang)
    at = instant(one.fired_ms, told.report.zone, told.lang)
    return f"{one.text(told.lang)}\n{told.title(one.rule)}\n{one.key}  {at}  {held}"


def _episodes(told: Told) -> Html | None:
    """All episodes, or the foremost, to be filtered."""
    report, say = told.report, told.say
    if not len(report.ran.episodes):
        return None
    fates = {pair.one.id: pair.fate for pair in _pairs(report) if pair.new is not None}
    differing = {id_ for id_, fate in fates.items() if fate is not Fate.SAME}
    shown = _foremost(list(report.ran.episodes), MOST_ROWS, differing)
    counted = tag(
        "p", tag("span", f"{len(shown)}", id="shown"), " / ", f"{len(shown):,}", class_="note"
    )
    cut = None
    if len(shown) < len(report.ran.episodes):
        words = {"shown": f"{len(shown):,}", "all": f"{len(report.ran.episodes):,}"}
        cut = tag("p", say("page-episodes-cut", **words), class_="note")
    table = tag("div", tables.episodes(told, shown, fates), class_="tall")
    return _section(told, "page-episodes", tables.filters(told, shown, fates), cut, counted, table)


def _foremost(
    episodes: Sequence[Episode], most: int, before: frozenset[str] | set[str] = frozenset()
) -> list[Episode]:
    """At most so many, in order of time: those in `before`, the most severe, the latest."""
    kept = sorted(episodes, key=lambda one: (one.id not in before, -_rank(one), -one.fired_ms))
    return sorted(kept[:most], key=lambda one: (one.fired_ms, one.rule, one.key))


def _rank(one: Episode) -> int:
    return Severity(one.severity).rank


def _pairs(report: Report) -> Sequence[Pair]:
    return () if report.against is None else report.against.comparison.pairs


def _silent(told: Told) -> Html | None:
    if not told.report.figures.silent:
        return None
    return _section(told, "bt-silent", tables.silent(told))


def _rest(told: Told) -> Html | None:
    """What else was counted: rejected and late records, troubles."""
    tally = told.report.ran.tally
    rejected = [(f"{feed}: {why}", n) for (feed, why), n in sorted(tally.rejected.items())]
    other = [(f"{name}: {about}", n) for (name, about), n in sorted(tally.other.items())]
    parts = [
        ("page-read", sorted(tally.records.items())),
        ("bt-rejected", rejected),
        ("bt-late", sorted(tally.late.items())),
        ("bt-other", other),
    ]
    shown = [join(tag("h3", told.say(title)), tables.counts(rows)) for title, rows in parts if rows]
    for one in tally.troubles:
        words = {"kind": one.kind, "rule": one.rule, "detail": one.detail}
        shown.append(tag("p", told.say("test-rule-trouble", **words)))
    return _section(told, "page-data", *shown)


def _difference(told: Told) -> Html | None:
    """What another version of the rules made of the same records."""
    other = told.report.against
    if other is None:
        return None
    title = tag("h2", told.say("bt-against", name=other.name))
    return tag("section", title, *tables.difference(told, other))
