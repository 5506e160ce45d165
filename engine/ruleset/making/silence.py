"""`silence` made ready: the time that counts, and when each key of the roster must report."""

from engine.decode.keys import joined_key
from engine.model.worktime import WorkTime
from engine.operators.silence import FOREVER, SilenceLogic, Stint
from engine.operators.specs.silence import SilenceSpec
from engine.ruleset.making.base import Make, Making


def make(when: SilenceSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    during = when.during
    time = (
        None
        if during is None
        else WorkTime(at.project.calendars[during.calendar], during.hours, during.zone)
    )
    calendar, exact = at.project.calendars[when.calendar], when.exact_ms

    def after(start_ms: int) -> int:
        """When a key that reported at an instant has been silent for too long."""
        if not exact:
            return calendar.add(start_ms, when.at_least, when.zone)
        return start_ms + exact if time is None else time.after(start_ms, exact)

    roster = _roster(when, at)
    return lambda host, emit, overflow, owns: SilenceLogic(
        when,
        after,
        None if roster is None else {key: one for key, one in roster.items() if owns(key)},
        at.judge(emit, overflow),
        host,
        at.codec,
    )


def _roster(when: SilenceSpec, at: Making) -> dict[str, tuple[Stint, ...]] | None:
    """For each key of the roster the stints in which it must report; None without a roster."""
    expected = when.expected
    if expected is None:
        return None
    table = at.project.tables[expected.table]
    found: dict[str, tuple[Stint, ...]] = {}
    for key in table.keys():  # noqa: SIM118 - a table is no dict
        stints = []
        for row in table.of_key(key):
            start = row.get(expected.start)
            end = row.get(expected.end) if expected.end else None
            if start is not None:
                stints.append(Stint(start, FOREVER if end is None else end, row))
        if stints:
            found[joined_key(key)] = tuple(sorted(stints, key=lambda stint: stint[:2]))
    return found
