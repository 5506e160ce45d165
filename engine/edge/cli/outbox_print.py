"""How deliveries are told to people and programs: personal data masked unless it is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.dispatch.discretion import concealed, hidden, masked_body
from engine.edge.cli.voice import voice
from engine.edge.state_tools.plan import columns
from engine.edge.store import outbox_look as look
from engine.edge.store.outbox_hand import Deed, Done, Result
from engine.edge.store.outbox_look import Entry, Line
from engine.model.formats import format_duration, format_time

_ZONE = "Asia/Shanghai"
_HEAD = ("id", "sink", "phase", "age", "tries", "next", "rule", "transition", "key", "reason")
_OF_PAPERS = {"rule": "case", "key": ""}
"""What a head is called where papers of cases are listed; they have no key of their own."""
_SHOWN = 20


class Shown(NamedTuple):
    """A delivery with what is sent of it and what was done to it by hand."""

    line: Line
    body: bytes
    trail: Sequence[Entry]


def print_lines(
    lines: Sequence[Line],
    counts: Mapping[str, Mapping[str, int]],
    unknown: Sequence[str],
    now_ms: int,
) -> None:
    """A list of deliveries and how many there are of each kind."""
    speak = voice()
    total = sum(sum(phases.values()) for phases in counts.values())
    if speak.json:
        named = {
            sink: {phase_word(phase): number for phase, number in phases.items()}
            for sink, phases in counts.items()
        }
        speak.data(
            {
                "deliveries": [_data(line, now_ms) for line in lines],
                "counts": named,
                "more": total - len(lines),
                "unknown": list(unknown),
            }
        )
        return
    if lines:
        papers = lines[0].is_paper
        names = [_OF_PAPERS.get(name, name) for name in _HEAD] if papers else _HEAD
        head = [speak.say(f"outbox-head-{name}") for name in names if name]
        for row in columns([head, *(_row(line, now_ms) for line in lines)]):
            speak.line(row)
        if total > len(lines):
            speak.line(speak.say("outbox-more", count=total - len(lines)))
        speak.line()
    for sink, phases in counts.items():
        words = ", " if speak.lang == "en" else "，"
        said = words.join(
            speak.say("outbox-count", count=number, phase=speak.say(f"outbox-phase-{phase}"))
            for phase, number in phases.items()
        )
        speak.line(speak.say("outbox-counts", sink=sink, counts=said))
    if not counts:
        speak.line(speak.say("outbox-empty"))
    _print_unknown(unknown)


def print_one(shown: Sequence[Shown], now_ms: int, *, masked: bool) -> None:
    """Everything about a delivery, at each sink that hears of it."""
    speak = voice()
    if speak.json:
        speak.data([_whole(one, now_ms, masked=masked) for one in shown])
        return
    for number, one in enumerate(shown):
        if number:
            speak.line()
        for line in _text(one, now_ms, masked=masked):
            speak.line(line)


def print_result(deed: Deed, result: Result) -> None:
    """What became of a deed, and what was left alone and why."""
    speak = voice()
    if speak.json:
        speak.data({**msgspec.to_builtins(result), "plan": deed.plan})
        return
    done = [one for one in result.done if one.outcome == "done"]
    left: dict[str, list[Done]] = {}
    for one in result.done:
        if one.outcome != "done":
            left.setdefault(one.outcome, []).append(one)
    if deed.plan:
        for one in done[:_SHOWN]:
            happened = speak.say(f"transition-{one.transition}")
            phase = speak.say(f"outbox-phase-{one.before}")
            speak.line(f"  {one.id}  {one.sink}  {one.rule}  {happened}  {phase}")
    name = "outbox-would" if deed.plan else "outbox-did"
    speak.line(speak.say(f"{name}-{deed.does}", count=len(done)))
    for outcome, some in left.items():
        ids = ", ".join(str(one.id) for one in some[:_SHOWN])
        ids += ", …" if len(some) > _SHOWN else ""
        speak.line(speak.say(f"outbox-left-{outcome}", count=len(some), ids=ids))
    if result.following:
        speak.line(speak.say("outbox-following", count=result.following))
    _print_unknown(result.unknown)


def print_trail(entries: Sequence[Entry]) -> None:
    """Who did what by hand, oldest first."""
    speak = voice()
    if speak.json:
        speak.data(msgspec.to_builtins([entry._asdict() for entry in entries]))
        return
    for entry in entries:
        speak.line(_entry(entry, with_what=True))
    if not entries:
        speak.line(speak.say("outbox-trail-empty"))


_WORDS = {look.WAITING: "waiting", "wait": "gathered", "told": "digested"}


def phase_word(phase: str) -> str:
    """A phase as people and programs say it."""
    return _WORDS.get(phase, phase)


def _row(line: Line, now_ms: int) -> list[str]:
    speak = voice()
    row = [
        str(line.id),
        line.sink,
        speak.say(f"outbox-phase-{line.phase}"),
        format_duration(max(0, now_ms - line.stored_ms), speak.lang),
        str(line.attempts),
        _next(line, now_ms),
        line.rule,
        speak.say(f"transition-{line.transition}"),
        hidden(line.key),
        line.reason or "-",
    ]
    if line.is_paper:
        del row[-2]
    return row


def _next(line: Line, now_ms: int) -> str:
    """When it is tried next, or which delivery it waits for."""
    if line.phase != look.WAITING:
        return "-"
    if line.ahead is not None:
        return voice().say("outbox-behind", id=line.ahead)
    if line.due_ms <= now_ms:
        return voice().say("outbox-now")
    return format_duration(line.due_ms - now_ms, voice().lang)


def _text(one: Shown, now_ms: int, *, masked: bool) -> list[str]:
    """A delivery in sentences."""
    speak, line = voice(), one.line
    detail = concealed(line.detail, one.body) if masked else line.detail
    words = {
        "id": line.id,
        "sink": line.sink,
        "delivery": line.delivery_id,
        "phase": speak.say(f"outbox-phase-{line.phase}"),
        "alert": line.episode_id,
        "rule": line.rule,
        "key": hidden(line.key) if masked else line.key,
        "transition": speak.say(f"transition-{line.transition}"),
        "level": speak.say(f"format-level-{line.severity}") if line.severity else "-",
        "at": format_time(line.at_ms, _ZONE, speak.lang),
        "queued": format_time(line.stored_ms, _ZONE, speak.lang),
        "tries": line.attempts,
        "next": _next(line, now_ms),
        "reason": f"{line.reason}: {detail}" if detail else line.reason,
    }
    names = ["what", "case" if line.is_paper else "alert", "happened", "queued"]
    names += ["next"] if line.phase == look.WAITING else []
    names += ["failed"] if line.reason else []
    lines = [speak.say(f"outbox-show-{name}", **words) for name in names]
    if not masked:
        lines += ["", one.body.decode("utf-8", "replace")]
    if one.trail:
        lines += ["", speak.say("outbox-show-trail")]
        lines += ["  " + _entry(entry, with_what=False) for entry in one.trail]
    return lines


def _entry(entry: Entry, *, with_what: bool) -> str:
    speak = voice()
    before = speak.say(f"outbox-phase-{entry.phase}")
    words = {
        "at": format_time(entry.at_ms, _ZONE, speak.lang),
        "who": entry.who,
        "did": speak.say(f"outbox-trail-{entry.did}"),
        "why": entry.why,
        "before": f"{before} ({entry.failure})" if entry.failure else before,
    }
    said = speak.say("outbox-trail-line", **words)
    return f"{entry.outbox_id}  {entry.sink}  {entry.rule}  {said}" if with_what else said


def _data(line: Line, now_ms: int) -> dict[str, Any]:
    """A delivery as plain values, without what could be personal."""
    waits = line.phase == look.WAITING
    return {
        "id": line.id,
        "delivery": line.delivery_id,
        "sink": line.sink,
        "phase": phase_word(line.phase),
        "alert": line.episode_id,
        "rule": line.rule,
        "transition": line.transition,
        "severity": line.severity,
        "key": hidden(line.key),
        "at_ms": line.at_ms,
        "queued_ms": line.stored_ms,
        "age_s": max(0, now_ms - line.stored_ms) // 1000,
        "tries": line.attempts,
        "next_ms": line.due_ms if waits else None,
        "behind": line.ahead,
        "done_ms": line.done_ms,
        "reason": line.reason,
    }


def _whole(one: Shown, now_ms: int, *, masked: bool) -> dict[str, Any]:
    data = _data(one.line, now_ms)
    if masked:
        data |= {"detail": concealed(one.line.detail, one.body), "body": masked_body(one.body)}
    else:
        body = msgspec.json.decode(one.body)
        data |= {"key": one.line.key, "detail": one.line.detail, "body": body}
    return data | {"trail": [entry._asdict() for entry in one.trail]}


def _print_unknown(unknown: Sequence[str]) -> None:
    if unknown:
        voice().note(voice().say("outbox-unknown", ids=", ".join(unknown)))
