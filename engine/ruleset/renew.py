"""Edited declarations beside those that run: what changed, and the new project without the rest.

Most edits touch a few rules. Then only those are read and checked, with all that is no rule; the
others are taken over from the project that runs, and may go on as they stand.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.errors import Problem
from engine.feeds.alerts import ALERTS
from engine.ruleset.folders import Kind, sort_files
from engine.ruleset.load import load_project
from engine.ruleset.loaded import Loaded, LoadOptions
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project, RuleSpec
from engine.ruleset.uses import tables_of

_OTHERS = re.compile(rb"\balerts\b|\bcorrelate\b")
"""In a rule file: words of one that may read other rules, so that it cannot be checked alone."""
_HARMLESS = frozenset({Kind.RULE, Kind.TEST, Kind.ROUTES})
"""Files that no other rule than those they name is compiled from."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A set of declared files, each with its kind; one that is of no kind has none."""

    raw: Mapping[str, bytes]
    kinds: Mapping[str, Kind]

    @classmethod
    def of(cls, files: Iterable[DeclaredFile]) -> "Declared":
        """Tell the kind of every file."""
        held = list(files)
        return cls({file.path: file.raw for file in held}, _kinds(held))

    def files(self) -> list[DeclaredFile]:
        """The files, in the order of their paths."""
        return [DeclaredFile(path, self.raw[path]) for path in sorted(self.raw)]


@dataclass(frozen=True, slots=True)
class Edit:
    """How one set of declared files differs from another.

    Attributes:
        files: Those to be read for it: all, or the edited rules with their tests and what is no
            rule.
        touched: Paths of the rule files among them that are new or edited.
        gone: Paths of rule files that are there no more.
        same: Ids of rules that are what they were, with all they use.
        is_part: Whether the rules that are the same were left out of `files`.
        now: All files as they are.

    """

    files: Sequence[DeclaredFile]
    now: Declared
    touched: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
    is_part: bool = False


def edit_of(before: Declared, project: Project, files: Sequence[DeclaredFile]) -> Edit:
    """What of these files must be read again.

    Args:
        before: The files that the running project was made of.
        project: That project.
        files: The files as they are.

    """
    raw = {file.path: file.raw for file in files}
    changed = {path for path in {*before.raw, *raw} if before.raw.get(path) != raw.get(path)}
    kinds = _kinds_now(before, files, changed)
    now = Declared(raw, {path: kind for path, kind in kinds.items() if path in raw})
    rules = frozenset(path for path in changed if kinds.get(path) is Kind.RULE)
    touched, gone = rules & raw.keys(), rules - raw.keys()
    texts = [text for path in rules for text in (before.raw.get(path), raw.get(path)) if text]
    alone = (
        all(kinds.get(path) in _HARMLESS for path in changed)
        and Kind.OVERRIDE not in kinds.values()
        and not any(ALERTS in rule.feeds for rule in project.rules.values())
        and not any(_OTHERS.search(text) for text in texts)
    )
    if not alone:
        same = _untouched(project, rules, changed, kinds)
        return Edit(files, now, touched, gone, same)
    tested = {path.removesuffix(".yaml") + "_test.yaml" for path in touched}
    wanted = {
        path
        for path, kind in now.kinds.items()
        if path in touched
        or (kind is Kind.TEST and (path in changed or path in tested))
        or kind not in (Kind.RULE, Kind.TEST)
    }
    tests = {path for path in wanted if now.kinds[path] is Kind.TEST}
    wanted |= {path.removesuffix("_test.yaml") + ".yaml" for path in tests} & raw.keys()
    same = frozenset(rule.id for rule in project.rules.values() if rule.at.file not in rules)
    chosen = [file for file in files if file.path in wanted or file.path not in now.kinds]
    return Edit(chosen, now, touched, gone, same, is_part=True)


def renew(edit: Edit, project: Project, options: LoadOptions) -> Loaded:
    """The project as it is now, or every problem of what was read for it."""
    loaded = load_project(edit.files, options)
    if loaded.project is None or not edit.is_part:
        return loaded
    part = loaded.project
    old = {name: rule for name, rule in project.rules.items() if name in edit.same}
    twice = [rule for rule in part.rules.values() if _clashes(rule, old)]
    if twice:
        return Loaded(None, tuple(_twice(rule, old[rule.id]) for rule in twice))
    whole = replace(part, rules={**old, **part.rules}, tests={**project.tests, **part.tests})
    return Loaded(whole, loaded.problems)


def _clashes(rule: RuleSpec, others: Mapping[str, RuleSpec]) -> bool:
    return rule.id in others and others[rule.id].at.file != rule.at.file


def _twice(rule: RuleSpec, first: RuleSpec) -> Problem:
    return Problem(rule.at, "R210", {"name": rule.id, "first": first.at.file})


def _kinds(files: Iterable[DeclaredFile]) -> dict[str, Kind]:
    """The kind of each file; one that is of no kind is left out."""
    found = sort_files(files)
    return {part.file.path: kind for kind, parts in found.parts.items() for part in parts}


def _kinds_now(
    before: Declared, files: Sequence[DeclaredFile], changed: set[str]
) -> dict[str, Kind]:
    """The kind of each file there is or was; only what changed is looked at."""
    packs = [file for file in files if file.path.endswith("pack.yaml")]
    if changed & {"pack.yaml", *(p for p in changed if p.endswith("/pack.yaml"))}:
        return {**before.kinds, **_kinds(files)}
    fresh = [file for file in files if file.path in changed]
    return {**before.kinds, **_kinds([*packs, *fresh])}


def _untouched(
    project: Project,
    rules: Collection[str],
    changed: Collection[str],
    kinds: Mapping[str, Kind],
) -> frozenset[str]:
    """Rules that are what they were though other things than rules changed too."""
    beside = {path for path in changed if kinds.get(path) not in _HARMLESS}
    is_overridden = Kind.OVERRIDE in kinds.values()
    if is_overridden or any(kinds.get(path) is not Kind.ROWS for path in beside):
        return frozenset()
    stirred = {
        name
        for name, spec in project.table_specs.items()
        if any(path.rsplit("/", 1)[-1] == spec.file for path in beside)
    }
    return frozenset(
        rule.id
        for rule in project.rules.values()
        if rule.at.file not in rules
        and ALERTS not in rule.feeds
        and stirred.isdisjoint(tables_of(rule))
    )
