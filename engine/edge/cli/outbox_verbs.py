"""What `forewarn outbox` does, word by word: with the running daemon, or on its own."""

import asyncio
import getpass
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.edge.cli.configured import settings_of
from engine.edge.cli.doors import ask
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.outbox_print import Shown, print_lines, print_one, print_result, print_trail
from engine.edge.cli.voice import voice
from engine.edge.control import OUTBOX, read_control
from engine.edge.outbox_door import PATH
from engine.edge.settings import Configured
from engine.edge.store import Store, connect_reader
from engine.edge.store import outbox_look as look
from engine.edge.store.lock import is_locked
from engine.edge.store.outbox_hand import Deed, Result
from engine.edge.store.outbox_look import Chosen
from engine.edge.store.schema import FILE_NAME
from engine.errors import EnvironmentUnusable
from engine.model.units import QuantityError, parse_duration

PATIENCE_S = 60.0
PHASES: Mapping[str, str] = {
    "waiting": look.WAITING,
    **{phase: phase for phase in look.PHASES if phase != look.WAITING},
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
    try:
        return does(asked)
    except sqlite3.Error as error:
        path = _configured(asked).data_folder / FILE_NAME
        sentence = voice().say("store-unusable", path=path, why=str(error))
        raise EnvironmentUnusable(sentence) from error


def _ls(asked: Asked) -> int:
    """What there is to deliver, and how it stands."""
    configured = _configured(asked)
    chosen = _chosen(asked, look.PHASES if asked.ids else look.UNFINISHED)
    now_ms = _now_ms()
    with closing(_database(configured)) as link:
        lines = look.find(link, chosen, now_ms, asked.limit)
        counts = look.count(link, chosen, now_ms)
        unknown = look.unknown(link, chosen)
    print_lines(lines, counts, unknown, now_ms)
    return Exit.FAILED if unknown else Exit.FINE


def _show(asked: Asked) -> int:
    """One delivery, or one at each of several sinks."""
    if len(asked.ids) != 1:
        raise Misuse(voice().say("outbox-show-misuse"))
    configured, chosen = _configured(asked), _chosen(asked, look.PHASES)
    now_ms = _now_ms()
    with closing(_database(configured)) as link:
        found = look.find(link, chosen, now_ms)
        bodies = [look.body_of(link, line.delivery_id) for line in found]
        trails = [look.trail(link, [line.id]) for line in found]
    if not found:
        voice().note(voice().say("outbox-unknown", ids=asked.ids[0]))
        return Exit.FAILED
    if asked.unmasked:
        _do(configured, Deed(does="read", chosen=chosen, who=_who(asked), why=_reason(asked)))
    shown = [Shown(*one) for one in zip(found, bodies, trails, strict=True)]
    print_one(shown, now_ms, masked=not asked.unmasked)
    return Exit.FINE


def _retry(asked: Asked) -> int:
    """Send again what was given up or dropped, and at once what waits for its next try."""
    return _by_hand(asked, "retry", look.PHASES if asked.ids else (look.DEAD,))


def _drop(asked: Asked) -> int:
    """Never send what waits or was given up."""
    if not asked.ids and not asked.phases:
        raise Misuse(voice().say("outbox-drop-phase"))
    return _by_hand(asked, "drop", look.PHASES)


def _trail(asked: Asked) -> int:
    """Who did what by hand, and why."""
    configured = _configured(asked)
    with closing(_database(configured)) as link:
        rows = None
        if asked.is_narrowed:
            chosen = _chosen(asked, look.PHASES)
            rows = [line.id for line in look.find(link, chosen, _now_ms())]
        kept = look.trail(link, rows, asked.limit)
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
    result = _do(_configured(asked), deed)
    print_result(deed, result)
    undone = [one for one in result.done if one.outcome != "done"]
    return Exit.FAILED if undone or result.unknown else Exit.FINE


def _do(configured: Configured, deed: Deed) -> Result:
    """Let the running daemon do it, or do it here when none runs.

    Raises:
        EnvironmentUnusable: it runs and opens no port, does not answer, or refuses.

    """
    folder = configured.data_folder
    if not (folder / FILE_NAME).is_file():
        raise EnvironmentUnusable(voice().say("explain-no-database", path=folder / FILE_NAME))
    if is_locked(folder):
        control = read_control(folder)
        if control is None or control.port <= 0 or OUTBOX not in control.does:
            raise EnvironmentUnusable(voice().say("outbox-no-door", path=folder))
        said = ask(control, PATH, PATIENCE_S, holding="done", body=msgspec.json.encode(deed))
        return msgspec.convert(said, Result)
    return asyncio.run(_alone(folder, deed))


async def _alone(folder: Path, deed: Deed) -> Result:
    """Do it without a daemon: nothing is under way."""
    store = Store(folder, lambda _change: (), lang=voice().lang, now_ms=_now_ms)
    try:
        return await store.by_hand(deed, {})
    finally:
        await store.close()


def _configured(asked: Asked) -> Configured:
    if not asked.folder.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=asked.folder))
    return settings_of(asked.folder, data=asked.data)


def _database(configured: Configured) -> sqlite3.Connection:
    """The database for looking only; the daemon may run meanwhile."""
    path = configured.data_folder / FILE_NAME
    if not path.is_file():
        raise EnvironmentUnusable(voice().say("explain-no-database", path=path))
    return connect_reader(path)


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
    if asked.who:
        return asked.who
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


ACTIONS: Mapping[str, Callable[[Asked], int]] = {
    "ls": _ls,
    "show": _show,
    "retry": _retry,
    "drop": _drop,
    "trail": _trail,
}
