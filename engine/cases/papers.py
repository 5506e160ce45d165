"""The documents that leave the desk: one JSON object a paper, complete in itself.

A receiver needs nothing but the paper: the order's fields (`order`, names of the hotline's own
order systems), the alerts it stands on, what to check on site, and a `notice` in both languages
for sinks that people read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from engine.cases.clocks import foremost
from engine.cases.model import Incident, Move, Paper, PaperKind, Stage, State, paper_id
from engine.cases.notices import Letter as Letter  # noqa: PLC0414 - written here, read together
from engine.cases.notices import notice
from engine.cases.policy import Policy
from engine.model.period import Period, PeriodUnit

ZONE = "Asia/Shanghai"
MOST_ALERTS = 20
"""Alerts that a paper lists; the others are counted."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who hears of a case, by what they are to it."""

    departments: tuple[str, ...] = ()
    centre: tuple[str, ...] = ()
    route: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    extra: tuple[str, ...] = field(default=())

    def owing(self, incident: Incident, stage: Stage) -> tuple[str, ...]:
        """Who owes a stage: the department that has the order, the centre without one.

        That a matter is over is for the centre to prove, once the department has reported.
        """
        if stage is Stage.VERIFY:
            return self.centre or self.departments
        ordered = incident.ordered and incident.lead and incident.state is not State.NEW
        return self.departments if ordered else self.centre

    @property
    def all(self) -> tuple[str, ...]:
        """Every sink once, departments first."""
        whole = (*self.departments, *self.centre, *self.route, *self.outside, *self.extra)
        return tuple(dict.fromkeys(whole))


def recipients(policy: Policy, incident: Incident) -> Recipients:
    """Who hears of a case as it stands: departments of the order, centre, route, outside system."""
    names = (incident.lead, incident.host, *incident.assisting)
    departments = [
        sink
        for name in names
        if name in policy.departments
        for sink in policy.departments[name].sinks
    ]
    centre = policy.centres.get(incident.centre)
    return Recipients(
        departments=tuple(dict.fromkeys(departments)),
        centre=centre.sinks if centre is not None else (),
        route=incident.terms.sinks,
        outside=(incident.terms.refer,) if incident.terms.refer else (),
    )


def written(policy: Policy, incident: Incident, move: Move, letter: Letter) -> Sequence[Paper]:
    """One paper for each of a letter's sinks about the case after a move."""
    sinks = tuple(dict.fromkeys(sink for sink in letter.sinks if sink))
    if not sinks:
        return ()
    whole = document(policy, incident, move, letter)
    papers = []
    for sink in sinks:
        made = paper_id(incident.id, move.ordinal, letter.kind, sink)
        about = list(letter.references)
        if incident.ordered and incident.ordered != move.ordinal:
            about.insert(0, paper_id(incident.id, incident.ordered, PaperKind.ORDER, sink))
        own = {**whole, "id": made, "references": about}
        own["notice"] = {**whole["notice"], "references": about}
        papers.append(
            Paper(
                id=made,
                kind=letter.kind,
                sink=sink,
                group=incident.id,
                at_ms=move.at_ms,
                document=own,
            )
        )
    return papers


def document(policy: Policy, incident: Incident, move: Move, letter: Letter) -> dict[str, Any]:
    """What a paper says, but for its id and what it refers to, which are the sink's own."""
    limit = foremost(incident.clocks)
    return {
        "document": str(letter.kind),
        "why": letter.why,
        "incident": incident.id,
        "number": incident.number,
        "at_ms": move.at_ms,
        "state": str(incident.state),
        "severity": incident.severity,
        "route": incident.route,
        "tier": str(incident.tier),
        "area": incident.area,
        "centre": incident.centre,
        "lead": incident.lead,
        "title": incident.title,
        "summary": incident.summary,
        "labels": incident.labels,
        "place": incident.place,
        "lon": incident.lon,
        "lat": incident.lat,
        "due_ms": None if limit is None else limit.due_ms,
        "move": {
            "ordinal": move.ordinal,
            "verb": str(move.verb),
            "by": move.actor.name,
            "department": move.actor.department,
            "reason": move.reason,
            "details": move.details,
        },
        "order": order(policy, incident),
        "alerts": [msgspec.to_builtins(member) for member in incident.members[-MOST_ALERTS:]],
        "alerts_total": len(incident.members),
        "playbook": {
            "name": incident.playbook,
            "check": incident.check,
            "units": incident.units,
            "offences": incident.offences,
            "basis": incident.basis,
        },
        "notice": notice(policy, incident, move, letter),
    }


def order(policy: Policy, incident: Incident) -> dict[str, Any]:
    """The fields that order systems of the hotline and the grid exchange; times with offset."""
    limit = foremost(incident.clocks)
    first = incident.members[0] if incident.members else None
    declared = policy.timings.get(incident.terms.timing)
    period = None
    if limit is not None and declared is not None and limit.stage in declared.limits:
        period = declared.limits[limit.stage].period
    return {
        "order_id": incident.number,
        "source": "alert",
        "type": first.rule if first is not None else "",
        "urgency": incident.severity,
        "area": incident.area,
        "lead_unit": incident.lead,
        "host_unit": incident.host,
        "co_units": list(incident.assisting),
        "accepted_at": stamp(incident.opened_ms),
        "dispatched_at": stamp(incident.dispatched_ms),
        "signed_at": stamp(incident.signed_ms),
        "arrived_at": stamp(incident.arrived_ms),
        "due_at": stamp(None if limit is None else limit.due_ms),
        "due_stage": "" if limit is None else str(limit.stage),
        "due_unit": "" if period is None else unit_of(period),
        "extended_to": stamp(incident.extended_ms),
        "returned_count": incident.returned,
        "reopened_count": incident.reopened,
        "closed_at": stamp(incident.closed_ms),
        "called_back_at": stamp(incident.called_back_ms),
        "satisfied": incident.satisfied,
        "solved": incident.solved,
        "verdict": None if incident.verdict is None else str(incident.verdict),
        "outside_id": incident.outside,
        "parent_alert_id": first.episode if first is not None else "",
    }


def stamp(at_ms: int | None) -> str | None:
    """An instant as text with the city's offset; None for none."""
    if at_ms is None:
        return None
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(ZONE))
    return local.isoformat(timespec="seconds")


def unit_of(period: Period) -> str:
    """What a limit is counted in: `workdays`, `days`, `months`, or `hours` for exact ones."""
    units = [unit for _, unit in period.parts if unit is not PeriodUnit.MS]
    return str(units[0]) if units else "hours"
