"""`deadline` made ready: its events, its needs, and the rows of its roster."""

from collections.abc import Mapping
from typing import Any

from engine.alerts.context import Names
from engine.decode.keys import joined_key
from engine.operators.deadline import DeadlineLogic
from engine.operators.deadline_clock import NeedTest, Parts
from engine.operators.specs.base import EventTest
from engine.operators.specs.deadline import DeadlineSpec
from engine.ruleset.making.base import Make, Making


def make(when: DeadlineSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""

    def scope(key: str, event: Any, at_ms: int, facts: Mapping[str, Any]) -> Names:
        names = at.names(key, event, at_ms)
        names.update(facts)
        return names

    roles: dict[str, EventTest | None] = {
        "start": when.start,
        "while": when.while_,
        "pause": when.pause,
        "resume": when.resume,
        "cancel": when.cancel,
    }
    tests = {role: at.test(test) for role, test in roles.items() if test is not None}
    needs = [
        NeedTest(*at.test(need.test), at.maybe(need.sum_of), at.maybe(need.reach), need.name)
        for need in when.needs
    ]
    rows: list[tuple[str, int, Mapping[str, Any]]] = []
    if when.roster is not None:
        table = at.project.tables[when.roster.table]
        rows = [
            (joined_key(key), row[when.roster.start], row)
            for key in table.keys()  # noqa: SIM118 - a table is no dict
            for row in table.of_key(key)[-1:]
            if row.get(when.roster.start) is not None
        ]
    return lambda host, emit, overflow, owns: DeadlineLogic(
        when,
        Parts(needs, tests),
        at.rule.levels,
        at.project.calendars[when.calendar],
        [row for row in rows if owns(row[0])],
        scope,
        at.judge(emit, overflow),
        host,
        at.codec,
    )
