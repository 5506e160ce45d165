"""What people read of a case: title, text and fields in both languages, from the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.cases.clocks import foremost
from engine.cases.model import Clock, Incident, Move, PaperKind
from engine.cases.policy import Policy
from engine.text import LANGUAGES, catalogue, say

_ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Letter:
    """A document about to be written: to whom, what kind, and on which occasion.

    Attributes:
        kind: What receivers do with it.
        why: The occasion: names the sentence `case-notice-<why>` of the catalogue.
        sinks: Who gets it; the same sink twice gets one.
        found: Words in the sentence beyond those of the case; `stage` and `verdict` by their ids,
            instants (ending in `_ms`) as they are.
        references: Papers or cases it refers to besides the order in force.

    """

    kind: PaperKind
    why: str
    sinks: tuple[str, ...]
    found: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] = ()


def notice(policy: Policy, incident: Incident, move: Move, letter: Letter) -> dict[str, Any]:
    """The part of a document that sinks for people show, in Chinese and English."""
    due = foremost(incident.clocks)
    return {
        "title": {lang: _title(incident, letter, lang) for lang in LANGUAGES},
        "text": {lang: _text(policy, incident, move, letter, lang) for lang in LANGUAGES},
        "level": incident.severity,
        "at_ms": move.at_ms,
        "incident": incident.id,
        "due_ms": None if due is None else due.due_ms,
        "fields": _fields(policy, incident, due),
        "link": f"/incidents/{incident.id}",
    }


def _title(incident: Incident, letter: Letter, lang: str) -> str:
    return say(
        f"case-notice-title-{letter.kind}",
        lang,
        title=in_language(incident.title, lang) or incident.number,
        number=incident.number,
    )


def _text(policy: Policy, incident: Incident, move: Move, letter: Letter, lang: str) -> str:
    """The occasion, then the matter, then what was said for a reason."""
    words = {
        "number": incident.number,
        "lead": department(policy, incident.lead, lang) or say("case-notice-nobody", lang),
        "count": len(incident.members),
        "severity": say(f"case-severity-{incident.severity}", lang),
        "tier": say(f"case-tier-{incident.tier}", lang),
        **_words(policy, letter.found, lang),
    }
    lines = [say(f"case-notice-{letter.why}", lang, **words)]
    if summary := in_language(incident.summary, lang):
        lines.append(summary)
    if incident.place:
        lines.append(say("case-notice-place", lang, place=incident.place))
    if move.reason:
        lines.append(say("case-notice-reason", lang, reason=move.reason))
    if letter.kind is PaperKind.ORDER:
        lines += [f"{n}. {in_language(item, lang)}" for n, item in enumerate(incident.check, 1)]
    return "\n".join(lines)


def _words(policy: Policy, found: Mapping[str, Any], lang: str) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for name, value in found.items():
        if name.endswith("_ms"):
            words[name.removesuffix("_ms")] = clock_time(value)
        elif name in {"stage", "verdict"}:
            words[name] = say(f"case-{name}-{value}", lang)
        elif name in {"department", "before"}:
            words[name] = department(policy, value, lang) or say("case-notice-nobody", lang)
        else:
            words[name] = value
    return words


def _fields(policy: Policy, incident: Incident, due: Clock | None) -> list[list[Any]]:
    """Pairs of a name in both languages and a value that needs no language."""
    lead = policy.departments.get(incident.lead)
    values = {
        "number": incident.number,
        "lead": in_language(dict(lead.title), "zh") if lead is not None else incident.lead,
        "place": incident.place,
        "position": ""
        if incident.lon is None or incident.lat is None
        else f"{incident.lon:.6f}, {incident.lat:.6f}",
        "due": "" if due is None else clock_time(due.due_ms),
        "outside": incident.outside,
    }
    return [
        [{lang: say(f"case-notice-field-{name}", lang) for lang in LANGUAGES}, value]
        for name, value in values.items()
        if value
    ]


def department(policy: Policy, name: str, lang: str) -> str:
    """What a department is called; its id where it is not declared."""
    declared = policy.departments.get(name)
    return name if declared is None else in_language(dict(declared.title), lang) or name


def in_language(words: Mapping[str, str], lang: str) -> str:
    """A text in one language, or in the other where it has only that."""
    return words.get(lang) or next((text for text in words.values() if text), "")


def clock_time(at_ms: int | None) -> str:
    """An instant as the city's clocks show it; midnight as 24:00 of the day that ends."""
    if at_ms is None:
        return "-"
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_ZONE)
    if local.hour or local.minute or local.second:
        return f"{local:%Y-%m-%d %H:%M}"
    return f"{local - timedelta(days=1):%Y-%m-%d} 24:00"


def occasions() -> tuple[str, ...]:
    """Every occasion that the catalogue has a sentence for."""
    apart = (
        "case-notice-title-",
        "case-notice-field-",
        "case-notice-place",
        "case-notice-reason",
        "case-notice-nobody",
    )
    return tuple(
        name.removeprefix("case-notice-")
        for name in catalogue()
        if name.startswith("case-notice-") and not name.startswith(apart)
    )
