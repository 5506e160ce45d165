"""What `forewarn desk` does: run it by itself, bring its tables up, say how it is."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from engine.edge.cli.arming import arm
from engine.edge.cli.audit_verbs import open_existing
from engine.edge.cli.comeback import come_up
from engine.edge.cli.configured import settings_of
from engine.edge.cli.desk_process import run_desk
from engine.edge.cli.desk_retake import Asked, take_again
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.voice import Voice, speak_as, voice
from engine.edge.desk.migrate import version
from engine.edge.desk.opening import open_ledger, open_store
from engine.edge.desk.queries import count_incidents
from engine.edge.desk.retake import failed
from engine.edge.desk.tables import leases, outbox, positions
from engine.edge.logs import set_up_logs
from engine.edge.settings import Configured
from engine.edge.wiring import plan_connectors


def carry_out(asked: Asked) -> int:
    """Do what was asked; answers the exit code.

    Raises:
        Misuse: there is no such action, or the words make no sense together.
        DeclarationError: rules or desk cannot be used.
        EnvironmentUnusable: the database cannot be used.

    """
    does = ACTIONS.get(asked.action)
    if does is None:
        raise Misuse(voice().say("desk-action", found=asked.action, actions=", ".join(ACTIONS)))
    if asked.action != "retake" and (asked.ids or asked.everything or asked.reason or asked.who):
        raise Misuse(voice().say("desk-retake-alone", action=asked.action))
    configured = settings_of(asked.folder, data=asked.data)
    if asked.lang is None and configured.values.lang is not None:
        speak_as(Voice(configured.values.lang, voice().json))
    return does(asked, configured)


def _run(_asked: Asked, configured: Configured) -> int:
    """The desk as a process of its own, until it is told to stop."""
    arm()
    project, rules = come_up(configured)
    plan = plan_connectors(configured, project, voice().lang)
    log = configured.values.log
    set_up_logs(log.level, log.format, plan.secrets(configured))
    return run_desk(configured, project, plan, voice().lang, rules=rules)


def _upgrade(_asked: Asked, configured: Configured) -> int:
    """The tables, brought up to this version, and the audit's key where there is none."""
    open_ledger(configured, voice().lang, make=True)
    store = open_store(configured, voice().lang)
    (before, after), where = store.upgraded, store.name
    store.close_now()
    if voice().json:
        voice().data({"before": before, "after": after})
    else:
        name = "desk-upgraded" if before != after else "desk-up-to-date"
        voice().line(voice().say(name, where=where, before=before or "-", after=after))
    return Exit.FINE


def _status(_asked: Asked, configured: Configured) -> int:
    """Who runs it, how far it has read, what waits."""
    store = open_existing(configured)

    def job(link: Connection) -> dict[str, object]:
        lease = link.execute(select(leases)).first()
        phases = select(outbox.c.sink, outbox.c.phase, func.count()).group_by(
            outbox.c.sink, outbox.c.phase
        )
        return {
            "version": version(link),
            "holder": "" if lease is None else lease.holder,
            "until_ms": 0 if lease is None else lease.until_ms,
            "cases": count_incidents(link),
            "failed": len(failed(link)),
            "read": {row.log: row.next for row in link.execute(select(positions))},
            "papers": [
                {"sink": sink, "phase": phase, "count": count}
                for sink, phase, count in link.execute(phases).all()
            ],
        }

    try:
        found = store.read_now(job)
    except SQLAlchemyError as error:
        raise store.unusable(error) from error
    finally:
        store.close_now()
    if voice().json:
        voice().data(found)
        return Exit.FINE
    until = datetime.fromtimestamp(int(str(found["until_ms"])) / 1000, UTC)
    held = voice().say("desk-held", holder=found["holder"], until=until.isoformat(" ", "seconds"))
    voice().line(voice().say("desk-tables", where=store.name, version=found["version"]))
    voice().line(held if found["until_ms"] else voice().say("desk-free"))
    if found["failed"]:
        voice().line(voice().say("desk-failed", count=found["failed"]))
    for name in ("cases", "read", "papers"):
        voice().line(f"{voice().say(f'desk-{name}')}: {_shown(found[name])}")
    return Exit.FINE


def _shown(found: object) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or "-"
    if isinstance(found, list):
        return ", ".join(f"{one['sink']} {one['phase']} {one['count']}" for one in found) or "-"
    return str(found)


ACTIONS: Mapping[str, Callable[[Asked, Configured], int]] = {
    "run": _run,
    "upgrade": _upgrade,
    "status": _status,
    "retake": take_again,
}
