"""How far a crossing is: on which side of each edge the key is, and for how long."""

from engine.model.progress import Progress, Step
from engine.operators.cross import CrossLogic
from engine.operators.cross_sides import COUNTS, INSIDE, LASTED, RUN, SINCE, Side
from engine.operators.specs.cross import How
from engine.operators.towards.base import Sight, tried


def cross(logic: CrossLogic, key: str, at_ms: int, sight: Sight) -> list[Progress]:
    """Each zone the key is in or near, and each line it has not settled."""
    track, found = logic.keys.get(key), {"layer": logic.spec.layer}
    if track is None:
        return [tried(logic.life, key, "", at_ms, [Step("cross-fix", met=False)])]
    names = sorted({*track.sides, *track.hits, *logic.life.open.get(key, {})})
    names = [name for name in names if name in logic.places]
    if not names:
        steps = [Step("cross-fix", True, at_ms=track.at), Step("cross-near", False, found=found)]
        return [tried(logic.life, key, "", at_ms, steps)]
    tries: list[Progress] = []
    for name in names:
        side, place = track.sides.get(name), logic.places[name]
        if name in track.hits or side is None:
            passed = {"zone": place.record["name"] or name}
            steps = [Step("cross-passed", True, at_ms=track.hits.get(name, at_ms), found=passed)]
        elif place.contains is None:
            steps = _line(logic, name, side)
        else:
            steps = _zone(logic, name, side, at_ms)
        if logic.only_while is not None and sight.event is not None:
            steps.append(Step("cross-while", logic.meant(key, place, sight.event, at_ms)))
        tries.append(tried(logic.life, key, name, at_ms, steps))
    return tries


def _line(logic: CrossLogic, name: str, side: Side) -> list[Step]:
    """A line that was crossed, but not left behind far enough."""
    found = {"zone": logic.places[name].record["name"] or name}
    wanted = logic.spec.direction
    steps = [Step("cross-over", side[0] != 0, found=found)]
    if wanted:
        steps.append(Step("cross-direction", (side[0] > 0) == (wanted > 0), found=found))
    met = side[1] >= logic.spec.fixes
    return [*steps, Step("cross-settled", met, side[1], logic.spec.fixes)]


def _zone(logic: CrossLogic, name: str, side: Side, at_ms: int) -> list[Step]:
    """A zone that the key is in, about to be in, or has left."""
    spec, fixes = logic.spec, logic.spec.fixes
    found = {"zone": logic.places[name].record["name"] or name}
    inside = Step("cross-inside", bool(side[INSIDE]), at_ms=side[SINCE], found=found)
    if spec.how is How.ENTERS:
        steps = [inside]
        if not side[INSIDE]:
            steps = [Step("cross-settled", False, side[RUN], fixes), inside]
        if not side[COUNTS]:
            steps.append(Step("cross-counts", met=False, found=found))
        return [*steps, *_held(logic, at_ms - side[SINCE])]
    lasted = side[LASTED]
    left = not side[INSIDE] and lasted is not None
    steps = [Step("cross-left", left, at_ms=side[SINCE], found=found)]
    if side[INSIDE] and side[RUN]:
        steps = [Step("cross-settled", False, side[RUN], fixes), *steps]
    if left and not side[COUNTS]:
        steps.append(Step("cross-counts", met=False, found=found))
    return [*steps, *_held(logic, lasted if left else at_ms - side[SINCE])]


def _held(logic: CrossLogic, inside_ms: int) -> list[Step]:
    """How long it must be, or have been, inside."""
    need = logic.spec.at_least_ms
    if not need:
        return []
    return [Step("cross-held", inside_ms >= need, min(inside_ms, need), need, "ms")]
