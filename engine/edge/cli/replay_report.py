"""What a replay counted, as people read it and as plain values."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.edge.cli.helptext import table, width
from engine.replay import Tally
from engine.text import say

_MOST_DAYS = 31


def as_text(tally: Tally, lang: str, zone: str) -> str:
    """The count as a few short tables; instants by the clock of `zone`."""
    span = _span(tally, ZoneInfo(zone))
    lines = [say("replay-read", lang, **span, records=f"{tally.records.total():,}")]
    lines += table([(feed, f"{count:,}") for feed, count in sorted(tally.records.items())])
    for title, rows in (
        ("replay-alerts", _alerts(tally, lang)),
        ("replay-days", _days(tally)),
        ("replay-rejected", _pairs(tally.rejected.items())),
        ("replay-late", [(feed, f"{count:,}") for feed, count in sorted(tally.late.items())]),
        ("replay-other", _pairs(tally.other.items())),
    ):
        if rows:
            column = max(28, 2 + max(width(left) for left, _ in rows))
            lines += ["", say(title, lang), *table(rows, column)]
    for trouble in tally.troubles:
        found = {"kind": trouble.kind, "rule": trouble.rule, "detail": trouble.detail}
        lines.append(say("test-rule-trouble", lang, **found))
    fired = sum(count for (_, what), count in tally.alerts.items() if what == "fired")
    lines += ["", say("replay-total", lang, alerts=fired, rejected=tally.rejected.total())]
    return "\n".join(lines)


def as_json(tally: Tally) -> dict[str, Any]:
    """The count as plain values."""
    alerts: dict[str, dict[str, int]] = {}
    for (rule, what), count in sorted(tally.alerts.items()):
        alerts.setdefault(rule, {})[what] = count
    days: dict[str, dict[str, int]] = {}
    for (rule, day), count in sorted(tally.days.items()):
        days.setdefault(rule, {})[day] = count
    return {
        "records": dict(sorted(tally.records.items())),
        "first_ms": tally.first_ms,
        "last_ms": tally.last_ms,
        "alerts": alerts,
        "days": days,
        "rejected": {f"{feed}/{reason}": n for (feed, reason), n in sorted(tally.rejected.items())},
        "late": dict(sorted(tally.late.items())),
        "other": {f"{name}/{label}": n for (name, label), n in sorted(tally.other.items())},
        "troubles": [
            {"kind": one.kind, "rule": one.rule, "detail": one.detail, "at_ms": one.at_ms}
            for one in tally.troubles
        ],
    }


def _span(tally: Tally, zone: ZoneInfo) -> dict[str, str]:
    """First and last instant by the local clock."""
    return {"first": _clock(tally.first_ms, zone), "last": _clock(tally.last_ms, zone)}


def _clock(at_ms: int | None, zone: ZoneInfo) -> str:
    if at_ms is None:
        return "—"
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone):%Y-%m-%d %H:%M}"


def _alerts(tally: Tally, lang: str) -> list[tuple[str, str]]:
    rules = sorted({rule for rule, _ in tally.alerts})
    rows = []
    for rule in rules:
        parts = [
            f"{say(f'transition-{what}', lang)} {count:,}"
            for (name, what), count in sorted(tally.alerts.items(), key=_in_order)
            if name == rule
        ]
        rows.append((rule, "  ".join(parts)))
    return rows


_ORDER = ("fired", "raised", "updated", "cleared", "verified", "retracted")


def _in_order(entry: tuple[tuple[str, str], int]) -> tuple[str, int]:
    (rule, what), _ = entry
    return rule, _ORDER.index(what)


def _days(tally: Tally) -> list[tuple[str, str]]:
    """New alerts of each rule, day by day; only the busiest days of a long recording."""
    days = sorted({day for _, day in tally.days})
    if len(days) <= 1:
        return []
    rows = list(_day_rows(tally, days))
    busiest = sorted(rows, key=lambda row: -sum(row[2]))[:_MOST_DAYS]
    return [(day, text) for day, text, _ in sorted(busiest)]


def _day_rows(tally: Tally, days: list[str]) -> Iterator[tuple[str, str, list[int]]]:
    rules = sorted({rule for rule, _ in tally.days})
    for day in days:
        counts = [tally.days[rule, day] for rule in rules]
        parts = [f"{rule} {n:,}" for rule, n in zip(rules, counts, strict=True) if n]
        yield day, "  ".join(parts), counts


def _pairs(items: Any) -> list[tuple[str, str]]:
    return [(f"{one}: {other}", f"{count:,}") for (one, other), count in sorted(items)]
