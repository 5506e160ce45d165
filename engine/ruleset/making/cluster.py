"""`cluster` made ready: what is read of a record, and when two are near."""

from typing import Any

from engine.geo.distance import make_far
from engine.operators.cluster import ClusterLogic, Reading
from engine.operators.specs.cluster import ClusterSpec
from engine.ruleset.making.base import Make, Making


def make(when: ClusterSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    far = None if when.radius_m is None else make_far(when.radius_m)
    text, distinct = at.maybe(when.text), at.maybe(when.distinct)
    position = at.words.surroundings.position

    def read(key: str, event: Any, at_ms: int) -> Reading:
        """Place, text and caller of a record."""
        names = at.names(key, event, at_ms)
        return Reading(
            position(event),
            None if text is None else text(event, names),
            None if distinct is None else distinct(event, names),
        )

    return lambda host, emit, overflow, _owns: ClusterLogic(
        when, far, read, at.judge(emit, overflow), host, at.codec
    )
