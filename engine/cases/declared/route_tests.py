"""Route tests: the facts of an alert at an instant, and where it must go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.cases.declared.around import Around
from engine.cases.declared.build_mutes import instant_ms
from engine.cases.declared.schema_test import (
    RouteTestAlertModel,
    RouteTestExpectModel,
    RouteTestModel,
    RouteTestsModel,
)
from engine.cases.model import Incident, Member, State, Tier
from engine.cases.policy import Branch, Policy
from engine.errors import Location
from engine.model.change import Change, Transition
from engine.ruleset.document import Path
from engine.ruleset.notes import Notes
from engine.ruleset.templates import Template

ZONE = "Asia/Shanghai"
Expected = str | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RouteTest:
    """One alert at one instant, and what must come of it.

    Attributes:
        now_ms: The desk's own time, UTC ms.
        open: Cases that are open then, for inhibitions.
        expected: What is looked at, by its key in the file; `due.<stage>` for a limit.
        places: Where each expectation stands.

    """

    name: str
    at: Location
    alert: Change
    now_ms: int
    open: tuple[Incident, ...]
    expected: Mapping[str, Expected]
    places: Mapping[str, Location]


def read_tests(
    model: RouteTestsModel, notes: Notes, policy: Policy, around: Around
) -> list[RouteTest]:
    """The tests of one file; names in them that nothing declares are noted."""
    found: list[RouteTest] = []
    taken: dict[str, int] = {}
    for index, one in enumerate(model.route_tests):
        path: Path = ("route_tests", index)
        if one.name in taken:
            line = notes.document.at(("route_tests", taken[one.name], "name")).line
            notes.add((*path, "name"), "D304", name=one.name, line=line)
        taken.setdefault(one.name, index)
        found.append(_test(one, notes, policy, around, path))
    return found


def _test(
    model: RouteTestModel, notes: Notes, policy: Policy, around: Around, path: Path
) -> RouteTest:
    now_ms = instant_ms(model.time, ZONE)
    expected = dict(_expected(model.expect))
    if not expected:
        notes.add((*path, "expect"), "D305", at_key=True)
    _check(model.expect, notes, policy, (*path, "expect"))
    for here, one in (((*path, "alert"), model.alert), *_others(model, path)):
        if around.project is not None:
            notes.known(one.rule, around.rules, "D301", (*here, "rule"))
    return RouteTest(
        name=model.name,
        at=notes.document.at((*path, "name")),
        alert=alert_of(model.alert, around, now_ms),
        now_ms=now_ms,
        open=tuple(_incident(one, around, now_ms, n) for n, one in enumerate(model.open)),
        expected=expected,
        places={name: notes.document.at((*path, "expect", *name.split("."))) for name in expected},
    )


def _others(model: RouteTestModel, path: Path) -> Iterator[tuple[Path, RouteTestAlertModel]]:
    for index, one in enumerate(model.open):
        yield (*path, "open", index), one


def _expected(model: RouteTestExpectModel) -> Iterator[tuple[str, Expected]]:
    """What a test says, key by key."""
    for name in RouteTestExpectModel.model_fields:
        value = getattr(model, name)
        if name == "due" or value is None:
            continue
        yield name, tuple(value) if isinstance(value, list) else value
    for stage, text in model.due.items():
        yield f"due.{stage}", text


def _check(model: RouteTestExpectModel, notes: Notes, policy: Policy, path: Path) -> None:
    """Whether what a test expects exists at all."""
    offices = policy.departments
    routes = {name for name, _ in branch_paths(policy.root)}
    mutes = [f"inhibition:{one.name}" for one in policy.inhibitions]
    mutes += [f"maintenance:{one.name}" for one in policy.maintenance]
    for name, names, code in (
        ("route", routes, "D302"),
        ("lead", offices, "D106"),
        ("host", offices, "D106"),
        ("centre", policy.centres, "D114"),
        ("timing", policy.timings, "D107"),
        ("quiet", mutes, "D308"),
    ):
        value = getattr(model, name)
        if isinstance(value, str):
            notes.known(value, names, code, (*path, name))
    for index, one in enumerate(model.assisting or ()):
        notes.known(one, offices, "D106", (*path, "assisting", index))


def branch_paths(root: Branch) -> Iterator[tuple[str, tuple[Branch, ...]]]:
    """Every branch of a tree as decisions call it, with the branches down to it."""
    yield root.name, (root,)
    stack: list[tuple[Branch, ...]] = [(root, child) for child in reversed(root.children)]
    while stack:
        chain = stack.pop()
        yield "/".join(one.name for one in chain[1:]), chain
        stack += [(*chain, child) for child in reversed(chain[-1].children)]


def alert_of(model: RouteTestAlertModel, around: Around, now_ms: int) -> Change:
    """An alert with the facts that are given, and for the others what its rule says."""
    rule = around.rules.get(model.rule)
    own = _labels(rule.labels) if rule is not None else {}
    return Change(
        delivery_id="",
        episode_id=f"test:{model.rule}:{model.key}",
        rule=model.rule,
        rule_hash="",
        key=model.key,
        transition=Transition.FIRED,
        ordinal=1,
        at_ms=now_ms,
        since_ms=now_ms,
        severity=model.severity or (str(rule.severity) if rule is not None else "blue"),
        title=dict(rule.title) if rule is not None else {},
        labels={**own, **model.labels},
        lon=float(model.at[0]) if model.at else None,
        lat=float(model.at[1]) if model.at else None,
        dispatch=model.dispatch or (rule.dispatch if rule is not None else ""),
        pack=model.pack or (rule.pack if rule is not None else ""),
        owner=rule.owner if rule is not None else "",
    )


def _labels(labels: Mapping[str, Template]) -> dict[str, str]:
    """The labels of a rule that are the same for all its alerts."""
    return {name: one.text for name, one in labels.items() if not one.names}


def _incident(model: RouteTestAlertModel, around: Around, now_ms: int, number: int) -> Incident:
    """An open case with one alert."""
    alert = alert_of(model, around, now_ms)
    member = Member(
        episode=f"open:{number}",
        rule=alert.rule,
        pack=alert.pack,
        key=alert.key,
        severity=alert.severity,
        since_ms=now_ms,
        at_ms=now_ms,
        ordinal=1,
        joined_ms=now_ms,
    )
    return Incident(
        id=f"open:{number}",
        number=str(number),
        state=State.DISPATCHED,
        version=1,
        group="",
        route="",
        tier=Tier.CITY,
        severity=alert.severity,
        opened_ms=now_ms,
        updated_ms=now_ms,
        area=alert.labels.get("area", ""),
        labels=alert.labels,
        dispatch=alert.dispatch,
        members=(member,),
    )
