"""What is allowed about a desk but probably not meant."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from engine.cases.areas import Areas
from engine.cases.declared.around import Around
from engine.cases.declared.build import Names
from engine.cases.declared.shadow import impossible, shadowed
from engine.cases.match import fits
from engine.cases.model import Stage, Tier
from engine.cases.policy import Branch, Limit, Match, Policy, Timing
from engine.model.calendar import CalendarEnd
from engine.model.period import PeriodUnit
from engine.model.severity import Severity
from engine.ruleset.document import Path
from engine.ruleset.notes import Notes
from engine.ruleset.spec import RuleSpec, Status


def doubt_routes(policy: Policy, paths: dict[str, Path], notes: Notes, around: Around) -> None:
    """Branches that nothing reaches, that nobody hears of, or that ask what no rule says."""
    areas = Areas(policy.centres)
    for branch, earlier in shadowed(policy.root, areas):
        notes.add((*paths[branch.name], "route"), "D201", name=branch.name, earlier=earlier.name)
    for branch, part, outer in impossible(policy.root, areas):
        key = part.split(".")
        path = (*paths[branch.name], "when", *key)
        notes.add(path, "D202", at_key=True, name=branch.name, part=part, outer=outer.name)
    for chain in _chains(policy.root):
        _branch(policy, chain, paths[chain[-1].name], notes, areas)
    if around.project is not None:
        _rules(policy, paths, notes, around)


def _chains(branch: Branch, above: tuple[Branch, ...] = ()) -> Iterator[tuple[Branch, ...]]:
    chain = (*above, branch)
    yield chain
    for child in branch.children:
        yield from _chains(child, chain)


def _branch(
    policy: Policy, chain: tuple[Branch, ...], path: Path, notes: Notes, areas: Areas
) -> None:
    """Whether anybody hears of what a branch decides, and whether what it says has an effect."""
    branch = chain[-1]
    lead = _last(chain, "lead")
    departments = [policy.departments.get(str(name)) for name in (lead, _last(chain, "host"))]
    told = [one for one in departments if one is not None and one.sinks]
    centres = [one for one in policy.centres.values() if one.sinks]
    if not told and not centres and not _last(chain, "sinks") and not _last(chain, "refer"):
        notes.add((*path, "lead") if branch.lead else path, "D124", name=branch.name)
    for role in ("lead", "host"):
        one = policy.departments.get(str(getattr(branch, role)))
        asked = branch.match.areas
        if one is not None and one.areas and asked and not _overlap(asked, one.areas, areas):
            notes.add((*path, role), "D215", name=one.id, areas=", ".join(asked))
    if branch.lift_from and _last(chain, "tier") is Tier.CITY:
        notes.add((*path, "lift_from"), "D212")


def _overlap(asked: tuple[str, ...], given: tuple[str, ...], areas: Areas) -> bool:
    return any(
        one in areas.within(other) or other in areas.within(one) for one in asked for other in given
    )


def _last(chain: tuple[Branch, ...], name: str) -> object:
    values = [getattr(one, name) for one in chain]
    return next((value for value in reversed(values) if value is not None), None)


def _rules(policy: Policy, paths: dict[str, Path], notes: Notes, around: Around) -> None:
    """What branches ask of rules that no rule answers, and packs that only the default has."""
    rules = [one for one in around.rules.values() if one.status is not Status.RETIRED]
    for chain in _chains(policy.root):
        branch = chain[-1]
        meant = [rule for rule in rules if all(_may(one.match, rule) for one in chain)]
        least = branch.match.min_severity
        if meant and least and max(_top(rule) for rule in meant) < Severity(least).rank:
            path = (*paths[branch.name], "when", "min_severity")
            notes.add(path, "D219", name=branch.name, severity=least)
        for label in branch.match.labels:
            if meant and not any(label in rule.labels for rule in meant):
                path = (*paths[branch.name], "when", "labels", label)
                notes.add(path, "D220", at_key=True, name=label)
    project = around.project
    for pack in sorted(project.packs) if project is not None and policy.root.children else ():
        owned = [rule for rule in rules if rule.pack == pack and rule.dispatch]
        branches = [one for one in policy.root.children if not one.go_on]
        if owned and not any(_may(one.match, rule) for one in branches for rule in owned):
            notes.add(("branches",), "D216", at_key=True, name=pack)


def _may(match: Match, rule: RuleSpec) -> bool:
    """Whether alerts of a rule may meet a match, as far as the rule says."""
    return not (
        (match.rules and not any(fits(one, rule.id) for one in match.rules))
        or (match.packs and rule.pack not in match.packs)
        or (match.dispatch and rule.dispatch not in match.dispatch)
    )


def _top(rule: RuleSpec) -> int:
    return max((rule.severity.rank, *(level.severity.rank for level in rule.levels)))


def doubt_unused(policy: Policy, names: Names, notes: dict[str, Notes]) -> None:
    """Departments, limits and hours that nothing names."""
    for name, one in policy.departments.items():
        if ("department", name) not in names.used:
            notes["departments"].add(("departments", name), "D207", at_key=True, name=name)
        elif not one.sinks:
            notes["departments"].add(("departments", name), "D206", at_key=True, name=name)
    for name in policy.timings:
        if ("timing", name) not in names.used:
            notes["timings"].add(("timings", name), "D208", at_key=True, name=name)
    for name in names.hours:
        if ("hours", name) not in names.used:
            notes["timings"].add(("hours", name), "D209", at_key=True, name=name)


def doubt_calendars(policy: Policy, notes: Notes, around: Around) -> None:
    """Limits that cannot be counted from today on, or only just: the calendar ends."""
    if around.today is None:
        return
    for name, timing in policy.timings.items():
        for stage, limit in timing.limits.items():
            _counted(name, timing, stage, limit, notes, around.today)


def _counted(
    name: str, timing: Timing, stage: Stage, limit: Limit, notes: Notes, today: date
) -> None:
    if limit.hours is None:
        return
    zone = ZoneInfo(limit.hours.zone)
    start = datetime.combine(today, time(12), zone).astimezone(UTC)
    start_ms = round(start.timestamp() * 1000)
    calendar = limit.hours.calendar
    path = ("timings", name, "limits", str(stage))
    try:
        calendar.is_workday(today)
        if any(unit is not PeriodUnit.MS for _, unit in limit.period.parts):
            due_ms = calendar.add(start_ms, limit.period, limit.hours.zone)
            for rung in timing.ladder.get(stage, ()):
                calendar.add(due_ms, rung.after, limit.hours.zone)
    except CalendarEnd:
        ended = today > calendar.until
        code, until = "D128" if ended else "D211", calendar.until.isoformat()
        within = limit.period.text
        notes.add(path, code, at_key=True, calendar=calendar.name, until=until, within=within)
