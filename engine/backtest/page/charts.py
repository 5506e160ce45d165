"""Bars as drawings: new alerts by day and by hour of day, a colour for each rule."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from engine.backtest.page.markup import Html, tag

WIDE, HIGH = 960, 240
_LEFT, _TOP, _BOTTOM = 46, 10, 26
_GRID = 4
_WIDEST = 60
_MOST_LABELS = 12
_MOST_DAYS, _MOST_WEEKS = 120, 900
COLOURS = (
    "#178a7a", "#8257c9", "#6b7a8c", "#b0487f", "#6d8f1f",
    "#3b4a8f", "#8a6242", "#35a0bf", "#5b2d63", "#a3b18a",
)  # fmt: skip
"""One for each rule, unlike those of the severities; after ten they begin again."""


def colour(number: int) -> str:
    """The colour of the rule with this number."""
    return COLOURS[number % len(COLOURS)]


def by_day(
    counts: Mapping[str, Mapping[str, int]],
) -> tuple[str, list[str], dict[str, Counter[str]]]:
    """New alerts by day, without gaps; of long recordings by week or month.

    Answers the step (`day`, `week` or `month`), the labels in order, and for each rule its counts.
    """
    days = sorted({day for one in counts.values() for day in one})
    if not days:
        return "day", [], {}
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    length = (last - first).days + 1
    step = "day" if length <= _MOST_DAYS else "week" if length <= _MOST_WEEKS else "month"
    every = [first + timedelta(days=number) for number in range(length)]
    labels = list(dict.fromkeys(_label(day, step) for day in every))
    found: dict[str, Counter[str]] = {}
    for rule, some in counts.items():
        found[rule] = Counter()
        for day, count in some.items():
            found[rule][_label(date.fromisoformat(day), step)] += count
    return step, labels, found


def bars(
    labels: Sequence[str], counts: Mapping[str, Mapping[str, int]], colours: Mapping[str, str],
    name: str,
) -> Html:  # fmt: skip
    """Stacked bars, one for each label, with a scale and what each part is."""
    totals = [sum(one.get(label, 0) for one in counts.values()) for label in labels]
    most = _round(max(totals, default=0))
    step = (WIDE - _LEFT) / max(len(labels), 1)
    high = HIGH - _TOP - _BOTTOM
    parts: list[Html] = []
    for number in range(_GRID + 1):
        y = _TOP + high - high * number / _GRID
        parts.append(tag("line", x1=_LEFT, x2=WIDE, y1=_n(y), y2=_n(y), class_="grid"))
        text = f"{most * number / _GRID:g}"
        parts.append(tag("text", text, x=_LEFT - 6, y=_n(y + 4), class_="end"))
    every = max(1, -(-len(labels) // _MOST_LABELS))
    for place, label in enumerate(labels):
        x, y = _LEFT + step * place, float(_TOP + high)
        for rule, one in counts.items():
            count = one.get(label, 0)
            if count:
                size = high * count / most
                y -= size
                about = tag("title", f"{label}  {rule}: {count:,}")
                width = min(max(step * 0.8, 0.7), _WIDEST)
                parts.append(
                    tag("rect", about, x=_n(x + (step - width) / 2), y=_n(y), width=_n(width),
                        height=_n(size), fill=colours[rule])
                )  # fmt: skip
        if place % every == 0:
            parts.append(tag("text", label, x=_n(x + step / 2), y=HIGH - 8, class_="middle"))
    return tag("svg", *parts, viewBox=f"0 0 {WIDE} {HIGH}", role="img", aria_label=name)


def split(parts: Sequence[tuple[str, int]], most: int) -> Html:
    """A small lying bar of severities, as long as its share of `most`."""
    x = 0.0
    drawn: list[Html] = []
    for name, count in parts:
        if count:
            size = max(160 * count / max(most, 1), 1)
            drawn.append(tag("rect", x=_n(x), y=2, width=_n(size), height=10, class_=f"s-{name}"))
            x += size
    return tag("svg", *drawn, viewBox="0 0 170 14", width=170, height=14, aria_hidden="true")


def _label(day: date, step: str) -> str:
    if step == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    return day.isoformat()[:7] if step == "month" else day.isoformat()


def _round(most: int) -> int:
    """A number that is no less and that a scale can be divided by."""
    if most <= _GRID:
        return _GRID
    size = 10 ** (len(str(most)) - 1)
    return next(
        number
        for number in (int(size * factor) for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10))
        if number >= most and number % _GRID == 0
    )


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
