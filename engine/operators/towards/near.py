"""How far a gathering, or a lost escort, is: who is there, how many of how many, for how long."""

from engine.model.progress import Progress, Step
from engine.operators.near import Member, NearLogic
from engine.operators.near_apart import ApartLogic
from engine.operators.near_cells import CellsLogic
from engine.operators.scatter import ScatterLogic
from engine.operators.towards.base import Sight, alert_steps, tried


def scattered(logic: ScatterLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """Whether the key takes part at all."""
    seen = logic.keys.get(key)
    if seen is None:
        return [Progress("", (Step("near-here", met=False),))]
    found = {"lon": seen.lon, "lat": seen.lat, "ago_ms": at_ms - seen.last}
    return [Progress("", (Step("near-here", True, at_ms=seen.last, found=found),))]


def in_cells(logic: CellsLogic, key: str, _at_ms: int, _sight: Sight) -> list[Progress]:
    """How many keys are near it, of all kinds and of each."""
    spec = logic.spec
    for full in logic.keys.values():
        member = full.members.get(key)
        if member is None or not member.home:
            continue
        if spec.apart is not None:
            return []
        count = sum(member.counts)
        found = {"radius_m": spec.radius_m}
        steps = [Step("near-count", count >= spec.count, count, spec.count, found=found)]
        for kind, have, need in zip(spec.kinds, member.counts, logic.needs, strict=False):
            steps.append(Step("near-kind", have >= need, have, need, found={"kind": kind.name}))
        return [Progress("", tuple(steps))]
    return []


def gathered(logic: NearLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """How long the key has been together with enough others; and what it founded."""
    tries = [
        tried(logic.life, key, part, at_ms, [_held(logic, int(part), at_ms)])
        for part in sorted(logic.life.open.get(key, {}))
    ]
    member = logic.all.get(key)
    if tries or member is None:
        return tries
    if member.since is None:
        return [Progress("", (Step("near-together", met=False),))]
    steps = [Step("near-together", met=True, at_ms=member.since)]
    if member.lack is not None:
        lack, tolerated = at_ms - member.lack, logic.spec.outside_ms
        steps.append(Step("near-lack", lack < tolerated, lack, tolerated, "ms", member.lack))
    leader = _leader(logic, member)
    leads = leader.leads
    if leads is None:
        return [Progress("", (*steps, _held(logic, member.since, at_ms)))]
    if leads.founder != key:
        steps.append(Step("near-led", met=True, found={"leader": leads.founder}))
    steps.append(_held(logic, leads.since, at_ms))
    told = alert_steps(logic.life, leads.founder, leads.part, at_ms)
    return [Progress("", (*steps, *told))]


def _leader(logic: NearLogic, member: Member) -> Member:
    """Who leads the gathering around a member."""
    around = [one for one in logic.qualified.within(*member.pin) if one.leads is not None]
    return min(around, key=lambda one: one.rank, default=member)


def _held(logic: NearLogic, since: int, at_ms: int) -> Step:
    held, need = at_ms - since, logic.spec.at_least_ms
    return Step("near-held", held >= need, min(held, need), need, "ms", since)


def apart(logic: ApartLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """Whether the key had an escort, and for how long it has had none."""
    ward, need = logic.all.get(key), logic.spec.at_least_ms
    if ward is None or not ward.here:
        return [Progress("", (Step("near-escorted", met=False),))]
    steps = [Step("near-escorted", ward.had)]
    if ward.had and ward.lost is None:
        steps.append(Step("near-escort-there", met=False))
    elif ward.lost is not None:
        held = at_ms - ward.lost
        steps.append(Step("near-apart", held >= need, min(held, need), need, "ms", ward.lost))
    return [tried(logic.life, key, "", at_ms, steps)]
