"""How far a match is: how many events of how many, and when the oldest of them counts no more."""

from engine.model.progress import Progress, Step
from engine.operators.match import MatchLogic
from engine.operators.towards.base import Sight, tried


def match(logic: MatchLogic, key: str, at_ms: int, sight: Sight) -> list[Progress]:
    """Whether the event at hand meets the condition, and how many did lately."""
    spec, hits = logic.spec, logic.keys.get(key)
    steps: list[Step] = []
    if sight.event is not None:
        names = None if logic.extras is None else logic.extras(key, sight.event, at_ms)
        told = logic.condition(sight.event, names)
        steps.append(Step("match-condition", met=told is True))
    elif spec.count <= 1:
        steps.append(Step("match-condition", met=hits is not None and hits.holding))
    if spec.count > 1:
        times = [] if hits is None else hits.times
        recent = [time for time in times if time > at_ms - spec.within_ms]
        holding = hits is not None and hits.holding
        oldest = {"until_at": recent[0] + spec.within_ms} if recent else {}
        found = {"within_ms": spec.within_ms, **oldest}
        have = spec.count if holding else len(recent)
        name = "match-times" if recent else "match-times-none"
        steps.append(Step(name, have >= spec.count, have, spec.count, found=found))
    return [tried(logic.life, key, "", at_ms, steps)]
