"""The people of a simulated command centre: what each does about a case next, and when.

Everybody is slow now and then, sends a case back that is not theirs, forgets to sign. What a case
gets is drawn from its id, so a run is the same each time.
"""

import random
from dataclasses import dataclass
from typing import Any

from engine.cases.model import Actor, Incident, Role, Stage, State, Verb

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DUTY = Actor(name="duty-desk", role=Role.OPERATOR)
LEADER = Actor(name="leader", role=Role.APPROVER)


@dataclass(frozen=True, slots=True)
class Plan:
    """Somebody's next step at a case."""

    at_ms: int
    verb: Verb
    actor: Actor
    details: dict[str, Any]
    reason: str = ""


class People:
    """Plans the next step of whoever has a case."""

    def __init__(self, seed: int, departments: list[str]) -> None:
        self._seed, self._departments = seed, departments
        self.lapses = self.returns = 0

    def next(self, incident: Incident, now_ms: int, others: list[str]) -> Plan | None:
        """What happens next to a case as it stands; None when nobody owes anything."""
        chance = random.Random(f"{self._seed}/{incident.id}/{incident.version}")
        lapse = chance.random() < 0.1
        handler = Actor(name=f"{incident.lead}-1", role=Role.HANDLER, department=incident.lead)

        def after(least: int, most: int, late: int) -> int:
            self.lapses += lapse
            return now_ms + (late if lapse else 0) + chance.randint(least, most)

        if incident.paused:
            return Plan(now_ms + chance.randint(2 * HOUR, DAY), Verb.RESUME, DUTY, {})
        match incident.state:
            case State.NEW:
                to = chance.choice(self._departments)
                at_ms = after(MINUTE, 8 * MINUTE, 2 * HOUR)
                return Plan(at_ms, Verb.DISPATCH, DUTY, {"department": to})
            case State.DISPATCHED:
                if incident.returned == 0 and chance.random() < 0.06:
                    self.returns += 1
                    at_ms = now_ms + chance.randint(5, 50) * MINUTE
                    return Plan(at_ms, Verb.RETURN, handler, {}, "不属本部门职责")
                at_ms = after(5 * MINUTE, 110 * MINUTE, 2 * DAY)
                return Plan(at_ms, Verb.ACKNOWLEDGE, handler, {})
            case State.ACKNOWLEDGED:
                return self._on_the_way(incident, chance, handler, after, others)
            case State.HANDLING:
                return Plan(after(HOUR, 18 * HOUR, 16 * DAY), Verb.RESOLVE, handler, _found(chance))
            case State.VERIFYING:
                if incident.terms.call_back and incident.called_back_ms is None:
                    solved = chance.random() < 0.95
                    said = {"satisfied": solved, "solved": solved}
                    return Plan(after(HOUR, 20 * HOUR, 3 * DAY), Verb.CALL_BACK, DUTY, said)
                return self._proving(incident, after)
            case State.CLOSED | State.MERGED:
                return None

    def _proving(self, incident: Incident, after: Any) -> Plan:
        """The duty desk judges; where no evidence has come by the limit, it decides without."""
        passed = any(
            one.stage is Stage.VERIFY and one.overdue_ms is not None for one in incident.clocks
        )
        verdict, why = incident.proposed or "true", "核查属实与否见回执"
        if passed and incident.verified_ms is None:
            verdict, why = "elsewhere", "核验时限已过，预警未解除，移交有关单位"
        at_ms = after(20 * MINUTE, 12 * HOUR, 9 * DAY)
        return Plan(at_ms, Verb.CLOSE, DUTY, {"verdict": verdict}, why)

    def _on_the_way(
        self,
        incident: Incident,
        chance: random.Random,
        handler: Actor,
        after: Any,
        others: list[str],
    ) -> Plan:
        drawn = chance.random()
        if drawn < 0.03:
            return Plan(after(HOUR, 2 * HOUR, 0), Verb.PAUSE, DUTY, {}, "等待第三方检测结果")
        if drawn < 0.06 and incident.extended_ms is None:
            details = {"stage": "resolve"}
            return Plan(after(HOUR, 2 * HOUR, 0), Verb.EXTEND, LEADER, details, "需现场复核")
        if drawn < 0.08 and others:
            details = {"into": chance.choice(others)}
            return Plan(after(HOUR, 3 * HOUR, 0), Verb.MERGE, DUTY, details, "同一事项")
        if drawn < 0.5:
            return Plan(after(10 * MINUTE, 200 * MINUTE, 9 * HOUR), Verb.ARRIVE, handler, {})
        return Plan(after(HOUR, 20 * HOUR, 20 * DAY), Verb.RESOLVE, handler, _found(chance))


def _found(chance: random.Random) -> dict[str, Any]:
    verdict = chance.choices(["true", "false", "elsewhere"], [60, 30, 10])[0]
    return {"found": "已到现场核查并处置", "verdict": verdict}
