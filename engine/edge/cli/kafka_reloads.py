"""The doors of a worker or dispatcher on Kafka, and who brings edited rules in through them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from engine.edge.control import RELOAD, asked_here
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.notify import tell_manager
from engine.edge.reload import Runner
from engine.edge.reload_good import GoodSetsWhereTheyCan
from engine.edge.reload_wiring import Rules, listen_for_reloads, reloader_of
from engine.edge.server import OpsServer
from engine.edge.settings import Configured
from engine.edge.wiring import Plan, plan_connectors
from engine.errors import DeclarationError, Problem
from engine.ruleset.compile import Program
from engine.ruleset.spec import Project

Misfits = Callable[[Program], Sequence[Problem]]
"""What of a program cannot be brought in without a restart."""


@dataclass(slots=True)
class Doors:
    """Where a process is asked for things, and who hears of routes.

    Attributes:
        server: The server for operators.
        token: What must be shown there.
        plan: The connectors and routes that are live, if they were edited since the start.
        routed: Who delivers by them.
        ask: Asks for the rules to be read again, with why.

    """

    server: OpsServer
    token: str
    plan: Plan | None = None
    routed: Callable[[Plan], None] | None = None
    ask: Callable[[str], None] | None = None

    def went_live(self, plan: Plan) -> None:
        """Edited routes are live."""
        self.plan = plan
        if self.routed is not None:
            self.routed(plan)


@dataclass(frozen=True, slots=True)
class Reloads:
    """Brings edited rules into one process on Kafka; without `rules` there is nothing to edit."""

    configured: Configured
    program: Program
    metrics: Metrics
    health: Health
    rules: Rules | None
    lang: str

    @property
    def good(self) -> GoodSetsWhereTheyCan:
        """The sets that are kept in its data folder."""
        return GoodSetsWhereTheyCan(self.configured.data_folder)

    @contextlib.asynccontextmanager
    async def listening(
        self, runner: Runner, misfits: Misfits, does: Sequence[str], *, among: bool = False
    ) -> AsyncIterator[Doors]:
        """While this is held, operators are answered, and edited rules come in.

        Args:
            runner: Who goes over to them.
            misfits: What only a restart can bring in.
            does: What the process may be asked for beside.
            among: Whether it is one of several that share the data folder.

        """
        configured, lang = self.configured, self.lang
        async with contextlib.AsyncExitStack() as stack:
            ways = operations(configured, self.health, self.metrics, lang)
            server = await stack.enter_async_context(ways)
            may = does if self.rules is None else (RELOAD, *does)
            here = asked_here(configured, server.port, may, lang, among=among)
            doors = Doors(server, stack.enter_context(here))
            if self.rules is not None:
                reloader = reloader_of(
                    self.rules, configured, self.program, runner, self.metrics,
                    lambda project, program: self._fits(project, program, misfits),
                    doors.went_live, lang, self.good,
                )  # fmt: skip
                listening = listen_for_reloads(
                    reloader, self.rules, configured, server, doors.token, once=False
                )
                doors.ask = await stack.enter_async_context(listening)
            yield doors

    def _fits(self, project: Project, program: Program, misfits: Misfits) -> Sequence[Problem]:
        try:
            plan_connectors(self.configured, project, self.lang)
        except DeclarationError as error:
            return list(error.problems)
        return misfits(program)


@contextlib.asynccontextmanager
async def operations(
    configured: Configured, health: Health, metrics: Metrics, lang: str
) -> AsyncIterator[OpsServer]:
    """The server for operators, which listens where a port is wanted."""
    server = OpsServer(health, metrics, lang)
    wanted = configured.values.metrics
    if wanted.port >= 0:
        await server.start(wanted.host, wanted.port)
    try:
        async with tell_manager(health, lang):
            try:
                yield server
            finally:
                health.stopping()
    finally:
        await server.stop()
