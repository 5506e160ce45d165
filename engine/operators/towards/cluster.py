"""How far a cluster is: how many alike records there are, and until when the oldest counts."""

from engine.model.progress import Progress, Step
from engine.operators.cluster import ClusterLogic, Group, Kept, Records
from engine.operators.towards.base import Sight, tried

_ANCHORS = 200
"""Of so many of the newest free records it is asked how many are alike to each."""


def cluster(logic: ClusterLogic, key: str, at_ms: int, sight: Sight) -> list[Progress]:
    """The key's open clusters, and the largest set of alike records that is none yet."""
    if sight.event is not None:
        reading = logic.read(key, sight.event, at_ms)
        if logic.far is not None and reading.position is None:
            return [tried(logic.life, key, "", at_ms, [Step("cluster-place", met=False)])]
    records = logic.keys.get(key)
    groups = [] if records is None else [_open(logic, key, one, at_ms) for one in records.groups]
    return groups or [_free(logic, key, records, at_ms)]


def _open(logic: ClusterLogic, key: str, group: Group, at_ms: int) -> Progress:
    found = {"until_at": group.last + logic.spec.within_ms}
    need = logic.spec.at_least
    step = Step("cluster-open", True, group.count, need, "", group.since, found)
    return tried(logic.life, key, str(group.anchor.number), at_ms, [step])


def _free(logic: ClusterLogic, key: str, records: Records | None, at_ms: int) -> Progress:
    spec = logic.spec
    oldest = at_ms - spec.within_ms
    free = [] if records is None else [one for one in records.free if one.at_ms > oldest]
    best: list[Kept] = []
    for anchor in free[-_ANCHORS:]:
        alike = [one for one in free if logic.alike(anchor, one)]
        if _size(alike) > _size(best):
            best = alike
    found = {"within_ms": spec.within_ms}
    if not best:
        none = Step("cluster-none", False, 0, spec.at_least, found=found)
        return tried(logic.life, key, "", at_ms, [none])
    found["until_at"] = best[0].at_ms + spec.within_ms
    size = _size(best)
    met = size >= spec.at_least
    return tried(
        logic.life, key, "", at_ms, [Step("cluster-alike", met, size, spec.at_least, found=found)]
    )


def _size(records: list[Kept]) -> int:
    """How many callers there are, or records where all of them count."""
    return len({one.who or one.number for one in records})
