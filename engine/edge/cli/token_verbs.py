"""What `forewarn token` does: service tokens in the desk's own database, with rows of the audit.

It works beside a running desk and without one: whoever may write the database may give tokens.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.cases.model import Actor, Role
from engine.edge.api.account_store import AccountStore
from engine.edge.api.accounts import Account, issue
from engine.edge.api.documents import token_of
from engine.edge.api.problems import Refusal
from engine.edge.api.roles import PERSONS
from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.voice import voice
from engine.edge.cli.who import logged_in
from engine.edge.desk.opening import open_ledger, open_store
from engine.edge.desk.store import DeskStore
from engine.edge.settings import Configured
from engine.edge.state_tools.plan import columns
from engine.errors import EnvironmentUnusable
from engine.model.formats import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of one command line."""

    action: str
    name: str
    folder: Path
    roles: Sequence[str]
    areas: Sequence[str]
    departments: Sequence[str]
    days: int
    out: Path | None
    every: bool
    data: Path | None


def carry_out(asked: Asked) -> int:
    """Do what was asked; answers the exit code.

    Raises:
        Misuse: the words make no sense together.
        EnvironmentUnusable: the database cannot be used.

    """
    does = ACTIONS.get(asked.action)
    if does is None:
        found = {"found": asked.action, "actions": ", ".join(ACTIONS)}
        raise Misuse(voice().say("alert-action", **found))
    if bool(asked.name) == (asked.action == "ls"):
        raise Misuse(voice().say(f"token-{asked.action}-misuse"))
    configured = settings_of(asked.folder, data=asked.data)
    store = open_store(configured, voice().lang)
    try:
        return does(asked, configured, store)
    finally:
        store.close_now()


def _add(asked: Asked, configured: Configured, store: DeskStore) -> int:
    unknown = [role for role in asked.roles if role not in PERSONS]
    if unknown or not asked.roles:
        found = {"found": ", ".join(unknown) or "-", "roles": ", ".join(PERSONS)}
        raise Misuse(voice().say("token-role", **found))
    roles = [Role(role) for role in asked.roles]
    now_ms = store.now_ms()
    try:
        account, token = issue(
            asked.name, roles, now_ms, asked.days, asked.areas, asked.departments
        )
    except Refusal as refusal:
        raise Misuse(voice().say(f"api-{refusal.code}", **refusal.found)) from refusal
    if asked.out is not None:
        _write(asked.out, token)
    accounts = _accounts(configured, store)
    store.write_now(lambda link: accounts.add_now(link, account, _who()))
    document = msgspec.to_builtins(token_of(account))
    if voice().json:
        voice().data(document | ({"token": token} if asked.out is None else {}))
        return Exit.FINE
    if asked.out is None:
        voice().line(token)
    found = {"name": account.name, "id": account.id, "until": _time(account.expires_ms)}
    voice().note(voice().say("token-added", **found))
    return Exit.FINE


def _list(asked: Asked, configured: Configured, store: DeskStore) -> int:
    now_ms = store.now_ms()
    found = store.read_now(_accounts(configured, store).all_now)
    shown = [one for one in found if asked.every or one.holds(now_ms)]
    if voice().json:
        voice().data({"items": [msgspec.to_builtins(token_of(one)) for one in shown]})
        return Exit.FINE
    names = ("id", "name", "roles", "areas", "departments", "until")
    head = [voice().say(f"token-head-{name}") for name in names]
    for line in columns([head, *(_row(one, now_ms) for one in shown)]):
        voice().line(line)
    return Exit.FINE


def _revoke(asked: Asked, configured: Configured, store: DeskStore) -> int:
    """Take back the token with this id, or every one of this name."""
    accounts = _accounts(configured, store)
    found = [
        one
        for one in store.read_now(accounts.all_now)
        if asked.name in (one.id, one.name) and one.revoked_ms is None
    ]
    if not found:
        voice().note(voice().say("token-unknown", name=asked.name))
        return Exit.FAILED
    for one in found:
        store.write_now(lambda link, one=one: accounts.revoke_now(link, one.id, _who()))  # type: ignore[misc]
        voice().note(voice().say("token-revoked", name=one.name, id=one.id))
    if voice().json:
        voice().data({"revoked": [one.id for one in found]})
    return Exit.FINE


ACTIONS: Mapping[str, Callable[[Asked, Configured, DeskStore], int]] = {
    "add": _add,
    "ls": _list,
    "revoke": _revoke,
}


def _accounts(configured: Configured, store: DeskStore) -> AccountStore:
    return AccountStore(store, open_ledger(configured, voice().lang, make=True))


def _who() -> Actor:
    """Whoever sits at this machine."""
    return Actor(name=f"console:{logged_in()}", role=Role.ADMIN)


def _write(out: Path, token: str) -> None:
    """Write the token for its owner alone, never over something that is there."""
    try:
        with os.fdopen(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(token + "\n")
    except OSError as error:
        why = error.strerror or str(error)
        raise EnvironmentUnusable(voice().say("state-unwritable", path=out, why=why)) from error


def _row(one: Account, now_ms: int) -> list[str]:
    until = _time(one.expires_ms)
    if not one.holds(now_ms):
        until = voice().say("token-over" if one.revoked_ms is None else "token-gone", until=until)
    return [one.id, one.name, *(", ".join(part) or "-" for part in
            (one.roles, one.areas, one.departments)), until]  # fmt: skip


def _time(ms: int) -> str:
    return format_time(ms - ms % 1000, lang=voice().lang)
