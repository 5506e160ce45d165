"""Which declarations a daemon comes up with: those declared, or the last good ones."""

from collections.abc import Sequence
from typing import Any

from engine.edge.cli.projects import find, folders
from engine.edge.cli.voice import voice
from engine.edge.files import read_project
from engine.edge.reference.answers import Answers
from engine.edge.reference.sql import Databases
from engine.edge.reload_good import GoodSets, name_of
from engine.edge.reload_wiring import Rules
from engine.edge.settings import Configured
from engine.edge.store.rulesets import LIVE, REFUSED, known
from engine.edge.store.schema import FILE_NAME
from engine.edge.wiring import plan_connectors
from engine.errors import DeclarationError, EnvironmentUnusable, Problem
from engine.kafka.access import open_way
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project
from engine.secret_files import read_secret


def come_up(configured: Configured) -> tuple[Project, Rules]:
    """The project to run, and where its declarations come from.

    Where what is declared cannot be used, or was refused by the daemon that ran before, the set
    that was live then is taken, if it was kept; what is wrong is said.

    Raises:
        DeclarationError: the declarations have errors, and no good set was kept.
        EnvironmentUnusable: there are none, and no good set was kept.

    """
    names = _names(configured)
    answers = _answers(configured)
    try:
        found = find(configured.packs, beside=answers.beside)
        project = found.usable()
        plan_connectors(configured, project, voice().lang)
    except (DeclarationError, EnvironmentUnusable) as error:
        good = _good(configured, names)
        if good is None:
            raise
        problems = error.problems if isinstance(error, DeclarationError) else ()
        voice().problems(problems, on_result=False)
        if not problems:
            voice().note(str(error))
        return _with(configured, good, answers, problems)
    declared = name_of(found.files)
    good = _good(configured, names) if declared == names.get(REFUSED) else None
    if good is not None:
        return _with(configured, good, answers, ())
    rules = Rules(
        found.files,
        lambda: _read(configured, answers),
        folders(configured.packs),
        answers=answers,
    )
    return project, rules


def _names(configured: Configured) -> dict[str, str]:
    """Which set was live, which was refused: a daemon's database says it, or a worker's note."""
    if configured.values.broker is None:
        return known(configured.data_folder / FILE_NAME)
    return GoodSets(configured.data_folder).noted()


def _good(configured: Configured, names: dict[str, str]) -> Sequence[DeclaredFile] | None:
    """The set that was live, where it may be used and was kept whole."""
    if not configured.values.reload.last_good:
        return None
    name = names.get(LIVE)
    return None if name is None else GoodSets(configured.data_folder).read(name)


def _with(
    configured: Configured,
    files: Sequence[DeclaredFile],
    answers: Answers,
    problems: Sequence[Problem],
) -> tuple[Project, Rules]:
    """The last good set, and say so."""
    project = load_project(files, LoadOptions(lint=False)).project
    if project is None:
        raise EnvironmentUnusable(voice().say("run-last-good-unusable", name=name_of(files)))
    voice().note(voice().say("run-last-good", name=name_of(files)))
    rules = Rules(
        files, lambda: _read(configured, answers), configured.packs, True, problems, answers
    )
    return project, rules


def _read(configured: Configured, answers: Answers) -> Sequence[DeclaredFile]:
    return answers.beside(read_project(folders(configured.packs)))


def _answers(configured: Configured) -> Answers:
    """Whoever gives the rows of tables that name a query."""
    urls = {}
    for name, one in configured.values.databases.items():
        url = read_secret(one.url, one.url_file, configured.folder, voice().lang)
        if url is not None:
            urls[name] = url
    if configured.values.broker is not None:
        urls.setdefault("broker", configured.values.broker)

    def client() -> dict[str, Any]:
        return open_way(configured.values.kafka, configured.folder, voice().lang).client()

    return Answers(Databases(urls, configured.folder, voice().lang, client))
