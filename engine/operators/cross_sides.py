"""On which side of an edge a key is: settled only by fixes that leave no doubt.

fixes      o   o  |x  o|  x  x      | the edge, margin around it
side       out out in  in in in      a fix near the edge, outside, settles nothing
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from engine.geo.passing import Path, Position, Step
from engine.operators.specs.cross import CrossSpec


class Move(IntEnum):
    """What a fix shows about one zone or line."""

    NOTHING = 0
    ENTERED = 1
    LEFT = 2
    THROUGH = 3


class Place(NamedTuple):
    """One zone or line of the layer, as the operator looks at it.

    Attributes:
        record: Its attributes, id and name.
        path: Its edges.
        contains: Whether it holds a position; None for a line.

    """

    id: str
    record: dict[str, Any]
    path: Path
    contains: Callable[[float, float], bool] | None


Side = list[Any]
"""Of a zone: [inside, since, run, counts, lasted]. Of a line: [net, run].

`since`: first fix of the stay, or of the time outside; `run`: fixes in a row that say otherwise;
`counts`: what it did is what the rule means; `lasted`: how long it had been inside when it left.
"""

INSIDE, SINCE, RUN, COUNTS, LASTED = range(5)


class Sides:
    """How fixes move a key across the edges of a layer, by what the rule declares."""

    def __init__(self, spec: CrossSpec) -> None:
        self.spec = spec

    def zone(
        self, sides: dict[str, Side], place: Place, at_ms: int, step: Step | None, here: Position,
        *, known: bool,
    ) -> tuple[Move, Position]:  # fmt: skip
        """Take one fix for one zone; answers what it shows, and where that was.

        Args:
            sides: The key's sides, by zone; changed here.
            place: The zone.
            at_ms: Time of the fix.
            step: The way from the last fix, if it is believed.
            here: The fix.
            known: Whether the key had a fix before.

        """
        spec, side = self.spec, sides.get(place.id)
        inside = place.contains is not None and place.contains(*here)
        if side is None or not side[INSIDE]:
            if inside:
                return self._outside_in(sides, place, side, at_ms, here, known=known)
            if side is not None:
                self._still_outside(sides, place, side)
            elif step is not None and self._through(place, step):
                return Move.THROUGH, place.path.touched(step) or here
            return Move.NOTHING, here
        if inside:
            side[RUN] = 0
            return Move.NOTHING, here
        if place.path.near(here, spec.margin_m):
            side[RUN] = 0
            return Move.NOTHING, here
        side[RUN] += 1
        if side[RUN] < spec.fixes:
            return Move.NOTHING, here
        side[:] = [False, at_ms, 0, side[COUNTS], at_ms - side[SINCE]]
        return Move.LEFT, here

    def _outside_in(
        self, sides: dict[str, Side], place: Place, side: Side | None, at_ms: int, here: Position,
        *, known: bool,
    ) -> tuple[Move, Position]:  # fmt: skip
        """A fix inside, of a key that was not known to be inside."""
        if side is None or not side[RUN]:
            counts = known or self.spec.first_counts
            lasted = None if side is None else side[LASTED]
            side = sides[place.id] = [False, at_ms, 0, counts, lasted]
        side[RUN] += 1
        if side[RUN] < self.spec.fixes:
            return Move.NOTHING, here
        side[INSIDE], side[RUN] = True, 0
        return Move.ENTERED, here

    def _still_outside(self, sides: dict[str, Side], place: Place, side: Side) -> None:
        """A fix outside, of a key that was on its way in or has left."""
        if side[LASTED] is None:
            del sides[place.id]
        else:
            side[RUN] = 0

    def _through(self, place: Place, step: Step) -> bool:
        """Whether the way between two fixes outside led through a zone, and not along its edge."""
        if place.path.touched(step) is None:
            return False
        margin = self.spec.margin_m
        return not (place.path.near(step.begin, margin) or place.path.near(step.end, margin))

    def line(
        self, sides: dict[str, Side], place: Place, step: Step | None, here: Position
    ) -> tuple[Move, Position]:
        """Take one fix for one line; a passage counts when the other side is settled."""
        if step is None:
            sides.pop(place.id, None)
            return Move.NOTHING, here
        net, where = place.path.net(step)
        side = sides.get(place.id)
        if side is None:
            if not net:
                return Move.NOTHING, here
            side = sides[place.id] = [0, 0, list(where or here)]
        side[0] += net
        near = place.path.near(here, self.spec.margin_m)
        if side[0] == 0:
            if not near:
                del sides[place.id]
            side[1] = 0
            return Move.NOTHING, here
        side[1] += 1
        if near or side[1] < self.spec.fixes:
            return Move.NOTHING, here
        del sides[place.id]
        wanted = self.spec.direction
        if wanted and (side[0] > 0) != (wanted > 0):
            return Move.NOTHING, here
        return Move.THROUGH, (side[2][0], side[2][1])
