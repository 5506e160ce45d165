"""The gateway as a process: the sources of the settings, kept in a folder, sent on to Kafka."""

import asyncio
import contextlib

import structlog

from engine.edge.cli.exits import Exit
from engine.edge.cli.kafka_reloads import operations
from engine.edge.cli.kafka_roles import Watcher, until_told
from engine.edge.settings import Configured
from engine.edge.store import Store
from engine.edge.streaming.forward import Forwarder, forward
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.topics import lay_out
from engine.edge.wiring import make_intake, make_sources, plan_connectors, retention
from engine.ruleset.compile import compile_project
from engine.ruleset.spec import Project

log = structlog.get_logger("gateway")

FOLDER = "gateway"
"""Where, in the data folder, a gateway keeps what is not sent yet; a dispatcher may be beside."""


async def run_gateway(configured: Configured, project: Project, link: Link, lang: str) -> int:
    """Take records in and send them on until told to stop, or until all recordings have ended.

    Raises:
        DeclarationError: the sources do not fit.
        EnvironmentUnusable: folder, port, file or broker cannot be used.

    """
    plan, program = plan_connectors(configured, project, lang), compile_project(project)
    decoders = {name: feed.decoder for name, feed in program.feeds.items()}
    read = [one for one in plan.sources if one.options.feed in decoders]
    feeds = {one.name: one.options.feed for one in read}
    for one in plan.sources:
        if one not in read:
            log.warning("source-unread", source=one.name, feed=one.options.feed)
    values, watcher = configured.values, Watcher()
    await wait_for_broker(link, lang)
    await lay_out(link, program, lang)
    store = Store(
        configured.data_folder / FOLDER,
        plan.route,
        lang=lang,
        retention=retention(values.retention),
    )
    try:
        store.listen(watcher.metrics.stored)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(
                operations(configured, watcher.health, watcher.metrics, lang)
            )
            kept = type(plan)(read, (), plan.routes, plan.down)
            metrics = watcher.metrics
            sources = make_sources(kept, decoders, configured.folder, store, metrics.source)
            intake = make_intake(sources, configured, list(program.project.feeds), lang)
            if intake is not None:
                stack.push_async_callback(intake.stop)
                await intake.start(values.http.host, values.http.port)
            watcher.health.started()
            forwarder = Forwarder(link, decoders, lang)
            work = asyncio.create_task(forward(store, sources, feeds, forwarder, metrics.source))
            await until_told(work)
    finally:
        await store.close()
    return Exit.FINE
