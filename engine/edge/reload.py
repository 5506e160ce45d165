"""Edited rules into a running daemon: checked, tested, planned, compiled, and only then swapped in.

    files --edit?--> trial (a process of its own: check, rule tests) --fine--> new program, state
    plan, last good copy (threads) --fine--> between two batches: state over, one transaction, go on

Whatever is wrong on the way refuses the whole set; the one that is live goes on and nothing of it
has changed. One edit is worked on at a time.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from engine.chain import Chain
from engine.edge import crashpoint
from engine.edge.collector import no_collector
from engine.edge.embedded import Embedded, Work
from engine.edge.metrics import Metrics
from engine.edge.recover import closing_of
from engine.edge.reload_fit import misfits, plan_for
from engine.edge.reload_good import GoodSets, name_of
from engine.edge.reload_trial import Trial
from engine.edge.state_tools.plan import Does, Line
from engine.edge.store import Store
from engine.edge.store.rulesets import LIVE, REFUSED, saved_rows
from engine.errors import DeclarationError, Location, Problem, StateError
from engine.handover import Handover, edited
from engine.model.change import Change
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.loaded import LoadOptions
from engine.ruleset.renew import Declared, Edit, edit_of, renew
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project

log = structlog.get_logger("reload")

_SWITCH_S = 0.000_5
"""While rules are compiled, the daemon's own threads need not wait longer for their turn."""
_PASSING = frozenset({"S124", "S125", "S126", "S127"})
"""Reasons that a restart may remove: only then does it look at this set again."""
_TOLD = 20
"""So many problems are written to the log; all of them are answered to who asked."""


Rework = Callable[[Work, Program, dict[str, Space], Chain], Work]
"""Makes of a daemon's work that over another program: its key spaces, what they hand on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an edit.

    Attributes:
        outcome: `live`, `unchanged`, `refused`, or `fits` where only a plan was asked for.
        name: Hash of the set of declarations.
        problems: Why it was refused; or, of one that is live, nothing.
        added: Rules that are new; with `changed` and `removed` ids in order.
        plan: What becomes of saved state.
        cases: How many test cases were run.
        pause_ms: How long no event was worked on.

    """

    outcome: str
    name: str = ""
    problems: Sequence[Problem] = ()
    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()
    plan: Sequence[Line] = ()
    cases: int = 0
    pause_ms: float = 0.0

    def rows(self) -> dict[str, int]:
        """How many rows of saved state were kept, migrated, reset."""
        counts = Counter(line.does for line in self.plan for _ in range(line.keys) if line.old)
        forgotten = counts[Does.RESET] + counts[Does.GONE]
        return {"kept": counts[Does.KEEP], "migrated": counts[Does.MIGRATE], "reset": forgotten}


@dataclass(slots=True)
class Live:
    """The set that is live: its files, its project, its program."""

    declared: Declared
    project: Project
    program: Program
    name: str


@dataclass(slots=True)
class Coming:
    """A set that may become live: everything that can be prepared beside the running one."""

    edit: Edit
    project: Project
    program: Program
    name: str
    spaces: dict[str, Space]
    plan: Sequence[Line]
    work: Work


@dataclass(slots=True)
class Reloader:
    """Brings edited declarations into one running daemon.

    Attributes:
        read: Reads all declarations that the settings name.
        fits: What of a project does not fit the settings (routes, feeds of sources).
        rework: The daemon's work over another program.
        route: Called with the project that is live from now on.

    """

    daemon: Embedded
    store: Store
    metrics: Metrics
    live: Live
    good: GoodSets
    trial: Trial
    read: Callable[[], Sequence[DeclaredFile]]
    fits: Callable[[Project, Program], Sequence[Problem]]
    rework: Rework
    route: Callable[[Project], None]
    tests: bool = True
    lang: str = "en"
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refused: str = ""

    def project(self) -> Project:
        """The declarations in force."""
        return self.live.project

    async def begin(self) -> None:
        """Keep the set that the daemon came up with, so that a restart finds it again."""
        await self.daemon.begun.wait()
        files = self.live.declared.files()
        await asyncio.to_thread(self.good.keep, files)
        await self.store.note_ruleset(LIVE, self.live.name)
        await asyncio.to_thread(self.good.forget_all_but, [self.live.name])

    async def reload(self, *, only_plan: bool = False, why: str = "asked") -> Answer:
        """Bring in what the folders hold now; never raises for what they hold."""
        await self.daemon.begun.wait()
        async with self._turn:
            begun = time.perf_counter()
            answer = await self._reload(only_plan=only_plan)
            if not only_plan:
                await self._tell(answer, why, time.perf_counter() - begun)
            return answer

    async def close(self) -> None:
        """End the process that checks."""
        await self.trial.close()

    async def _reload(self, *, only_plan: bool) -> Answer:
        try:
            files = await asyncio.to_thread(self.read)
        except DeclarationError as error:
            return Answer("refused", problems=error.problems)
        if not files:  # an empty folder is a mount that is missing, not a wish
            return Answer("refused", problems=[Problem(Location("forewarn.yaml"), "S128")])
        name = await asyncio.to_thread(name_of, files)
        if name == self.live.name:
            return Answer("unchanged", name)
        edit = edit_of(self.live.declared, self.live.project, files)
        problems, cases = await self.trial.check(
            edit.files, tests=self.tests, passed_over=edit.same
        )
        if problems:
            return Answer("refused", name, problems, cases=cases)
        with _quick_turns():
            coming = await asyncio.to_thread(self._prepare, edit, name)
        if isinstance(coming, Answer):
            return coming
        answer = self._answer(coming, cases)
        if only_plan:
            return answer
        await asyncio.to_thread(self.good.keep, coming.edit.now.files())
        crashpoint.passing("reload-built")
        try:
            pause_ms, keeping = await self.daemon.between(lambda: self._swap(coming))
        except StateError as error:  # a row of the last moment does not fit
            where = coming.project.rules.get(error.found.get("rule", ""))
            at = misfits([], coming.project, error, where)
            return Answer("refused", name, at, cases=cases)
        await asyncio.wait({keeping})
        keeping.result()  # the daemon hears of a failure too, and ends
        self.live = Live(coming.edit.now, coming.project, coming.program, name)
        self.route(coming.project)
        await asyncio.to_thread(self.good.forget_all_but, [name])
        return Answer(
            "live", name, (), answer.added, answer.changed, answer.removed, answer.plan, cases,
            pause_ms,
        )  # fmt: skip

    def _prepare(self, edit: Edit, name: str) -> Coming | Answer:
        """Everything that needs no pause; runs beside the daemon's loop."""
        loaded = renew(edit, self.live.project, LoadOptions(lint=False))
        if loaded.project is None:
            return Answer("refused", name, loaded.errors)
        project, work = loaded.project, self.daemon.work
        program = compile_project(project, self.live.program, edit.same)
        if found := [*self.fits(project, program)]:
            return Answer("refused", name, found)
        specs = {rule.spec.id: rule.spec for rule in program.rules.values()}
        wanted = self._wanted(program)
        plan, unfit = plan_for(self.store.path, wanted, specs, program)
        if found := misfits(plan, project, unfit, None):
            return Answer("refused", name, found, plan=plan)
        spaces = {one: Space(space) for one, space in program.spaces.items()}
        chain = Chain(program.spaces)
        return Coming(
            edit, project, program, name, spaces, plan,
            self.rework(work, program, spaces, chain),
        )  # fmt: skip

    def _wanted(self, program: Program) -> dict[str, Collection[str] | None]:
        """Of which rules' rows something must be done, by key space; None means all of it."""
        wanted: dict[str, Collection[str] | None] = {}
        for name, space in self.live.program.spaces.items():
            if name not in program.spaces:
                wanted[name] = None
            elif rules := edited(space, program.spaces[name]):
                wanted[name] = rules
        return wanted

    async def _swap(self, coming: Coming) -> tuple[float, "asyncio.Task[None]"]:
        """Between two batches: all key spaces go over together, or none.

        Answers how long events waited (ms), and the task that puts it on disk.
        """
        begun = time.perf_counter()
        before = self.daemon.work
        wanted = self._wanted(coming.program)
        rows: dict[str, list[Write]] = {}
        if wanted:  # read beside the writer, which may be waiting for the disk
            rows = await asyncio.to_thread(saved_rows, self.store.path, wanted)
        overs: list[Handover] = []
        for name, new in coming.spaces.items():
            old = before.spaces.get(name)
            if isinstance(old, Space):
                overs.append(Handover(old, new, rows.get(name, [])))
        crashpoint.passing("swap-begun")
        for over in overs:
            over.complete()
        chain = coming.work.chain
        chain.next_offset, chain.keeps = before.chain.next_offset, before.chain.keeps
        chain.waiting = {
            place: records
            for place, records in before.chain.waiting.items()
            if place[0] in coming.spaces
        }
        for core in coming.spaces.values():
            crashpoint.watch_timers(core)
        closing = self._closing(coming, rows)
        keeping = self.daemon.succeed(coming.work, coming.name, closing)
        return (time.perf_counter() - begun) * 1000, keeping

    def _closing(self, coming: Coming, rows: dict[str, list[Write]]) -> list[Change]:
        """The ends of the alerts of key spaces that no rule has any more."""
        found: list[Change] = []
        for name in sorted(set(self.live.program.spaces) - set(coming.spaces)):
            old = self.daemon.work.spaces[name]
            mark = old.progress.watermark if isinstance(old, Space) else 0
            found += closing_of(rows.get(name, []), mark)
        return found

    def _answer(self, coming: Coming, cases: int) -> Answer:
        """What would be new, changed and gone; rules as they are declared, not their parts."""
        old, new, edit = self.live.project.rules, coming.project.rules, coming.edit
        changed = sorted(
            name
            for name in old.keys() & new.keys()
            if new[name].at.file in edit.touched or new[name].hash != old[name].hash
        )
        added, removed = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
        return Answer("fits", coming.name, (), added, changed, removed, coming.plan, cases)

    async def _tell(self, answer: Answer, why: str, seconds: float) -> None:
        """Say once what came of it, and remember a set that was refused."""
        self.metrics.reloaded(answer.outcome, answer.pause_ms / 1000)
        if answer.outcome == "refused":
            first = answer.name != self._refused or not answer.name
            self._refused = answer.name
            if not _PASSING.issuperset(problem.code for problem in answer.problems):
                await self.store.note_ruleset(REFUSED, answer.name)
            say = log.error if first else log.info
            say("reload-refused", why=why, ruleset=answer.name, problems=len(answer.problems))
            for problem in answer.problems[:_TOLD] if first else ():
                log.error("reload-problem", problem=problem.report(self.lang))
            return
        if self._refused:
            await self.store.note_ruleset(REFUSED, "")
        self._refused = ""
        if answer.outcome == "live":
            log.info(
                "reloaded", why=why, ruleset=answer.name, added=list(answer.added),
                changed=list(answer.changed), removed=list(answer.removed), **answer.rows(),
                tests=answer.cases, pause_ms=round(answer.pause_ms, 1), seconds=round(seconds, 2),
            )  # fmt: skip


@contextmanager
def _quick_turns() -> Iterator[None]:
    """While another thread compiles, let the loop have the interpreter soon; collect no garbage."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_S))
    try:
        with no_collector():
            yield
    finally:
        sys.setswitchinterval(before)
