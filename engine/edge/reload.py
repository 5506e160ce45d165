"""Edited rules into what runs: checked, tested, planned, compiled, and only then swapped in.

    files --edit?--> trial (a process of its own: check, rule tests) --fine--> new program, state
    plan, last good copy (threads) --fine--> between two batches: state over, one transaction, go on

Whatever is wrong on the way refuses the whole set; the one that is live goes on and nothing of it
has changed. One edit is worked on at a time. What is the same for every runner of rules is here;
how state goes over is the runner's (`reload_daemon.py`, `reload_worker.py`).
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from engine.edge import crashpoint
from engine.edge.collector import no_collector
from engine.edge.metrics import Metrics
from engine.edge.reload_fit import misfits
from engine.edge.reload_good import GoodSets, name_of
from engine.edge.reload_trial import Trial
from engine.edge.state_tools.plan import Does, Line
from engine.edge.store.rulesets import LIVE, REFUSED
from engine.errors import DeclarationError, Location, Problem, StateError
from engine.handover import edited
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.loaded import LoadOptions
from engine.ruleset.renew import Declared, Edit, edit_of, renew
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project

log = structlog.get_logger("reload")

_SWITCH_S = 0.000_5
"""While rules are compiled, the daemon's own threads need not wait longer for their turn."""
NOT_NOW = "S134"
_PASSING = frozenset({"S124", "S125", "S126", "S127", "S130", "S131", "S132", "S133", NOT_NOW})
"""Reasons that a restart may remove: only then does it look at this set again."""
_TOLD = 20
"""So many problems are written to the log; all of them are answered to who asked."""


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
    plan: Sequence[Line] = ()
    made: Any = None


class Runner(Protocol):
    """What runs the rules: says what an edit does to its state, and goes over to it."""

    async def begun(self) -> None:
        """Return when it runs what it came up with."""

    async def plan(self, live: Live, coming: Coming) -> tuple[list[Line], list[StateError]]:
        """What becomes of saved state, and which rows cannot be taken up.

        Raises:
            TimeoutError: its state cannot be looked at now.

        """

    def make(self, program: Program) -> Any:
        """What can be made of a program beforehand; called in a thread of its own."""

    async def swap(self, live: Live, coming: Coming) -> float:
        """Go over between two batches, as a whole; answers for how long nothing was worked on (ms).

        It returns when all that this does is saved, and which set is live with it.

        Raises:
            StateError: a row of the last moment cannot be taken up; nothing has changed.
            TimeoutError: there was no such moment; nothing has changed.

        """

    async def note(self, what: str, name: str) -> None:
        """Keep which set is `live` or was `refused`; an empty name means none."""


@dataclass(slots=True)
class Reloader:
    """Brings edited declarations into what runs.

    Attributes:
        runner: What runs them.
        read: Reads all declarations that the settings name.
        fits: What of a project does not fit the settings (routes, feeds of sources, topics).
        route: Called with the project that is live from now on.

    """

    runner: Runner
    metrics: Metrics
    live: Live
    good: GoodSets
    trial: Trial
    read: Callable[[], Sequence[DeclaredFile]]
    fits: Callable[[Project, Program], Sequence[Problem]]
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
        await self.runner.begun()
        files = self.live.declared.files()
        await asyncio.to_thread(self.good.keep, files)
        await self.runner.note(LIVE, self.live.name)
        await asyncio.to_thread(self.good.forget_all_but, [self.live.name])

    async def reload(self, *, only_plan: bool = False, why: str = "asked") -> Answer:
        """Bring in what the folders hold now; never raises for what they hold."""
        await self.runner.begun()
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
            coming = await self._prepare(edit, name)
        if isinstance(coming, Answer):
            return coming
        answer = self._answer(coming, cases)
        if only_plan:
            return answer
        await asyncio.to_thread(self.good.keep, coming.edit.now.files())
        crashpoint.passing("reload-built")
        try:
            pause_ms = await self.runner.swap(self.live, coming)
        except StateError as error:  # a row of the last moment does not fit
            where = coming.project.rules.get(error.found.get("rule", ""))
            at = misfits([], coming.project, error, where)
            return Answer("refused", name, at, cases=cases)
        except TimeoutError:
            return Answer("refused", name, [Problem(Location("forewarn.yaml"), NOT_NOW)])
        self.live = Live(coming.edit.now, coming.project, coming.program, name)
        self.route(coming.project)
        await asyncio.to_thread(self.good.forget_all_but, [name])
        return replace(answer, outcome="live", pause_ms=pause_ms)

    async def _prepare(self, edit: Edit, name: str) -> Coming | Answer:
        """Everything that needs no pause; runs beside the loop."""
        coming = await asyncio.to_thread(self._compile, edit, name)
        if isinstance(coming, Answer):
            return coming
        try:
            coming.plan, unfit = await self.runner.plan(self.live, coming)
        except TimeoutError:
            return Answer("refused", name, [Problem(Location("forewarn.yaml"), NOT_NOW)])
        if found := misfits(coming.plan, coming.project, unfit, None):
            return Answer("refused", name, found, plan=coming.plan)
        coming.made = await asyncio.to_thread(self.runner.make, coming.program)
        return coming

    def _compile(self, edit: Edit, name: str) -> Coming | Answer:
        loaded = renew(edit, self.live.project, LoadOptions(lint=False))
        if loaded.project is None:
            return Answer("refused", name, loaded.errors)
        project = loaded.project
        program = compile_project(project, self.live.program, edit.same)
        if found := [*self.fits(project, program)]:
            return Answer("refused", name, found)
        return Coming(edit, project, program, name)

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
                await self.runner.note(REFUSED, answer.name)
            say = log.error if first else log.info
            # Lines of the same kind within a minute are counted, not written: these differ.
            count = len(answer.problems)
            say("reload-refused", kind=answer.name, why=why, ruleset=answer.name, problems=count)
            for problem in answer.problems[:_TOLD] if first else ():
                told = problem.report(self.lang)
                log.error("reload-problem", kind=f"{problem.code} {problem.at}", problem=told)
            return
        if self._refused:
            await self.runner.note(REFUSED, "")
        self._refused = ""
        if answer.outcome == "live":
            log.info(
                "reloaded", why=why, ruleset=answer.name, added=list(answer.added),
                changed=list(answer.changed), removed=list(answer.removed), **answer.rows(),
                tests=answer.cases, pause_ms=round(answer.pause_ms, 1), seconds=round(seconds, 2),
            )  # fmt: skip


def concerned(old: Program, new: Program) -> dict[str, Collection[str] | None]:
    """Of which rules' rows something must be done, by key space; None means all of it."""
    wanted: dict[str, Collection[str] | None] = {}
    for name, space in old.spaces.items():
        if name not in new.spaces:
            wanted[name] = None
        elif rules := edited(space, new.spaces[name]):
            wanted[name] = rules
    return wanted


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
