"""A Faust worker that runs a program on Kafka until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import faust
import structlog
from aiokafka.errors import KafkaError
from mode import Service

from engine.edge.collector import calm_collector
from engine.edge.streaming.figures import NO_FIGURES, Figures
from engine.edge.streaming.hub import Hub
from engine.edge.streaming.kit import CoreMaker, Kit, Silent, Watcher
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.quieten import quieten
from engine.edge.streaming.topics import Layout, lay_out
from engine.edge.streaming.transport import StreamApp
from engine.errors import EnvironmentUnusable
from engine.pipeline import Space
from engine.ports import Core
from engine.ruleset.compile import Program, SpaceProgram
from engine.text import say

SWITCH_S = 0.000_5
"""How long the consumer thread may hold up the rules, and the rules its heartbeats."""

END_S = 60.0
"""A worker that was told to end and has not by then is ended: what it has not saved is read again.

aiokafka waits without end for its coordinator when a stop meets a rebalance.
"""

T = TypeVar("T")
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
    figures: Figures = NO_FIGURES,
    met: Callable[[Hub], None] = lambda _hub: None,
    renew: Callable[[], None] | None = None,
) -> None:
    """Evaluate the program's rules on Kafka; returns after SIGTERM or SIGINT.

    Waits for the broker, makes missing topics, then joins the group. What runs beside it starts
    first, so that operators can see a worker wait. Runs in the main thread, since it takes the
    process's signals.

    Args:
        link: How to reach Kafka, and the limits.
        program: The compiled project.
        watcher: Who hears what the worker does.
        beside: What runs on the same loop from start to end (a dispatcher, a metrics server); it
            is cancelled when the worker stops, and the worker stops when it fails.
        lang: Language of the sentences in errors.
        make_core: Makes the core of a partition; for tests.
        figures: Who hears of lag, transactions and the group.
        met: Given what holds the partitions, before it joins the group: the rules may be changed
            through it.
        renew: Asks for the rules to be read again, for a partition that comes from a worker that
            has newer ones.

    Raises:
        EnvironmentUnusable: no broker lets us in, it went away while we were starting, or topics
            do not fit the program.
        StateError: saved state does not fit the rules.

    """
    quieten()
    sys.setswitchinterval(SWITCH_S)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    end = _End(loop)
    neighbour = None if beside is None else loop.create_task(beside())
    if neighbour is not None:
        neighbour.add_done_callback(end.because_of)
    try:
        layout = loop.run_until_complete(end.unless(_prepare(link, program, lang)))
        if layout is not None:
            told = watcher or Silent()
            gate = asyncio.Semaphore(link.restores)
            kit = Kit(link, program, layout, make_core, told, time.monotonic, lang, figures, gate)
            hub = Hub(kit, end.now, renew)
            met(hub)
            app = StreamApp(link, hub, layout)
            with calm_collector(), kit.rules:
                _execute(app, neighbour, end)
    finally:
        if not loop.is_closed():
            if neighbour is not None:
                neighbour.cancel()
                loop.run_until_complete(asyncio.gather(neighbour, return_exceptions=True))
            loop.close()
        asyncio.set_event_loop(None)
    if isinstance(end.reason, KafkaError):  # it went away while we were starting
        found = {"place": link.bootstrap, "why": str(end.reason)}
        raise EnvironmentUnusable(say("stream-broker-lost", lang, **found)) from end.reason
    if end.reason is not None:
        raise end.reason


class _End:
    """Why and how a worker ends before it is told to: an error that going on would hide."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.reason: BaseException | None = None
        self.worker: faust.Worker | None = None
        self._loop = loop
        self._task: asyncio.Task[Any] | None = None

    def now(self, reason: BaseException) -> None:
        """End; the first reason counts."""
        if self.reason is None:
            self.reason = reason
            log.error("worker-stops", reason=repr(reason))
            if self.worker is not None:
                self._task = self._loop.create_task(self.worker.stop())
            elif self._task is not None:
                self._task.cancel()

    def because_of(self, task: "asyncio.Task[None]") -> None:
        """End if a task failed."""
        if not task.cancelled() and (reason := task.exception()) is not None:
            self.now(reason)

    async def unless(self, work: Coroutine[None, None, T]) -> T | None:
        """Do some work, but give it up (None) at a signal or at the end."""
        self._task = task = self._loop.create_task(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return None
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.remove_signal_handler(number)


def _execute(app: StreamApp, neighbour: "asyncio.Task[None] | None", end: _End) -> None:
    """Let Faust's worker run the application until a signal, or until `end`."""
    services: list[Service] = [] if neighbour is None else [_Neighbour(neighbour)]
    patience = _Patience()
    end.worker = worker = faust.Worker(
        app,
        *services,
        patience,
        loop=asyncio.get_event_loop_policy().get_event_loop(),
        loglevel="WARN",
        redirect_stdouts=False,
        override_logging=False,
        quiet=True,
    )
    worker.spinner = None
    code: object = 0
    try:
        worker.execute_from_commandline()
    except SystemExit as left:
        code = left.code
    finally:
        patience.over()
    if code and end.reason is None:
        end.reason = worker.crash_reason or app.crash_reason or RuntimeError("Faust ended")


class _Patience(Service):
    """The first to hear that the worker ends; ends the process if that takes too long."""

    def __init__(self) -> None:
        super().__init__()
        self._timer: threading.Timer | None = None

    async def on_stop(self) -> None:
        """Count from now."""
        self._timer = threading.Timer(END_S, self._end)
        self._timer.daemon = True
        self._timer.start()

    def over(self) -> None:
        """It has ended."""
        if self._timer is not None:
            self._timer.cancel()

    @staticmethod
    def _end() -> None:
        log.error("worker-ended-hanging", after_s=END_S)
        logging.shutdown()
        os._exit(1)  # a loop that hangs cannot be asked


class _Neighbour(Service):
    """Ends what runs beside the worker together with it."""

    def __init__(self, task: "asyncio.Task[None]") -> None:
        super().__init__()
        self._task = task

    async def on_stop(self) -> None:
        """Cancel it and wait for its end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _prepare(link: Link, program: Program, lang: str) -> Layout:
    await wait_for_broker(link, lang)
    return await lay_out(link, program, lang)
