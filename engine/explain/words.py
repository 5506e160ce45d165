"""A funnel as people read it: the verdict, each stage with its figures, how near it came before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.explain.funnel import FIRED, SEEN, WHERE, Funnel, Intake, Part, Proof, Told
from engine.model.formats import (
    format_distance,
    format_duration,
    format_number,
    format_quantity,
    format_time,
)
from engine.model.progress import Note, Progress, Step
from engine.text import catalogue, say

_MARKS = {True: "✓", False: "✗", None: "·"}
_TRIES = 5
_SECOND_MS = 1000


def as_text(funnel: Funnel, lang: str) -> str:
    """The whole answer."""
    zone = funnel.zone
    title = funnel.title.get(lang) or next(iter(funnel.title.values()), "")
    lines = [f"{funnel.rule}  {title}".rstrip()]
    lines.append(say("why-head", lang, key=funnel.key, at=format_time(funnel.at_ms, zone, lang)))
    lines += ["", verdict(funnel, lang), ""]
    for intake in funnel.intakes:
        lines += _intake(intake, zone, lang)
    ordered = sorted(funnel.tries, key=lambda one: -one.share)
    for one in ordered[:_TRIES]:
        if len(funnel.tries) > 1 and one.part:
            lines.append(f"  {say('why-part', lang, part=one.part)}")
        lines += step_lines(one.steps, zone, lang)
    if len(ordered) > _TRIES:
        lines.append(f"    {say('why-more', lang, count=len(ordered) - _TRIES)}")
    if funnel.status in {"draft", "shadow"}:
        lines.append(f"  {_MARKS[None]} {say('why-status', lang, status=funnel.status)}")
    if funnel.fired:
        lines += ["", say("why-alerts", lang)]
        lines += [f"  {_told(one, zone, lang)}" for one in funnel.fired]
    if funnel.proofs:
        lines += ["", say("why-proofs", lang, text=funnel.verify)]
        for proof in funnel.proofs:
            lines += proof_lines(proof, zone, lang)
    if funnel.misses:
        lines += ["", say("why-nearest", lang)]
        for note in funnel.misses:
            lines += note_lines(note, zone, lang)
    return "\n".join(lines)


def verdict(funnel: Funnel, lang: str) -> str:
    """One sentence: it fired, or where it stops and what is missing."""
    stop = funnel.stops_at
    if stop == FIRED:
        waits = funnel.best is not None and not funnel.best.has_fired
        return say("why-verdict-due" if waits else "why-verdict-fired", lang)
    if stop == SEEN:
        return say("why-verdict-seen", lang)
    if stop == WHERE:
        return say("why-verdict-where", lang)
    unmet = funnel.unmet
    if unmet is None:
        return say("why-verdict-nothing", lang)
    return say("why-verdict-stops", lang, what=sentence(unmet, funnel.zone, lang))


def step_lines(steps: Sequence[Step], zone: str, lang: str) -> list[str]:
    """Each step on a line of its own, marked as met, unmet or unknown."""
    return [f"  {_MARKS[step.met]} {sentence(step, zone, lang)}" for step in steps]


def note_lines(note: Note, zone: str, lang: str) -> list[str]:
    """A near miss or fault: when, and what was missing."""
    at = format_time(note.at_ms, zone, lang)
    if note.kind == "error":
        return [f"  {at}  {say('why-error', lang, detail=note.detail)}"]
    unmet = [step for step in note.progress.steps if not step.met]
    if note.kind == "unproved":
        unmet = [step for step in unmet if step.name != "proof-given-up"]
    comma = "；" if lang == "zh" else "; "
    missing = comma.join(sentence(step, zone, lang) for step in unmet)
    if note.kind == "unproved":
        missing = say("why-unproved", lang, episode=note.progress.part, what=missing)
    lines = [f"  {at}  {missing}"]
    if note.progress.steps and note.progress.steps[0].name == "condition":
        met = [step for step in note.progress.steps if step.met]
        lines += [f"      {_MARKS[True]} {sentence(step, zone, lang)}" for step in met]
    return lines


def proof_lines(proof: Proof, zone: str, lang: str) -> Iterator[str]:
    """How far the proof of one alert is, and what the newest event said to the condition."""
    name = "why-proof-never" if proof.given_up else "why-proof-not-yet"
    since = format_time(proof.since_ms, zone, lang)
    yield f"  {say(name, lang, episode=proof.episode_id, since=since)}"
    yield from (f"  {line}" for line in step_lines(proof.steps, zone, lang))
    for title, parts in (("why-proof-broke", proof.broke), ("why-proof-last", proof.last)):
        if parts:
            yield f"    {say(title, lang)}"
            yield from (_part(part, lang) for part in parts)


def sentence(step: Step, zone: str, lang: str) -> str:
    """A step in words, with its figures."""
    words = {name: _shown(name, value, zone, lang) for name, value in step.found.items()}
    for name, value in (("have", step.have), ("need", step.need)):
        words[name] = _quantity(value, step.unit, lang)
    if step.at_ms is not None:
        words["at"] = format_time(step.at_ms, zone, lang)
    words["short"] = _short(step, lang)
    name = f"why-{step.name}"
    unmet = f"{name}-unmet"
    if not step.met and unmet in catalogue():
        name = unmet
    text = say(name, lang, **words)
    return f"{text}  {words['values']}" if words.get("values") else text


def _short(step: Step, lang: str) -> str:
    """What is missing of what is needed."""
    have, need = step.have, step.need
    if isinstance(have, int | float) and isinstance(need, int | float):
        short = abs(need - have)
        # A watermark lies a millisecond beside whole seconds.
        whole = step.unit == "ms" and short >= _SECOND_MS
        return _quantity(
            round(short / _SECOND_MS) * _SECOND_MS if whole else short, step.unit, lang
        )
    return ""


def _quantity(value: Any, unit: str, lang: str) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit == "ms":
        return format_duration(value, lang)
    if unit == "m":
        return format_distance(value, lang)
    return format_quantity(_rounded(value), unit or None, lang)


def _shown(name: str, value: Any, zone: str, lang: str) -> str:
    """A value by what its name says it is."""
    if isinstance(value, int) and name.endswith("_at"):
        return format_time(value, zone, lang)
    if isinstance(value, int | float) and name.endswith("_ms"):
        return format_duration(value, lang)
    if isinstance(value, int | float) and name.endswith("_m"):
        return format_distance(value, lang)
    if isinstance(value, float) and name in {"lon", "lat"}:
        return f"{value:.5f}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return format_number(_rounded(value))


def _rounded(value: float) -> float:
    return round(value, 5) if isinstance(value, float) else value


def _intake(intake: Intake, zone: str, lang: str) -> Iterator[str]:
    """What was seen of a feed, what was admitted, and the newest record part by part."""
    if not intake.records:
        name = "why-seen-none" if intake.all_records else "why-seen-nothing"
        text = say(name, lang, feed=intake.feed, count=format_number(intake.all_records))
        yield f"  {_MARKS[False]} {text}"
    else:
        last = format_time(intake.last_ms or 0, zone, lang)
        words = {"feed": intake.feed, "count": format_number(intake.records), "last": last}
        yield f"  {_MARKS[True]} {say('why-seen', lang, **words)}"
    if intake.rejected:
        reasons = ", ".join(f"{name} {count}" for name, count in sorted(intake.rejected.items()))
        yield f"    {_MARKS[None]} {say('why-rejected', lang, reasons=reasons)}"
    for name, count in sorted(intake.missing.items()):
        words = {"field": name, "count": format_number(count)}
        yield f"    {_MARKS[None]} {say('why-missing', lang, **words)}"
    if intake.records and intake.has_where:
        words = {"count": format_number(intake.admitted), "all": format_number(intake.records)}
        name = "why-where-unknown" if intake.unknown else "why-where"
        text = say(name, lang, **words, unknown=format_number(intake.unknown))
        yield f"  {_MARKS[intake.admitted > 0]} {text}"
    yield from (_part(part, lang) for part in (*intake.last, *intake.asked))


def _part(part: Part, lang: str) -> str:
    mark = _MARKS[part.value if isinstance(part.value, bool) else None]
    unknown = "" if part.value is not None else f"  {say('why-unknown', lang)}"
    return f"      {mark} {part.text}  {values_of(part)}{unknown}".rstrip()


def values_of(part: Part) -> str:
    """The values behind the answer of a condition, in one line."""
    return ", ".join(f"{name} = {_value(value)}" for name, value in part.values)


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)
    return format_number(_rounded(value)) if isinstance(value, int | float) else str(value)


def _told(one: Told, zone: str, lang: str) -> str:
    at, words = format_time(one.at_ms, zone, lang), one.summary
    summary = words.get(lang) or next(iter(words.values()), "")
    happened = say(f"transition-{one.transition}", lang)
    line = f"{at}  {happened}  {say(f'format-level-{one.severity}', lang)}  {one.episode_id}"
    return f"{line}  {summary}".rstrip()


def alert_text(change: Mapping[str, Any], zone: str, lang: str) -> Sequence[str]:
    """Why an alert fired, from what was stored with it."""
    evidence = change.get("evidence") or {}
    lines = step_lines([_step(one) for one in evidence.get("trace", [])], zone, lang)
    values = [one for one in evidence.get("values", []) if not isinstance(one["value"], bool)]
    lines += [f"      {one['text']} = {_value(one['value'])}" for one in values]
    for name, row in (evidence.get("lookups") or {}).items():
        fields = ", ".join(f"{key}={_value(value)}" for key, value in (row or {}).items())
        lines.append(f"  {_MARKS[None]} {say('why-lookup', lang, name=name)} {fields or '—'}")
    return lines


def _step(plain: Mapping[str, Any]) -> Step:
    return Step(**plain)


def progress_lines(progress: Progress, zone: str, lang: str) -> list[str]:
    """One try, step by step."""
    return step_lines(progress.steps, zone, lang)
