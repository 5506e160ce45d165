"""Edited declarations into a desk that runs: checked, tested, held against its cases, in force.

    folder --edit?--> check, route tests (a thread) --fine--> between two transactions: open cases
    looked at, the edit noted in the audit, the new declarations decide from now on

Whatever is wrong refuses the whole set; the one that is in force goes on. What was agreed with a
case holds: a limit that runs keeps its end, and nothing that an open case needs can be taken away.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection, select

from engine.cases.declared.around import Around
from engine.cases.declared.load import LoadedDesk, load_desk
from engine.cases.declared.trial import run
from engine.cases.model import Actor, Incident, Role
from engine.cases.policy import Centre, Department, Policy, Timing
from engine.cases.sinks import sinks_of
from engine.edge.desk.audit import Entry
from engine.edge.desk.book import decode_incident
from engine.edge.desk.keeper import Deciding, Keeper
from engine.edge.desk.tables import incident_bodies, incidents
from engine.edge.reload_good import GoodSets, name_of
from engine.errors import DeclarationError, Location, Problem
from engine.geo.regions import Regions
from engine.ruleset.known import REGIONS
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project
from engine.text import say
from engine.text.terms import Term

log = structlog.get_logger("desk")

_TOLD = 20
"""So many problems are written to the log."""
_WHO: Final = Actor(name="desk", role=Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an edit.

    Attributes:
        outcome: `live`, `unchanged` or `refused`.
        name: Hash of the desk's files.
        problems: Why it was refused.
        tests: How many route tests were run.

    """

    outcome: str
    name: str = ""
    problems: Sequence[Problem] = ()
    tests: int = 0


@dataclass(slots=True)
class Redeclarer:
    """Brings edited declarations into one running desk; one edit is worked on at a time.

    Attributes:
        keeper: The desk over its store.
        policy: What is in force.
        project: The rules beside it, whose regions say where a position lies.
        name: Hash of the desk's files that are in force.
        read: Reads the desk's folder.
        rules: The rules as they are now; raises a `DeclarationError` where they cannot be used.
        around: What a desk is checked beside, by the rules.
        decides: Makes the desk that decides.
        good: Where the set in force is kept, so that a restart finds it again.
        served: Sinks that somebody delivers to; None: all.
        lang: Language of what people read.

    """

    keeper: Keeper
    policy: Policy
    project: Project
    name: str
    read: Callable[[], Sequence[DeclaredFile]]
    rules: Callable[[], Project]
    around: Callable[[Project], Around]
    decides: Callable[[Policy, Project], Deciding]
    good: GoodSets
    served: frozenset[str] | None = None
    lang: str = "en"
    refused: Sequence[Problem] = ()
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def notes(self) -> list[str]:
        """What an operator should know: that an edit was refused."""
        if not self.refused:
            return []
        return [say("desk-edit-refused", self.lang, count=len(self.refused))]

    async def reload(self, why: str = "asked") -> Answer:
        """Bring in what the folder holds now; never raises for what it holds."""
        async with self._turn:
            try:
                answer = await self._reload(why)
            except DeclarationError as error:
                answer = Answer("refused", problems=error.problems)
            self._tell(answer, why)
            return answer

    async def _reload(self, why: str) -> Answer:
        files = await asyncio.to_thread(self.read)
        project = await asyncio.to_thread(self.rules)
        name = await asyncio.to_thread(name_of, files)
        if name == self.name and project is self.project:
            return Answer("unchanged", name)
        loaded = await asyncio.to_thread(load_desk, files, self.around(project))
        wrong = [*loaded.errors, *loaded.test_errors]
        policy = loaded.policy
        if wrong or policy is None:
            return Answer("refused", name, wrong)
        wrong = await asyncio.to_thread(failures, loaded, project)
        wrong += unserved(policy, self.served)
        if wrong:
            return Answer("refused", name, wrong, len(loaded.tests))
        await asyncio.to_thread(self.good.keep, files)
        desk = self.decides(policy, project)
        entry = Entry(_WHO, "redeclare", "desk", why, self.name, name)
        found = await self.keeper.redeclare_if(
            lambda link: missed(self.policy, policy, open_cases(link)), desk, policy.storm, entry
        )
        if found:
            return Answer("refused", name, found, len(loaded.tests))
        self.policy, self.project, self.name = policy, project, name
        await asyncio.to_thread(self.good.forget_all_but, [name])
        return Answer("live", name, tests=len(loaded.tests))

    def _tell(self, answer: Answer, why: str) -> None:
        """Say what came of it; the same refusal is told once."""
        if answer.outcome == "refused":
            if list(answer.problems) != list(self.refused):
                log.error("desk-edit-refused", why=why, problems=len(answer.problems))
                for problem in answer.problems[:_TOLD]:
                    log.error("desk-edit-problem", problem=problem.report(self.lang))
            self.refused = tuple(answer.problems)
            return
        self.refused = ()
        if answer.outcome == "live":
            log.info("desk-redeclared", why=why, desk=answer.name, tests=answer.tests)


def failures(loaded: LoadedDesk, project: Project) -> list[Problem]:
    """The route tests that do not come out."""
    if loaded.policy is None:
        return []
    regions = Regions(project.zones[REGIONS]) if REGIONS in project.zones else None
    return [
        Problem(one.at, "S142", {"name": one.name, "wanted": one.wanted, "found": one.found})
        for test in loaded.tests
        for one in run(test, loaded.policy, regions).failures
    ]


def unserved(policy: Policy, served: frozenset[str] | None) -> list[Problem]:
    """Sinks that are named from now on and that nobody delivers to: they take a restart."""
    if served is None:
        return []
    places = {sink: at for sink, at in sinks_of(policy) if sink not in served}
    return [Problem(at, "S141", {"name": name}) for name, at in sorted(places.items())]


def open_cases(link: Connection) -> Iterator[Incident]:
    """The cases in which somebody still owes something."""
    query = (
        select(incident_bodies.c.body)
        .join(incidents, incidents.c.seq == incident_bodies.c.seq)
        .where(incidents.c.is_open)
    )
    for body in link.execute(query).scalars():
        yield decode_incident(body)


def missed(before: Policy, after: Policy, cases: Iterable[Incident]) -> list[Problem]:
    """What is declared no longer although an open case needs it: who has it, and its limits."""
    gone: Mapping[str, Mapping[str, Location]] = {
        "department": _gone(before.departments, after.departments),
        "centre": _gone(before.centres, after.centres),
        "timing": _gone(before.timings, after.timings),
    }
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for case in cases if any(gone.values()) else ():
        needs = {("department", name) for name in (case.lead, case.host, *case.assisting)}
        needs |= {("centre", case.centre), ("timing", case.terms.timing)}
        for kind, name in needs:
            if name in gone[kind]:
                counts[kind, name] += 1
                first.setdefault((kind, name), case.number)
    return [
        Problem(
            gone[kind][name],
            "S140",
            {"kind": Term(kind), "name": name, "count": count, "number": first[kind, name]},
        )
        for (kind, name), count in sorted(counts.items())
    ]


def _gone(
    before: Mapping[str, Department] | Mapping[str, Centre] | Mapping[str, Timing],
    after: Collection[str],
) -> dict[str, Location]:
    """What was declared and is no longer, with the place where it stood."""
    return {name: one.at for name, one in before.items() if name not in after}
