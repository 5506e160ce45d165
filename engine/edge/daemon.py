"""Starts and ends an embedded daemon: store, parts, ports, signals, exit code."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial

import structlog

from engine.chain import Chain
from engine.edge.collector import calm_collector
from engine.edge.control import OUTBOX, RELOAD, asked_here
from engine.edge.desk_beside import desk_beside
from engine.edge.embedded import EXIT_ENVIRONMENT, Embedded, Work
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.notify import tell_manager
from engine.edge.outbox import Senders
from engine.edge.outbox_door import OutboxDoor
from engine.edge.reload_wiring import Rules, listen_for_reloads, make_reloader
from engine.edge.server import OpsServer
from engine.edge.settings import Configured
from engine.edge.store import Store
from engine.edge.watch import Watch
from engine.edge.wiring import (
    Plan,
    make_intake,
    make_sinks,
    make_sources,
    plan_connectors,
    retention,
    retry_policy,
    time_reader,
)
from engine.pipeline import Engine, Space
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.spec import Project
from engine.text import say

log = structlog.get_logger("daemon")


def run_embedded(
    configured: Configured,
    project: Project,
    *,
    once: bool = False,
    lang: str = "en",
    started: Callable[["Ports"], None] | None = None,
    rules: Rules | None = None,
) -> int:
    """Run the daemon in this process until it is told to stop, or with `once` to the end.

    SIGTERM and SIGINT finish the batch in hand and end it.

    Args:
        configured: The settings.
        project: The checked declarations.
        once: End when every recording was read and its alerts were delivered.
        lang: Language of what people read.
        started: Called with the ports once the daemon listens.
        rules: Where the declarations come from; without it they cannot be reloaded.

    Returns:
        The exit code: 0 fine, 4 when with `once` deliveries are left.

    Raises:
        DeclarationError: sources, sinks or routes do not fit (exit 2).
        EnvironmentUnusable: folder, database, file or port cannot be used (exit 4).
        StateError: saved state does not fit the rules (exit 5).

    """
    return asyncio.run(
        run_async(configured, project, once=once, lang=lang, started=started, rules=rules)
    )


async def run_async(
    configured: Configured,
    project: Project,
    *,
    once: bool = False,
    lang: str = "en",
    started: Callable[["Ports"], None] | None = None,
    rules: Rules | None = None,
) -> int:
    """The same on a loop that is already running."""
    plan = plan_connectors(configured, project, lang)
    return await _run(configured, compile_project(project), plan, once, lang, started, rules)


class Ports:
    """Where a started daemon listens; 0 where it does not."""

    def __init__(self, intake: int, operations: int) -> None:
        """Hold the two numbers."""
        self.intake, self.operations = intake, operations


async def _run(
    configured: Configured,
    program: Program,
    plan: Plan,
    once: bool,
    lang: str,
    started: Callable[[Ports], None] | None,
    rules: Rules | None,
) -> int:
    values, folder = configured.values, configured.data_folder
    store = Store(folder, plan.route, lang=lang, retention=retention(values.retention))
    try:
        metrics = Metrics()
        store.listen(metrics.stored)
        engine = Engine(program)
        decoders = {name: feed.decoder for name, feed in program.feeds.items()}
        sources = make_sources(
            _readable(plan, program), decoders, configured.folder, store, metrics.source
        )
        feeds = {declared.name: declared.options.feed for declared in plan.sources}
        idle = Work({}, {}, {}, {}, {}, sources, feeds)
        work = work_over(idle, program, engine.spaces, Chain(program.spaces))
        senders = Senders(make_sinks(plan, folder), store, retry_policy(values.outbox), metrics)
        health = Health(lambda: [say("health-sink", lang, sink=name) for name in senders.troubled])
        daemon = Embedded(work, store, senders, metrics, health, lang)
        watch = Watch(store, metrics, senders, _posted(plan, work))
        server, intake = OpsServer(health, metrics, lang), None
        try:
            if values.metrics.port >= 0:
                await server.start(values.metrics.host, values.metrics.port)
            intake = make_intake(sources, configured, list(program.project.feeds), lang)
            if intake is not None:
                await intake.start(values.http.host, values.http.port)
                log.info("intake", host=values.http.host, port=intake.port)
            if started is not None:
                started(Ports(0 if intake is None else intake.port, server.port))
            watching = asyncio.create_task(watch.run(), name="watch")

            def went_live(plan: Plan) -> None:
                store.reroute(plan.route)
                watch.read_by(_posted(plan, daemon.work))

            async with AsyncExitStack() as stack:
                does = (OUTBOX,) if rules is None else (RELOAD, OUTBOX)
                token = stack.enter_context(asked_here(configured, server.port, does, lang))
                server.outbox = OutboxDoor(token, store, senders).post
                live, again = _always(program.project), None
                if rules is not None:
                    reloader = make_reloader(
                        rules, configured, program, daemon, metrics, work_over, went_live, lang
                    )
                    await stack.enter_async_context(
                        listen_for_reloads(reloader, rules, configured, server, token, once=once)
                    )
                    live, again = reloader.project, partial(reloader.reload, why="signal")
                settle = await stack.enter_async_context(
                    desk_beside(
                        configured, live, plan, store, metrics, health, lang,
                        rules=again, serve=not once,
                    )
                )  # fmt: skip
                stack.enter_context(_signals(daemon.stop))
                try:
                    async with tell_manager(health, lang):
                        with calm_collector():
                            code = await daemon.run(once=once, drain_s=values.outbox.drain_s)
                    settled = not once or await settle(values.outbox.drain_s)
                    return code if settled else EXIT_ENVIRONMENT
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)
        finally:
            if intake is not None:
                await intake.stop()
            await server.stop()
    finally:
        await store.close()
        log.info("stopped")


def _always(project: Project) -> Callable[[], Project]:
    return lambda: project


def work_over(work: Work, program: Program, spaces: dict[str, Space], chain: Chain) -> Work:
    """The same sources over a program's key spaces."""
    return replace(
        work,
        spaces=spaces,
        feeds={
            name: [feed for feed in space.feeds if feed not in space.upstream]
            for name, space in program.spaces.items()
        },
        rules={rule.spec.id: rule.spec for rule in program.rules.values()},
        time_of={name: time_reader(feed.decoder) for name, feed in program.feeds.items()},
        idle_after_s={name: feed.spec.idle_after_ms / 1000 for name, feed in program.feeds.items()},
        chain=chain,
    )


def _readable(plan: Plan, program: Program) -> Plan:
    """The plan without sources of feeds that no rule reads; they would be read for nothing."""
    kept = [source for source in plan.sources if source.options.feed in program.feeds]
    for source in plan.sources:
        if source not in kept:
            log.warning("source-unread", source=source.name, feed=source.options.feed)
    return Plan(kept, plan.sinks, plan.routes, plan.down)


def _posted(plan: Plan, work: Work) -> dict[str, tuple[str, ...]]:
    """For each feed with an inbox, the key spaces that read it."""
    feeds = [source.options.feed for source in plan.sources if source.has_inbox]
    return {feed: work.readers(feed) for feed in feeds if work.readers(feed)}


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGTERM and SIGINT; a second SIGINT is as hard as ever."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop()

    try:
        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, RuntimeError, ValueError):
        yield  # not in the main thread: whoever runs us stops us
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)
