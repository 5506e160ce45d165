"""What `forewarn outbox` does, word by word."""

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.outbox_boxes import Box, box_of, now_ms
from engine.edge.cli.outbox_print import Shown, print_lines, print_one, print_result, print_trail
from engine.edge.cli.voice import voice
from engine.edge.cli.who import logged_in
from engine.edge.store import outbox_look as look
from engine.edge.store.outbox_hand import Deed
from engine.edge.store.outbox_look import Chosen
from engine.errors import EnvironmentUnusable
from engine.model.units import QuantityError, parse_duration

PHASES: Mapping[str, str] = {
    "waiting": look.WAITING,
    **{phase: phase for phase in look.PHASES if phase != look.WAITING},
    "gathered": "wait",
    "digested": "told",
}
"""Phases as people say them, and as the store has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of one command line."""

    action: str
    ids: tuple[str, ...]
    folder: Path
    data: Path | None
    sink: str | None
    phases: tuple[str, ...]
    rule: str | None
    alert: str | None
    older: str | None
    newer: str | None
    limit: int
    reason: str | None
    who: str | None
    plan: bool
    overtaken: bool
    following: bool
    unmasked: bool
    desk: bool

    @property
    def is_narrowed(self) -> bool:
        """Whether it says which deliveries, by whatever."""
        return bool(
            self.ids or self.sink or self.phases or self.rule or self.alert or self.older
            or self.newer
        )  # fmt: skip


def carry_out(asked: Asked) -> int:
    """Do what was asked; answers the exit code.

    Raises:
        Misuse: the words make no sense together, or a reason is missing.
        EnvironmentUnusable: there is no outbox here, or the daemon does not answer.

    """
    does = ACTIONS.get(asked.action)
    if does is None:
        words = {"found": asked.action, "actions": ", ".join(ACTIONS)}
        raise Misuse(voice().say("outbox-action", **words))
    return does(asked)


def _ls(asked: Asked) -> int:
    """What there is to deliver, and how it stands."""
    with _box(asked) as box:
        chosen = _chosen(asked, () if asked.ids else box.unfinished)
        lines, counts = box.find(chosen, asked.limit), box.count(chosen)
        unknown = [one for one in asked.ids if not box.find(Chosen(ids=(one,)), 1)]
    print_lines(lines, counts, unknown, _now_ms())
    return Exit.FAILED if unknown else Exit.FINE


def _show(asked: Asked) -> int:
    """One delivery, or one at each of several sinks."""
    if len(asked.ids) != 1:
        raise Misuse(voice().say("outbox-show-misuse"))
    chosen = _chosen(asked, ())
    with _box(asked) as box:
        found = box.find(chosen)
        shown = [Shown(line, box.body(line), box.trail([line.id])) for line in found]
        if found and asked.unmasked:
            box.do(Deed(does="read", chosen=chosen, who=_who(asked), why=_reason(asked)))
    if not found:
        voice().note(voice().say("outbox-unknown", ids=asked.ids[0]))
        return Exit.FAILED
    print_one(shown, _now_ms(), masked=not asked.unmasked)
    return Exit.FINE


def _retry(asked: Asked) -> int:
    """Send again what was given up or dropped, and at once what waits for its next try."""
    return _by_hand(asked, "retry", () if asked.ids else (look.DEAD,))


def _drop(asked: Asked) -> int:
    """Never send what waits or was given up."""
    if not asked.ids and not asked.phases:
        raise Misuse(voice().say("outbox-drop-phase"))
    return _by_hand(asked, "drop", ())


def _trail(asked: Asked) -> int:
    """Who did what by hand, and why."""
    with _box(asked) as box:
        rows = None
        if asked.is_narrowed:
            rows = [line.id for line in box.find(_chosen(asked, ()))]
        kept = box.trail(rows, asked.limit)
    print_trail(kept)
    return Exit.FINE


def _by_hand(asked: Asked, does: str, phases: tuple[str, ...]) -> int:
    if not asked.is_narrowed:
        raise Misuse(voice().say("outbox-which", action=does))
    deed = Deed(
        does="retry" if does == "retry" else "drop",
        chosen=_chosen(asked, phases),
        who=_who(asked),
        why="" if asked.plan else _reason(asked),
        plan=asked.plan,
        overtaken=asked.overtaken,
        following=asked.following,
    )
    with _box(asked) as box:
        result = box.do(deed)
    print_result(deed, result)
    undone = [one for one in result.done if one.outcome != "done"]
    return Exit.FAILED if undone or result.unknown else Exit.FINE


def _box(asked: Asked) -> AbstractContextManager[Box]:
    """The outbox that is meant."""
    if not asked.folder.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=asked.folder))
    configured = settings_of(asked.folder, data=asked.data)
    return box_of(configured, desk=asked.desk, clock_ms=_now_ms())


def _chosen(asked: Asked, phases: tuple[str, ...]) -> Chosen:
    """Which deliveries are meant; without a phase those of `phases`."""
    for phase in asked.phases:
        if phase not in PHASES:
            words = {"found": phase, "phases": ", ".join(PHASES)}
            raise Misuse(voice().say("outbox-phase", **words))
    return Chosen(
        ids=asked.ids,
        sink=asked.sink,
        rule=asked.rule,
        episode=asked.alert,
        phases=tuple(PHASES[phase] for phase in asked.phases) or phases,
        older_ms=_age(asked.older),
        newer_ms=_age(asked.newer),
    )


def _age(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except QuantityError as error:
        raise Misuse(voice().say("outbox-age", found=text)) from error


def _reason(asked: Asked) -> str:
    """Why it is done; nothing is done by hand without one."""
    reason = (asked.reason or "").strip()
    if not reason:
        raise Misuse(voice().say("outbox-reason"))
    return reason


def _who(asked: Asked) -> str:
    """Who does it: the name given, or whoever is logged in here."""
    return asked.who or f"{logged_in()}@{socket.gethostname()}"


def _now_ms() -> int:
    return now_ms()


ACTIONS: Mapping[str, Callable[[Asked], int]] = {
    "ls": _ls,
    "show": _show,
    "retry": _retry,
    "drop": _drop,
    "trail": _trail,
}
