"""Phrases that the text and the page of a backtest share."""

from collections.abc import Iterator

from engine.backtest.compare import Fate, Pair
from engine.backtest.episodes import Episode
from engine.backtest.report import Report
from engine.explain.words import sentence
from engine.model.formats import format_time
from engine.text import say


def instant(at_ms: int | None, zone: str, lang: str) -> str:
    """An instant by the local clock, or a dash."""
    return "—" if at_ms is None else format_time(at_ms, zone, lang)


def severity(name: str, lang: str) -> str:
    """What a level is called."""
    return say(f"bt-severity-{name}", lang)


def silent(rule: str, report: Report, lang: str) -> Iterator[str]:
    """How near a rule that never fired came."""
    wanted = report.ran.wanted.get(rule, 0)
    near = report.ran.nearest.get(rule)
    if wanted:
        yield say("bt-silent-wanted", lang, count=f"{wanted:,}")
    elif near is None:
        yield say("bt-silent-none", lang)
    if near is not None:
        unmet = [step for step in near.progress.steps if not step.met]
        comma = "；" if lang == "zh" else "; "
        missing = comma.join(sentence(step, report.zone, lang) for step in unmet)
        at = instant(near.at_ms, report.zone, lang)
        yield say("bt-silent-near", lang, key=near.key, at=at, missing=missing)


def differs(pair: Pair, zone: str, lang: str) -> Iterator[str]:
    """What differs between the two episodes of a pair: `fires 10:20 → 10:10`.

    A text that tells other times because the times differ is no news of its own.
    """
    if pair.new is None or pair.old is None:
        return
    for what in pair.what:
        if what == "text" and pair.fate is Fate.MOVED:
            continue
        old, new = (_shown(what, one, zone, lang) for one in (pair.old, pair.new))
        yield say(f"bt-what-{what}", lang, old=old, new=new)


def _shown(what: str, one: Episode, zone: str, lang: str) -> str:
    """One side of a difference."""
    if what == "start":
        return instant(one.since_ms, zone, lang)
    if what == "fired":
        return instant(one.fired_ms, zone, lang)
    if what == "end":
        if one.ended_ms is None:
            return say("bt-end-open", lang)
        end = "" if one.end == "cleared" else f" ({say(f'bt-end-{one.end}', lang)})"
        return instant(one.ended_ms, zone, lang) + end
    if what == "severity":
        return severity(one.severity, lang)
    if what == "climb":
        return ", ".join(instant(at_ms, zone, lang) for at_ms, _ in one.climbs[1:]) or "—"
    return one.text(lang)
