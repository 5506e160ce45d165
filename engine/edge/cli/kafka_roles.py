"""What a process does on Kafka: evaluate rules (worker), deliver alerts (dispatcher), or both."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import structlog

from engine.edge.cli.exits import Exit
from engine.edge.cli.kafka_link import link_of
from engine.edge.control import OUTBOX, asked_here
from engine.edge.health import Health
from engine.edge.kafka_metrics import KafkaMetrics
from engine.edge.metrics import Metrics
from engine.edge.notify import tell_manager
from engine.edge.outbox import Senders
from engine.edge.outbox_door import OutboxDoor
from engine.edge.reload_wiring import Rules
from engine.edge.reload_worker import WorkerCheck, heed_signal
from engine.edge.server import OpsServer
from engine.edge.settings import Configured
from engine.edge.store import Store
from engine.edge.streaming.dispatcher import run_dispatcher
from engine.edge.streaming.link import Link
from engine.edge.streaming.worker import run_worker
from engine.edge.watch import Watch
from engine.edge.wiring import make_sinks, plan_connectors, retention, retry_policy
from engine.ports import Outcome
from engine.ruleset.compile import compile_project
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
    watcher = Watcher()

    async def beside() -> None:
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(operations(configured, watcher, lang))
            if rules is not None:
                check = WorkerCheck(rules, configured, project, watcher.metrics, lang)
                await stack.enter_async_context(heed_signal(check))
            if role is None:
                await _dispatch(configured, project, link, watcher, server, lang)
            await asyncio.Event().wait()

    run_worker(
        link, compile_project(project), watcher=watcher, beside=beside, lang=lang,
        figures=watcher.kafka,
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
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(operations(configured, watcher, lang))
        if rules is not None:
            check = WorkerCheck(rules, configured, project, watcher.metrics, lang)
            await stack.enter_async_context(heed_signal(check))
        work = asyncio.create_task(_dispatch(configured, project, link, watcher, server, lang))
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
    server: OpsServer,
    lang: str,
) -> None:
    """Alerts from the topic into the store, and from its outbox to the sinks, until cancelled."""
    plan = plan_connectors(configured, project, lang)
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
        try:
            with asked_here(configured, server.port, (OUTBOX,), lang) as token:
                server.outbox = OutboxDoor(token, store, senders).post
                await run_dispatcher(link, store, lang, watcher.blocked)
        finally:
            server.outbox = None
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await senders.stop()
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def operations(
    configured: Configured, watcher: Watcher, lang: str
) -> AsyncIterator[OpsServer]:
    """The server for operators, which listens where a port is wanted."""
    server = OpsServer(watcher.health, watcher.metrics, lang)
    metrics = configured.values.metrics
    if metrics.port >= 0:
        await server.start(metrics.host, metrics.port)
    try:
        async with tell_manager(watcher.health, lang):
            try:
                yield server
            finally:
                watcher.health.stopping()
    finally:
        await server.stop()
