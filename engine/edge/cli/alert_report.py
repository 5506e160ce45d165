"""How alerts, cases and what became of a request are told to people and programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.edge.cli.voice import voice
from engine.edge.state_tools.plan import columns
from engine.model.formats import format_time
from engine.text import catalogue

Document = Mapping[str, Any]
_TITLE = 40


def print_alerts(page: Document) -> None:
    """A page of alerts."""
    if voice().json:
        voice().data(page)
        return
    rows = [
        [
            one["episode"],
            _level(one["change"]["severity"]),
            _time(one["change"]["since_ms"]),
            one["change"]["rule"],
            one["change"]["key"],
            _word("transition", one["change"]["transition"]),
            one["quiet"] or "-",
        ]
        for one in page["items"]
    ]
    _table(("id", "level", "since", "rule", "key", "stage", "quiet"), rows, page)


def print_alert(alert: Document) -> None:
    """One alert with its transitions."""
    if voice().json:
        voice().data(alert)
        return
    change = alert["change"]
    voice().line(f"{alert['episode']}  {_said(change['title'])}")
    _fields(
        ("level", _level(change["severity"])),
        ("rule", change["rule"]),
        ("key", change["key"]),
        ("place", change.get("place") or ""),
        ("case", alert["incident"]),
        ("quiet", alert["quiet"]),
        ("summary", _said(change["summary"])),
    )
    for one in alert["transitions"]:
        stage = _word("transition", one["transition"])
        voice().line(f"  {_time(one['at_ms'])}  {stage}  {_level(one['severity'])}")


def print_cases(page: Document) -> None:
    """A page of cases."""
    if voice().json:
        voice().data(page)
        return
    rows = [
        [
            one["number"],
            _level(one["severity"]),
            _word("case-state", one["state"]),
            _due(one),
            one["lead"] or "-",
            one["assignee"] or "-",
            _said(one["title"])[:_TITLE],
        ]
        for one in page["items"]
    ]
    _table(("case", "level", "state", "due", "lead", "person", "title"), rows, page)


def print_case(history: Document) -> None:
    """One case with everything that was done, and what may be done now."""
    if voice().json:
        voice().data(history)
        return
    case = history["incident"]
    voice().line(f"{case['number']}  {_said(case['title'])}")
    _fields(
        ("id", case["id"]),
        ("level", _level(case["severity"])),
        ("state", _word("case-state", case["state"])),
        ("lead", case["lead"]),
        ("person", case["assignee"]),
        ("area", case["area"]),
        ("place", case["place"]),
        ("due", _due(case) if _due(case) != "-" else ""),
        ("outside", case["outside"]),
        ("version", str(case["version"])),
        ("summary", _said(case["summary"])),
    )
    for alert in history["alerts"]:
        change = alert["change"]
        happened = _word("transition", change["transition"])
        voice().line(f"  {alert['episode']}  {change['rule']}  {change['key']}  {happened}")
    voice().line()
    for move in history["moves"]:
        reason = f"  {move['reason']}" if move["reason"] else ""
        verb = _word("case-verb", move["verb"])
        voice().line(f"  {_time(move['at_ms'])}  {verb}  {move['actor']['name']}{reason}")
    if history["allowed"]:
        verbs = ", ".join(_word("case-verb", verb) for verb in history["allowed"])
        voice().line()
        voice().line(voice().say("alert-allowed", verbs=verbs))


def print_moved(move: str, case: Document) -> None:
    """What a case is after a move."""
    if voice().json:
        voice().record(case)
        return
    words = {"verb": _word("case-verb", move), "state": _word("case-state", case["state"])}
    found = {"case": case["number"], "version": case["version"], **words}
    voice().line(voice().say("alert-moved", **found))


def print_silence(silence: Document) -> None:
    """A silence that was kept."""
    if voice().json:
        voice().data(silence)
        return
    found = {"id": silence["id"], "until": _time(silence["until_ms"])}
    voice().line(voice().say("alert-silenced", **found))


def print_refused(problem: Document) -> None:
    """Why the desk did not do it."""
    if voice().json:
        voice().data({"error": problem})
    detail = problem.get("detail", "")
    voice().note(voice().say("alert-refused", detail=detail, code=problem["code"]))
    for one in problem.get("errors", ()):
        voice().note(f"  {one['pointer']}: {one['detail']}")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], page: Document) -> None:
    if not rows:
        voice().line(voice().say("alert-none"))
        return
    head = [voice().say(f"alert-head-{name}") for name in names]
    for line in columns([head, *rows]):
        voice().line(line)
    if page["next"]:
        voice().line(voice().say("alert-more", after=page["next"]))


def _fields(*pairs: tuple[str, str]) -> None:
    rows = [[voice().say(f"alert-head-{name}"), value] for name, value in pairs if value]
    for line in columns(rows):
        voice().line(line)
    voice().line()


def _due(case: Document) -> str:
    """When the next limit of a case ends, and which; `-` where none runs."""
    running = [
        (clock["due_ms"], clock["stage"])
        for clock in case["clocks"]
        if clock["met_ms"] is None and clock["due_ms"] is not None and clock["paused_ms"] is None
    ]
    if not running:
        return "-"
    due_ms, stage = min(running)
    return f"{_time(due_ms)} {_word('case-stage', stage)}"


def _level(severity: str) -> str:
    return _word("severity", severity)


def _word(kind: str, name: str) -> str:
    """What people call a state, a verb, a level; the name itself where it is new to us."""
    entry = f"{kind}-{name}"
    return voice().say(entry) if entry in catalogue() else name


def _said(words: Mapping[str, str]) -> str:
    return words.get(voice().lang) or next(iter(words.values()), "")


def _time(ms: int) -> str:
    return format_time(ms - ms % 1000, lang=voice().lang)
