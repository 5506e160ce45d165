"""Puts the parts of a reload together, and listens to those who ask for one."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine.edge.embedded import Embedded
from engine.edge.metrics import Metrics
from engine.edge.reference.answers import Answers
from engine.edge.reload import Live, Reloader, Runner
from engine.edge.reload_daemon import DaemonRunner, Rework
from engine.edge.reload_door import Door
from engine.edge.reload_fit import read_feeds, restart_needed
from engine.edge.reload_good import GoodSets, name_of
from engine.edge.reload_trial import Trial
from engine.edge.reload_watch import watch
from engine.edge.server import OpsServer
from engine.edge.settings import Configured
from engine.edge.wiring import Plan, plan_connectors
from engine.errors import DeclarationError, EnvironmentUnusable, Problem
from engine.ruleset.compile import Program
from engine.ruleset.renew import Declared
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project

log = structlog.get_logger("reload")


@dataclass(frozen=True, slots=True)
class Rules:
    """Where the daemon's declarations come from.

    Attributes:
        files: As they were read for this start.
        read: Reads them again.
        folders: Where they lie, to be looked at for changes.
        last_good: Whether `files` are the last good ones, because those declared are refused.
        problems: What is wrong with those, as far as it is known.
        answers: What databases answer, to be asked for again and again.

    """

    files: Sequence[DeclaredFile]
    read: Callable[[], Sequence[DeclaredFile]]
    folders: Sequence[Path]
    last_good: bool = False
    problems: Sequence[Problem] = ()
    answers: Answers | None = None


def make_reloader(
    rules: Rules,
    configured: Configured,
    program: Program,
    daemon: Embedded,
    metrics: Metrics,
    rework: Rework,
    went_live: Callable[[Plan], None],
    lang: str,
) -> Reloader:
    """The reloader of a daemon that was just put together.

    Args:
        rules: Where declarations come from.
        configured: The settings; they are not read again.
        program: What the daemon runs.
        daemon: The daemon.
        metrics: Where outcomes are counted.
        rework: Makes the daemon's work over another program.
        went_live: Called with the connectors and routes of a set that is live.
        lang: Language of what people read.

    """
    sourced = {daemon.work.source_feeds[source.name] for source in daemon.work.sources}
    declared = {source["feed"] for source in configured.values.sources.values() if "feed" in source}

    def fits(project: Project, program: Program) -> list[Problem]:
        try:
            plan_connectors(configured, project, lang)
        except DeclarationError as error:
            return list(error.problems)
        found = restart_needed(live_project(), project, sourced)
        return found + read_feeds(sourced, set(program.feeds) & declared, project)

    def live_project() -> Project:
        return reloader.live.project

    runner = DaemonRunner(daemon, rework)
    reloader = reloader_of(rules, configured, program, runner, metrics, fits, went_live, lang)
    return reloader


def reloader_of(
    rules: Rules,
    configured: Configured,
    program: Program,
    runner: Runner,
    metrics: Metrics,
    fits: Callable[[Project, Program], Sequence[Problem]],
    went_live: Callable[[Plan], None],
    lang: str,
    good: GoodSets | None = None,
) -> Reloader:
    """The reloader of whatever runs a program."""
    live = Live(Declared.of(rules.files), program.project, program, name_of(rules.files))
    wanted = configured.values.reload
    reloader = Reloader(
        runner, metrics, live, good or GoodSets(configured.data_folder), Trial(wanted.within_s),
        rules.read, fits, lambda project: went_live(plan_connectors(configured, project, lang)),
        wanted.test, lang,
    )  # fmt: skip
    if rules.last_good:
        log.error("rules-last-good", ruleset=live.name, problems=len(rules.problems))
        metrics.rules_refused()
    return reloader


@asynccontextmanager
async def listen_for_reloads(
    reloader: Reloader,
    rules: Rules,
    configured: Configured,
    server: OpsServer,
    token: str,
    *,
    once: bool,
) -> AsyncIterator[Callable[[str], None]]:
    """While this is held, signals, requests and changed folders bring edited rules in.

    What it gives does too: called with why.
    """
    wanted = configured.values.reload
    door = Door(token, lambda only_plan: reloader.reload(only_plan=only_plan, why="asked"))
    server.reload = door.post
    tasks: set[asyncio.Task[object]] = set()

    def start(work: Coroutine[None, None, object], name: str) -> None:
        task = asyncio.get_running_loop().create_task(_calm(work), name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    start(reloader.begin(), "reload-begin")
    if wanted.watch and not once:
        seen = watch(rules.folders, wanted.settle_s, lambda: reloader.reload(why="changed"))
        start(seen, "reload-watch")
        if rules.answers is not None:
            asked = rules.answers.watch(lambda: reloader.reload(why="answered"))
            start(asked, "reload-answers")
    loop = asyncio.get_running_loop()

    def ask(why: str) -> None:
        start(reloader.reload(why=why), f"reload-{why}")

    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGHUP, ask, "signal")
    try:
        yield ask
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGHUP)
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await reloader.close()


async def _calm(work: Coroutine[None, None, object]) -> None:
    """Whatever goes wrong with a reload is told, and ends nothing else."""
    try:
        await work
    except EnvironmentUnusable as error:
        log.warning("reload-given-up", reason=str(error))
    except Exception:  # the daemon goes on with the rules it has
        log.exception("reload-failed")
