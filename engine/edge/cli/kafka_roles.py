"""What a process does on Kafka: evaluate rules (worker), deliver alerts (dispatcher), or both."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from engine.edge.cli.exits import Exit
from engine.edge.cli.kafka_link import link_of
from engine.edge.cli.kafka_reloads import Doors, Reloads
from engine.edge.control import OUTBOX
from engine.edge.health import Health
from engine.edge.kafka_metrics import KafkaMetrics
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.outbox_door import OutboxDoor
from engine.edge.reload_wiring import Rules
from engine.edge.reload_worker import DispatcherRunner, WorkerRunner
from engine.edge.settings import Configured
from engine.edge.store import Store
from engine.edge.streaming.dispatcher import run_dispatcher
from engine.edge.streaming.hub import Hub
from engine.edge.streaming.layout_fit import restart_of_workers
from engine.edge.streaming.link import Link
from engine.edge.streaming.worker import run_worker
from engine.edge.watch import Watch
from engine.edge.wiring import make_sinks, plan_connectors, retention, retry_policy
from engine.errors import Problem
from engine.ports import Outcome
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.spec import Project
from engine.text import say

log = structlog.get_logger("worker")


def run_role(
    configured: Configured,
    project: Project,
    role: str | None,
    lang: str,
    *,
    wait: bool = True,
    rules: Rules | None = None,
) -> int:
    """Work on Kafka until told to stop; without a role one process does both.

    Raises:
        EnvironmentUnusable: no broker lets us in, or, without `wait`, none answers.

    """
    link = replace(link_of(configured, lang), wait=wait)
    if role == "dispatcher":
        return asyncio.run(_dispatcher_alone(configured, project, link, lang, rules))
    if role == "gateway":
        from engine.edge.cli.kafka_gateway import run_gateway  # noqa: PLC0415 - it imports us

        return asyncio.run(run_gateway(configured, project, link, lang))
    if unread := sorted(configured.values.sources):
        hint = say("kafka-sources-unread", lang, names=", ".join(unread))
        log.warning("sources-need-gateway", sources=unread, hint=hint)
    watcher, program = Watcher(), compile_project(project)
    reloads = Reloads(configured, program, watcher.metrics, watcher.health, rules, lang)
    runner = WorkerRunner(reloads.good)
    hubs: list[Hub] = []
    asks: list[Callable[[str], None]] = []

    def renew() -> None:
        for ask in asks:
            ask("older")

    def met(hub: Hub) -> None:
        hubs.append(hub)
        runner.met(hub)

    def misfits(new: Program) -> list[Problem]:
        kit = hubs[0].kit
        return restart_of_workers(kit.link, kit.layout, kit.program, new)

    async def beside() -> None:
        does = (OUTBOX,) if role is None else ()
        async with reloads.listening(runner, misfits, does, among=role is not None) as doors:
            asks.extend([] if doors.ask is None else [doors.ask])
            if role is None:
                await _dispatch(configured, project, link, watcher, doors, lang)
            await asyncio.Event().wait()

    run_worker(
        link, program, watcher=watcher, beside=beside, lang=lang, figures=watcher.kafka, met=met,
        renew=None if rules is None else renew,
    )  # fmt: skip
    return Exit.FINE


class Watcher:
    """Turns what a worker does into metrics and readiness."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self.metrics = Metrics()
        self.kafka = KafkaMetrics(self.metrics)
        self.health = Health()

    def outcome(self, space: str, partition: int, outcome: Outcome) -> None:
        """An outcome is saved."""
        self.metrics.outcome(space, outcome, partition)
        for trouble in outcome.troubles:
            log.warning(
                "trouble",
                kind=trouble.kind,
                rule=trouble.rule,
                detail=trouble.detail,
                space=space,
                partition=partition,
            )

    def blocked(self, why: str) -> None:
        """The dispatcher's disk refuses writes, or (without a reason) takes them again."""
        self.metrics.blocked(is_blocked=bool(why))
        self.health.blocked(why)

    def holding(self, units: int, ready: int) -> None:
        """Ready when every unit works; a worker that has none stands by, and is ready too."""
        self.kafka.holding(units, ready)
        if units == ready:
            self.health.started()
        else:
            self.health.restoring()


async def _dispatcher_alone(
    configured: Configured, project: Project, link: Link, lang: str, rules: Rules | None
) -> int:
    """The dispatcher as a process of its own; SIGTERM and SIGINT end it."""
    watcher = Watcher()
    program = compile_project(project)
    reloads = Reloads(configured, program, watcher.metrics, watcher.health, rules, lang)
    runner = DispatcherRunner(reloads.good)
    async with reloads.listening(runner, lambda _: [], (OUTBOX,)) as doors:
        work = asyncio.create_task(_dispatch(configured, project, link, watcher, doors, lang))
        await until_told(work)
    return Exit.FINE


async def until_told(work: "asyncio.Task[None]") -> None:
    """Wait for the work; SIGTERM and SIGINT end it in order."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _dispatch(
    configured: Configured,
    project: Project,
    link: Link,
    watcher: Watcher,
    doors: Doors,
    lang: str,
) -> None:
    """Alerts from the topic into the store, and from its outbox to the sinks, until cancelled."""
    plan = doors.plan or plan_connectors(configured, project, lang)
    values, folder = configured.values, configured.data_folder
    store = Store(folder, plan.route, lang=lang, retention=retention(values.retention))
    try:
        store.listen(watcher.metrics.stored)
        policy = retry_policy(values.outbox)
        senders = Senders(make_sinks(plan, folder), store, policy, watcher.metrics)
        watcher.health.notes = lambda: [say("health-sink", lang, sink=n) for n in senders.troubled]
        await senders.start()
        watcher.health.started()
        watching = asyncio.create_task(Watch(store, watcher.metrics, senders, {}).run())
        doors.routed = lambda plan: store.reroute(plan.route)
        doors.server.outbox = OutboxDoor(doors.token, store, senders).post
        try:
            await run_dispatcher(link, store, lang, watcher.blocked)
        finally:
            doors.server.outbox, doors.routed = None, None
            watching.cancel()
            await _to_its_end(asyncio.gather(watching, return_exceptions=True))
            await _to_its_end(senders.stop())
    finally:
        await store.close()


async def _to_its_end(work: Awaitable[object]) -> None:
    """Wait for work even if we are cancelled meanwhile: what has failed may be stopped as well."""
    going = asyncio.ensure_future(work)
    while not going.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(going)
