"""An alert as the person on duty wants to read it: what, where, how long, what to do, why."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import category
from zoneinfo import ZoneInfo

import msgspec

from engine.edge.cli.voice import voice
from engine.model.change import Change, Transition
from engine.model.units import format_duration, format_number
from simulators.to_files import read_truth
from simulators.truth import compare

_ZONE = ZoneInfo("Asia/Shanghai")
_COLOURS = {"blue": "blue", "yellow": "yellow", "orange": "orange", "red": "red"}
_MOST_VALUES = 6
_LONGEST_NUMBER = 9
_INSTANT = 100_000_000_000


class Card:
    """Lays alerts out; everything that it says is in the alert itself."""

    def text(self, change: Change) -> str:
        """One alert as several lines; later changes of the same alert are one line."""
        speak, lang = voice(), voice().lang
        level = speak.say(f"severity-{change.severity}")
        title = _printable(_words(change.title, lang) or change.rule)
        head = speak.say(
            f"card-{change.transition}", level=level, title=title, at=_clock(change.at_ms)
        )
        head = speak.colour(head, _COLOURS.get(change.severity, "blue"))
        summary = _printable(_words(change.summary, lang))
        if change.transition is not Transition.FIRED:
            return f"{head}  {summary or _printable(change.key)}"
        lines = [head, f"  {summary or _printable(change.key)}"]
        for name, text in self._facts(change, lang):
            what = speak.say(f"card-{name}")
            lines.append(speak.say("card-fact", what=what, text=_printable(text)))
        return "\n".join(lines)

    def _facts(self, change: Change, lang: str) -> list[tuple[str, str]]:
        held = speak_since(change, lang)
        checks = [_words(check, lang) for check in change.check]
        comma = "；" if lang == "zh" else "; "
        numbered = comma.join(f"{number}. {text}" for number, text in enumerate(checks, 1))
        facts = [
            ("where", _place(change)),
            ("since", held),
            ("do", numbered),
            ("units", comma.join(change.units)),
            ("offences", comma.join(_words(offence, lang) for offence in change.offences)),
            ("basis", comma.join(map(_basis, change.basis))),
            ("evidence", _evidence(change.evidence, lang)),
        ]
        return [(name, text) for name, text in facts if text]


def speak_since(change: Change, lang: str) -> str:
    """Since when, and for how long by now."""
    held = format_duration(change.held_ms, lang)
    return voice().say("card-held", since=_clock(change.since_ms), held=held)


def closing_line(changes: Sequence[Change], repeats: int, refused: int, truth: Path | None) -> str:
    """The count at the end: alerts, and how they compare with what really happened."""
    speak = voice()
    fired = sum(change.transition is Transition.FIRED for change in changes)
    line = speak.say("receive-total", alerts=fired, changes=len(changes), repeats=repeats)
    if refused:
        line += speak.say("receive-refused", refused=refused)
    if truth is not None:
        scored = score(changes, truth)
        line += speak.say("receive-truth", **scored)
    return line


def score(changes: Sequence[Change], truth: Path, tolerance_ms: int = 0) -> dict[str, Any]:
    """Alerts held against the truth of a simulated world: found, hits, recall, false."""
    plain = [msgspec.to_builtins(change) for change in changes]
    report = compare(read_truth(truth), plain, tolerance_ms)
    hits = sum(one.hits for one in report.scores.values())
    found = sum(one.found for one in report.scores.values())
    return {
        "hits": hits,
        "found": found,
        "recall": f"{found / hits:.3f}" if hits else "1.000",
        "false": sum(one.false for one in report.scores.values()),
        "wrong": sum(len(one.wrong) for one in report.scores.values()),
    }


def _words(words: Mapping[str, str], lang: str) -> str:
    return words.get(lang) or next(iter(words.values()), "")


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_ZONE):%Y-%m-%d %H:%M:%S}"


def _place(change: Change) -> str:
    """The place's name, or else its coordinates."""
    if change.place or change.lon is None or change.lat is None:
        return change.place or ""
    return f"{change.lon:.5f}, {change.lat:.5f}"


def _basis(ground: Mapping[str, str]) -> str:
    title, article = ground.get("title", ""), ground.get("article", "")
    return voice().say("card-article", title=title, article=article) if article else title


def _evidence(evidence: Mapping[str, Any], lang: str) -> str:
    """The figures that decided: how far a sum came, then fields of the start, event and tables."""
    operator = evidence.get("operator") or {}
    said = []
    if operator.get("reach") is not None:
        value, reach = operator.get("value") or 0, operator["reach"]
        words = {"value": format_number(value), "reach": format_number(reach)}
        said.append(voice().say("card-reached", **words))
    for fields in _fields(evidence):
        said += [f"{name}={_shown(value)}" for name, value in fields.items() if _tells(value)]
    comma = "，" if lang == "zh" else ", "
    return comma.join(said[:_MOST_VALUES])


def _fields(evidence: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if evidence.get("start"):
        yield {name: v for name, v in evidence["start"].items() if not isinstance(v, str)}
    for event in evidence.get("events", []):
        yield event.get("fields", {})
    for row in (evidence.get("lookups") or {}).values():
        yield row or {}


def _tells(value: Any) -> bool:
    """Whether a value is worth a reader's time: no null, no switch, no instant, no coordinate."""
    if isinstance(value, bool) or value is None or value == "":
        return False
    if isinstance(value, float) and not value.is_integer() and abs(value) > 1:
        return len(f"{value:.10g}") <= _LONGEST_NUMBER
    return not (isinstance(value, int) and value > _INSTANT)


def _printable(text: str) -> str:
    """The text without what would steer a terminal: whoever fills a feed may have written it."""
    return "".join("\N{REPLACEMENT CHARACTER}" if category(c)[0] == "C" else c for c in text)


def _shown(value: Any) -> str:
    return format_number(value) if isinstance(value, int | float) else str(value)
