"""A Faust worker that runs a program on Kafka until it is told to stop."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine

import faust
import structlog
from mode import Service

from engine.edge.streaming.hub import Hub
from engine.edge.streaming.kit import CoreMaker, Kit, Silent, Watcher
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.quieten import quieten
from engine.edge.streaming.topics import Layout, lay_out
from engine.edge.streaming.transport import StreamApp
from engine.pipeline import Space
from engine.ports import Core
from engine.ruleset.compile import Program, SpaceProgram

log = structlog.get_logger("streaming")


def new_core(space: SpaceProgram, partition: int, partitions: int) -> Core:
    """The real core of one partition of a key space."""
    return Space(space, lambda key: partition_of(key, partitions) == partition)


def run_worker(
    link: Link,
    program: Program,
    *,
    watcher: Watcher | None = None,
    beside: Callable[[], Coroutine[None, None, None]] | None = None,
    lang: str = "en",
    make_core: CoreMaker = new_core,
) -> None:
    """Evaluate the program's rules on Kafka; returns after SIGTERM or SIGINT.

    Waits for the broker, makes missing topics, then joins the group. Runs in the main thread,
    since it takes the process's signals.

    Args:
        link: How to reach Kafka, and the limits.
        program: The compiled project.
        watcher: Who hears what the worker does.
        beside: What runs on the same loop from start to end (a dispatcher, a metrics server); it
            is cancelled when the worker stops, and the worker stops when it fails.
        lang: Language of the sentences in errors.
        make_core: Makes the core of a partition; for tests.

    Raises:
        EnvironmentUnusable: topics do not fit the program.
        StateError: saved state does not fit the rules.

    """
    quieten()
    with asyncio.Runner() as runner:
        layout = runner.run(_prepare(link, program, lang))
    failure: list[BaseException] = []
    ending: list[asyncio.Task[None]] = []
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def stop(reason: BaseException) -> None:
        """End the worker because of an error that going on would hide."""
        if not failure:
            failure.append(reason)
            log.error("worker-stops", reason=repr(reason))
            ending.append(loop.create_task(worker.stop()))

    kit = Kit(link, program, layout, make_core, watcher or Silent(), time.monotonic)
    app = StreamApp(link, Hub(kit, stop), layout.subscribed)
    services = [] if beside is None else [Beside(beside, stop)]
    worker = faust.Worker(
        app,
        *services,
        loop=loop,
        loglevel="WARN",
        redirect_stdouts=False,
        override_logging=False,
        quiet=True,
    )
    worker.spinner = None
    try:
        with contextlib.suppress(SystemExit):
            worker.execute_from_commandline()
    finally:
        asyncio.set_event_loop(None)
    if failure:
        raise failure[0]


class Beside(Service):
    """Runs one coroutine for as long as the worker lives."""

    def __init__(
        self,
        work: Callable[[], Coroutine[None, None, None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self._work = work
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (reason := task.exception()) is not None:
            self._failed(reason)

    async def on_stop(self) -> None:
        """Cancel it and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _prepare(link: Link, program: Program, lang: str) -> Layout:
    await wait_for_broker(link)
    return await lay_out(link, program, lang)
