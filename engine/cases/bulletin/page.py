"""An assessment as one page that opens without a network: cards, charts, tables."""

from collections.abc import Iterator, Sequence

from engine.backtest.page.charts import bars, colour
from engine.backtest.page.frame import framed
from engine.backtest.page.markup import Html, tag
from engine.cases.assessment import Figures, Rate
from engine.cases.bulletin.rows import (
    Telling,
    figures_head,
    figures_row,
    share,
    worth_head,
    worth_row,
)
from engine.cases.model import Stage
from engine.model.formats import format_duration

_DAYS = ("orders", "closed", "missed")
_MOST_BARS = 40


def page(telling: Telling, version: str) -> str:
    """The whole page as text."""
    return framed(
        telling.title, telling.lang, version,
        _header(telling), tag("main", *_sections(telling)), is_moving=False,
    )  # fmt: skip


def _header(telling: Telling) -> Html:
    whole, say = telling.found.whole, telling.say
    median = whole.median_ms(Stage.SIGN)
    verdicts = [one.precision for kind, _, one in telling.worths() if kind == "rule"]
    precision = Rate(sum(one.kept for one in verdicts), sum(one.of for one in verdicts))
    cards = [
        ("opened", f"{whole.counts['opened']:,}"),
        ("orders", f"{whole.orders:,}"),
        ("closed", f"{whole.counts['closed']:,}"),
        ("on-time-resolve", share(whole.on_time(Stage.RESOLVE))),
        ("median-sign", "—" if median is None else format_duration(median, telling.lang)),
        ("precision", share(precision)),
        ("satisfied", share(Rate(whole.satisfied, whole.called_back))),
    ]
    shown = [
        tag("div", tag("b", value), tag("span", say(f"bulletin-{name}")), class_="card")
        for name, value in cards
    ]
    lines = [tag("p", telling.made)] if telling.made else []
    if not telling.is_whole:
        lines.append(tag("p", say("bulletin-so-far")))
    soft = tag("div", *lines, class_="soft")
    return tag("header", tag("h1", telling.title), soft, tag("div", *shown, class_="cards"))


def _sections(telling: Telling) -> Iterator[Html]:
    if not telling.found.days and telling.found.whole.is_empty:
        yield tag("section", tag("p", telling.say("bulletin-empty")))
        return
    yield _by_day(telling)
    for kind in ("department", "area"):
        rows = [(name, one) for of, _, name, one in telling.groups() if of == kind]
        if rows:
            yield _resolved(telling, kind, rows)
            yield _figures(telling, kind, rows)
    for kind in ("pack", "rule"):
        found = [(name, one) for of, name, one in telling.worths() if of == kind]
        if found:
            head = [telling.say(f"bulletin-{kind}"), *worth_head(telling)]
            cells = [[name, *worth_row(one)] for name, one in found]
            yield _table(telling.say(f"bulletin-{kind}s"), head, cells)
    yield tag(
        "section", tag("h2", telling.say("bulletin-how")), tag("p", telling.say("bulletin-counted"))
    )


def _by_day(telling: Telling) -> Html:
    """Orders, closed cases and missed limits of each day."""
    days = telling.found.days
    names = {name: telling.say(f"bulletin-day-{name}") for name in _DAYS}
    colours = {label: colour(number) for number, label in enumerate(names.values())}
    counts = {
        label: {day: some[name] for day, some in days.items()} for name, label in names.items()
    }
    legend = [tag("span", _swatch(colours[label]), label) for label in names.values()]
    title = telling.say("bulletin-days")
    return tag(
        "section", tag("h2", title), bars(list(days), counts, colours, title),
        tag("div", *legend, class_="legend"),
    )  # fmt: skip


def _resolved(telling: Telling, kind: str, rows: Sequence[tuple[str, Figures]]) -> Html:
    """How many of its orders each resolved in time, in per cent; and missed."""
    title = telling.say(f"bulletin-resolved-{kind}")
    judged = [(name, one.on_time(Stage.RESOLVE)) for name, one in rows]
    judged = [(name, rate) for name, rate in judged if rate.of][:_MOST_BARS]
    kept, missed = telling.say("bulletin-kept"), telling.say("bulletin-missed")
    colours = {kept: colour(0), missed: colour(3)}
    counts = {
        kept: {name: rate.kept for name, rate in judged},
        missed: {name: rate.of - rate.kept for name, rate in judged},
    }
    legend = [tag("span", _swatch(shade), label) for label, shade in colours.items()]
    if not judged:
        return tag("section", tag("h2", title), tag("p", telling.say("bulletin-none-decided")))
    return tag(
        "section", tag("h2", title), bars([name for name, _ in judged], counts, colours, title),
        tag("div", *legend, class_="legend"),
    )  # fmt: skip


def _figures(telling: Telling, kind: str, rows: Sequence[tuple[str, Figures]]) -> Html:
    head = [telling.say(f"bulletin-{kind}"), *figures_head(telling)]
    cells = [[name, *figures_row(telling, one)] for name, one in rows]
    cells.append([telling.say("bulletin-whole"), *figures_row(telling, telling.found.whole)])
    return _table(telling.say(f"bulletin-{kind}s"), head, cells)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table whose first column says of whom."""
    heads = [tag("th", cell, class_="n" if place else None) for place, cell in enumerate(head)]
    body = [
        tag(
            "tr", *(tag("td", cell, class_="n" if place else "t") for place, cell in enumerate(row))
        )
        for row in rows
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    return tag("section", tag("h2", title), tag("div", table, class_="wide"))


def _swatch(shade: str) -> Html:
    square = tag("rect", width=10, height=10, rx=2, fill=shade)
    return tag("i", tag("svg", square, viewBox="0 0 10 10", width=10, height=10))
