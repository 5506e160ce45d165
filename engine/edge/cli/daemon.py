"""`forewarn run`: settings and declarations into the daemon, embedded or on Kafka."""

from pathlib import Path

from engine.edge.cli.arming import arm
from engine.edge.cli.comeback import come_up
from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.voice import Voice, speak_as, voice
from engine.edge.daemon import run_embedded
from engine.edge.logs import set_up_logs
from engine.edge.reload_wiring import Rules
from engine.edge.settings import Configured
from engine.edge.wiring import open_doors, plan_connectors
from engine.errors import EnvironmentUnusable
from engine.ruleset.spec import Project

ROLES = ("worker", "dispatcher", "gateway")


def run_daemon(
    target: Path,
    *,
    once: bool,
    role: str | None,
    broker: str | None,
    data: Path | None,
    lang: str | None,
    wait: bool = True,
) -> int:
    """Run until stopped, or with `once` to the end; answers the exit code."""
    arm()
    if not target.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=target))
    if role is not None and role not in ROLES:
        raise Misuse(voice().say("run-role", role=role))
    configured = settings_of(target, broker=broker, data=data)
    if lang is None and configured.values.lang is not None:
        speak_as(Voice(configured.values.lang, voice().json))
    project, rules = come_up(configured)
    plan = plan_connectors(configured, project, voice().lang)
    voice().problems(open_doors(configured, plan), on_result=False)
    log = configured.values.log
    set_up_logs(log.level, log.format, plan.secrets(configured))
    if configured.values.broker is None:
        if role is not None:
            raise Misuse(voice().say("run-no-broker", role=role))
        if not plan.sources:
            voice().note(voice().say("run-no-sources", path=target))
            if once:
                return Exit.DECLARATIONS
        return run_embedded(configured, project, once=once, lang=voice().lang, rules=rules)
    if once:
        raise Misuse(voice().say("run-once-broker"))
    return _on_kafka(configured, project, role, rules, wait=wait)


def _on_kafka(
    configured: Configured, project: Project, role: str | None, rules: Rules, *, wait: bool
) -> int:
    # Faust is imported only by those who run on Kafka.
    from engine.edge.cli.kafka_roles import run_role  # noqa: PLC0415

    return run_role(configured, project, role, voice().lang, wait=wait, rules=rules)
