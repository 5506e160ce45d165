"""Puts a desk together: declarations, database, audit, senders; runs it and ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.engine import URL

from engine.cases.declared.around import Around
from engine.cases.declared.load import LoadedDesk, load_desk
from engine.cases.desk import Desk
from engine.cases.policy import Policy
from engine.cases.routing import Router
from engine.cases.sinks import sinks_of
from engine.edge.desk.audit import KEY_NAME, Ledger, read_key
from engine.edge.desk.heads import FILE_NAME as HEAD_NAME
from engine.edge.desk.heads import Heads
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.redeclare import Redeclarer
from engine.edge.desk.runner import Reader, Runner
from engine.edge.desk.sqlbox import SqlOutbox
from engine.edge.desk.store import DeskStore, desk_url, wall_ms
from engine.edge.desk_settings import DeskSettings
from engine.edge.files import read_project
from engine.edge.outbox import Senders
from engine.edge.reload_good import FOLDER as SETS
from engine.edge.reload_good import GoodSets, name_of
from engine.edge.sender import Counting
from engine.edge.settings import Configured
from engine.edge.wiring import Plan, make_sinks, retry_policy
from engine.errors import DeclarationError, Problem
from engine.geo.regions import Regions
from engine.ruleset.known import REGIONS
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project
from engine.secret_files import read_secret

log = structlog.get_logger("desk")

LEAD_S = 30.0
"""How much longer the end of a recording waits for the lease of a desk that died."""
GOOD = "desk"
"""The folder of the data folder in which the declarations in force are kept."""


@dataclass(slots=True)
class OpenDesk:
    """A desk that runs.

    Attributes:
        keeper: What everybody asks.
        runner: What drives it.
        senders: What delivers its papers.
        declared: What is declared, and what brings in edits of it.

    """

    keeper: Keeper
    runner: Runner
    senders: Senders
    declared: Redeclarer
    _outbox: SqlOutbox

    def wake(self) -> None:
        """There are new alerts."""
        self.runner.wake()

    async def settle(self, within_s: float, stop: asyncio.Event) -> dict[str, int]:
        """Take every alert and deliver what is due; answers what is left, by sink."""
        try:
            async with asyncio.timeout(within_s + LEAD_S):
                await self.runner.settle()
        except TimeoutError:  # another desk runs, or the database is away
            return {"desk": 1}
        return await self.senders.drained(within_s, stop)


def settings_of_desk(configured: Configured) -> DeskSettings:
    """The desk's settings; its own defaults where they say nothing of a desk."""
    return configured.values.desk or DeskSettings()


def declared_desk(
    configured: Configured, project: Project, sinks: Collection[str] | None
) -> LoadedDesk:
    """Read and check what is declared about the desk.

    Raises:
        DeclarationError: something is wrong; every problem at once.

    """
    loaded = load_desk(desk_files(configured), around(project, sinks))
    if loaded.errors:
        raise DeclarationError(loaded.errors)
    return loaded


def desk_folder(configured: Configured) -> Path:
    """Where the desk is declared."""
    return configured.folder / settings_of_desk(configured).folder


def desk_files(configured: Configured) -> list[DeclaredFile]:
    """The declarations of the desk as they lie there now.

    Raises:
        DeclarationError: the folder is not there, or cannot be read.

    """
    return read_project([desk_folder(configured)])


def around(project: Project, sinks: Collection[str] | None) -> Around:
    """What a desk is checked beside today."""
    return Around(project, sinks, datetime.now(UTC).date())


def _come_up(
    configured: Configured, project: Project, sinks: Collection[str], good: GoodSets, lang: str
) -> tuple[LoadedDesk, Sequence[DeclaredFile], Sequence[Problem]]:
    """What a desk comes up with: what is declared, else what was in force last, and what is wrong.

    Raises:
        DeclarationError: what is declared is wrong, and nothing else was kept or may be taken.

    """
    files: Sequence[DeclaredFile]
    try:
        files = desk_files(configured)
        loaded = load_desk(files, around(project, sinks))
        wrong: Sequence[Problem] = loaded.errors
    except DeclarationError as error:
        files, wrong = (), error.problems
    if not wrong:
        (configured.data_folder / GOOD).mkdir(mode=0o700, parents=True, exist_ok=True)
        good.keep(files)
        good.forget_all_but([name_of(files)])
        return loaded, files, ()
    kept = _newest(configured) if configured.values.reload.last_good else None
    last = None if kept is None else load_desk(kept, around(project, sinks))
    if kept is None or last is None or last.errors:
        raise DeclarationError(wrong)
    log.error("desk-last-good", desk=name_of(kept), problems=len(wrong))
    for problem in wrong:
        log.error("desk-edit-problem", problem=problem.report(lang))
    return last, kept, wrong


def _newest(configured: Configured) -> list[DeclaredFile] | None:
    """The declarations that were kept last; None where none are kept whole."""
    folder = configured.data_folder / GOOD
    try:
        kept = sorted((folder / SETS).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    except OSError:
        return None
    sets = GoodSets(folder)
    found = (sets.read(path.stem) for path in reversed(kept))
    return next((files for files in found if files is not None), None)


def doubts(loaded: LoadedDesk) -> Sequence[Problem]:
    """What is declared and may be meant otherwise."""
    return [one for one in loaded.problems if one not in loaded.errors]


def make_desk(policy: Policy, project: Project) -> Desk:
    """The desk that decides, with the regions of the rules."""
    regions = Regions(project.zones[REGIONS]) if REGIONS in project.zones else None
    return Desk(policy, Router(regions))


def database_of(configured: Configured, lang: str) -> URL:
    """The address of the desk's database.

    Raises:
        EnvironmentUnusable: it is none, or the file that holds it cannot be read.

    """
    settings = settings_of_desk(configured)
    url = read_secret(settings.url, settings.url_file, configured.folder, lang)
    folder = configured.data_folder if url is None else configured.folder
    return desk_url(url, folder, lang)


def open_store(configured: Configured, lang: str, now_ms: Callable[[], int] = wall_ms) -> DeskStore:
    """The desk's database, its tables brought up to this version.

    Raises:
        EnvironmentUnusable: it cannot be reached, written or understood.
        StateError: a newer Forewarn made its tables.

    """
    return DeskStore(database_of(configured, lang), lang, now_ms)


def open_ledger(configured: Configured, lang: str, *, make: bool = False) -> Ledger:
    """The audit, with its key.

    Raises:
        EnvironmentUnusable: there is no key.

    """
    said = settings_of_desk(configured).audit_key_file
    path = _beside(configured, said, KEY_NAME)
    return Ledger(read_key(path, lang, make=make))


def head_path(configured: Configured) -> Path:
    """The file of the audit's heads."""
    return _beside(configured, settings_of_desk(configured).head_file, HEAD_NAME)


@asynccontextmanager
async def open_desk(
    configured: Configured,
    project: Project,
    plan: Plan,
    reader: Callable[[Keeper], Reader],
    counts: Counting,
    blocked: Callable[[str], None],
    lang: str = "en",
    rules: Callable[[], Project] | None = None,
) -> AsyncIterator[OpenDesk]:
    """A desk that runs while this is held.

    Args:
        configured: The settings.
        project: The rules whose alerts come to it.
        plan: The connectors that the settings declare.
        reader: Makes what reads alerts for a keeper.
        counts: Counts what became of papers.
        blocked: Told why the database takes nothing, and nothing when it does again.
        lang: Language of what people read.
        rules: The rules as they are at any time; None: as they were.

    Raises:
        DeclarationError: the desk's declarations are wrong, and no good ones were kept.
        EnvironmentUnusable: database, key or a sink cannot be used.
        StateError: a newer Forewarn made the tables.

    """
    names = [sink.name for sink in plan.sinks]
    good = GoodSets(configured.data_folder / GOOD)
    loaded, files, refused = _come_up(configured, project, names, good, lang)
    policy = loaded.policy or Policy()
    for problem in doubts(loaded):
        log.warning("desk-doubt", problem=problem.report(lang))
    settings = settings_of_desk(configured)
    ledger = open_ledger(configured, lang, make=True)
    async with AsyncExitStack() as stack:
        store = await asyncio.to_thread(open_store, configured, lang)
        stack.push_async_callback(store.close)
        keeper = Keeper(store, make_desk(policy, project), ledger, policy.storm)
        heads = Heads(head_path(configured))
        term_ms, days = int(settings.lease_s * 1000), settings.keep_days
        runner = Runner(keeper, reader(keeper), heads, blocked, term_ms, days)
        box = SqlOutbox(keeper, lambda: runner.leads)
        named = {sink for sink, _ in sinks_of(policy)}
        used = replace(plan, sinks=[sink for sink in plan.sinks if sink.name in named])
        sinks = make_sinks(used, configured.data_folder)
        senders = Senders(sinks, box, retry_policy(configured.values.outbox), counts)
        runner.when_leading(senders.wake)
        stack.push_async_callback(senders.stop)
        await senders.start()
        redeclarer = Redeclarer(
            keeper, policy, project, name_of(files), lambda: desk_files(configured),
            rules or (lambda: project), lambda now: around(now, names), make_desk, good,
            frozenset(sink.name for sink in sinks), lang, refused,
        )  # fmt: skip
        task = asyncio.create_task(runner.run(), name="desk")
        try:
            yield OpenDesk(keeper, runner, senders, redeclarer, box)
        finally:
            runner.stop()
            await asyncio.gather(task, return_exceptions=True)
            await runner.write_head(now=True)


def _beside(configured: Configured, said: str | None, name: str) -> Path:
    return configured.data_folder / name if said is None else configured.folder / said
