"""What a worker on Kafka does with edited rules: it checks them and says what a restart brings.

A partition goes from old to new rules as a whole, when a worker with the new ones is given it
(docs/decisions/0027). So an edit becomes live by restarting the workers one after another; SIGHUP
tells beforehand, in the log, whether each of them would come up, and ends nothing.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from engine.edge.metrics import Metrics
from engine.edge.reload_good import name_of
from engine.edge.reload_trial import Trial
from engine.edge.reload_wiring import Rules
from engine.edge.settings import Configured
from engine.edge.state_tools.plan import SHOWN
from engine.edge.wiring import plan_connectors
from engine.errors import DeclarationError, EnvironmentUnusable, Problem
from engine.ruleset.compile import compile_project
from engine.ruleset.loaded import LoadOptions
from engine.ruleset.renew import Declared, edit_of, renew
from engine.ruleset.spec import Project

log = structlog.get_logger("reload")


class WorkerCheck:
    """Judges edited rules beside a worker that goes on with the ones it has."""

    def __init__(
        self, rules: Rules, configured: Configured, project: Project, metrics: Metrics, lang: str
    ) -> None:
        """Take note of what the worker runs."""
        self._rules, self._configured, self._project = rules, configured, project
        self._metrics, self._lang = metrics, lang
        self._declared = Declared.of(rules.files)
        self._name = name_of(rules.files)
        self._trial = Trial(configured.values.reload.within_s)
        self._turn = asyncio.Lock()

    async def check(self) -> str:
        """Judge what the folders hold now and say so in the log; answers the outcome."""
        async with self._turn:
            try:
                outcome = await self._check()
            except EnvironmentUnusable as error:
                log.warning("reload-given-up", reason=str(error))
                return "given-up"
            self._metrics.reloaded(outcome, 0.0)
            return outcome

    async def close(self) -> None:
        """End the process that checks."""
        await self._trial.close()

    async def _check(self) -> str:
        try:
            files = await asyncio.to_thread(self._rules.read)
        except DeclarationError as error:
            return self._refuse("", error.problems)
        name = name_of(files)
        if name == self._name:
            return "unchanged"
        edit = edit_of(self._declared, self._project, files)
        tests = self._configured.values.reload.test
        problems, cases = await self._trial.check(edit.files, tests=tests, passed_over=edit.same)
        if problems:
            return self._refuse(name, problems)
        loaded = await asyncio.to_thread(renew, edit, self._project, LoadOptions(lint=False))
        if loaded.project is None:
            return self._refuse(name, loaded.errors)
        if found := await asyncio.to_thread(self._misfits, loaded.project):
            return self._refuse(name, found)
        old, new = self._project.rules, loaded.project.rules
        changed = [one for one in old.keys() & new.keys() if old[one].hash != new[one].hash]
        log.info(
            "reload-fits", ruleset=name, tests=cases, added=sorted(new.keys() - old.keys()),
            changed=sorted(changed), removed=sorted(old.keys() - new.keys()),
            next="restart the workers one after another",
        )  # fmt: skip
        return "fits"

    def _misfits(self, project: Project) -> list[Problem]:
        """Routes to nowhere, and edits that do not say what becomes of state."""
        try:
            plan_connectors(self._configured, project, self._lang)
        except DeclarationError as error:
            return list(error.problems)
        compile_project(project)
        found: list[Problem] = []
        for name, rule in project.rules.items():
            before = self._project.rules.get(name)
            if before is None or before.hash == rule.hash:
                continue
            word = rule.on_change
            if word is None or not before.hash.startswith(word.from_hash):
                words = {"rule": name, "old": before.hash[:SHOWN]}
                found.append(Problem(rule.at, "S129", words))
        return found

    def _refuse(self, name: str, problems: Sequence[Problem]) -> str:
        log.error("reload-refused", why="signal", ruleset=name, problems=len(problems))
        for problem in problems[:20]:
            log.error("reload-problem", problem=problem.report(self._lang))
        return "refused"


@asynccontextmanager
async def heed_signal(check: WorkerCheck) -> AsyncIterator[None]:
    """While this is held, SIGHUP has edited rules judged; without it the signal would end us."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[str]] = set()

    def asked() -> None:
        task = loop.create_task(check.check(), name="reload-check")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGHUP, asked)
    try:
        yield
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGHUP)
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await check.close()
