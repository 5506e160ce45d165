"""Whether edited declarations fit what runs: its saved state, and the sources that are open."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from engine.edge.state_tools.file import Row
from engine.edge.state_tools.plan import SHOWN, Does, Line, plan_lines, refusals, rehearsed
from engine.edge.store.rulesets import saved_rows
from engine.errors import Location, Problem, StateError
from engine.feeds.spec import FeedSpec
from engine.ports import Write
from engine.ruleset.compile import Program
from engine.ruleset.spec import Project, RuleSpec

_FIXED = ("format", "key", "id", "time", "position", "null_texts")
"""What a running source was told about its feed, or what events that wait were read by."""


def plan_for(
    path: Path,
    wanted: Mapping[str, Collection[str] | None],
    rules: Mapping[str, RuleSpec],
    program: Program,
) -> tuple[list[Line], list[StateError]]:
    """What becomes of saved rows, and which of them cannot be taken up.

    Args:
        path: The database, read beside its writer.
        wanted: The rules whose rows are concerned, by key space; None means all of them.
        rules: Every rule of the new set.
        program: The new set, compiled.

    """
    if not wanted or not path.is_file():
        return [], []
    return plan_of(saved_rows(path, wanted), rules, program)


def plan_of(
    saved: Mapping[str, Sequence[Write]], rules: Mapping[str, RuleSpec], program: Program
) -> tuple[list[Line], list[StateError]]:
    """What becomes of these rows, by key space, and which of them cannot be taken up."""
    lines = plan_lines(saved, rules, whole=False)
    rows = (
        Row(space, 0, row.rule, row.key, row.value)
        for space, some in saved.items()
        for row in some
        if row.value is not None
    )
    return lines, rehearsed(program, (), rows)


def misfits(
    plan: Sequence[Line],
    project: Project,
    unfit: StateError | Iterable[StateError],
    rule: RuleSpec | None,
) -> list[Problem]:
    """What of a plan keeps the set from becoming live, at the rule that should say something."""
    problems: list[Problem] = []
    for line in [line for line in refusals(plan) if line.does is not Does.GONE]:
        spec = project.rules.get(line.rule.partition("/")[0])
        at = Location("forewarn.yaml") if spec is None else spec.at
        words = {"rule": line.rule, "count": line.keys, "old": line.old[:SHOWN]}
        code = "S122" if line.does is Does.MOVED else "S121"
        problems.append(Problem(at, code, words))
    for error in [unfit] if isinstance(unfit, StateError) else unfit:
        spec = rule or project.rules.get(error.found.get("rule", "").partition("/")[0])
        at = Location("forewarn.yaml") if spec is None else spec.at
        found = {"rule": error.found.get("rule", ""), "key": error.found.get("key", "")}
        problems.append(Problem(at, "S123", found))
    return problems


def restart_needed(old: Project, new: Project, sourced: Collection[str]) -> list[Problem]:
    """Feeds that have a source and were changed in a way that only a restart can follow."""
    problems: list[Problem] = []
    for name in sorted(sourced):
        before, now = old.feeds.get(name), new.feeds.get(name)
        if before is None or now is None:
            continue
        problems += [
            Problem(now.at, "S124", {"feed": name, "what": what}) for what in differ(before, now)
        ]
    return problems


def read_feeds(before: Collection[str], now: Collection[str], project: Project) -> list[Problem]:
    """Feeds with a source of which the first rule came or the last one went."""
    nowhere = Location("forewarn.yaml")
    return [
        Problem(
            project.feeds[name].at if name in project.feeds else nowhere, "S127", {"feed": name}
        )
        for name in sorted(set(before) ^ set(now))
    ]


def differ(before: FeedSpec, now: FeedSpec) -> list[str]:
    """What of a feed has changed by which its records are read, as declarations name it."""
    found = [name for name in _FIXED if getattr(before, name) != getattr(now, name)]
    fields = [
        name
        for name, field in before.fields.items()
        if name in now.fields
        and (field.type, field.unit, field.wire, field.format)
        != (
            now.fields[name].type,
            now.fields[name].unit,
            now.fields[name].wire,
            now.fields[name].format,
        )
    ]
    columns = list(before.fields) != list(now.fields) if now.format == "csv" else False
    return [*found, *(f"fields.{name}" for name in fields), *(["fields"] if columns else [])]
