"""Which units of work the partitions of a worker make up."""

import structlog
from faust.types import TP

from engine.edge.streaming.evaluator import Evaluator
from engine.edge.streaming.kit import Kit, Unit
from engine.edge.streaming.router import Router

log = structlog.get_logger("streaming")


def units_for(kit: Kit, places: set[TP]) -> dict[str, Unit]:
    """The units that can work on these partitions; one that lacks an input is refused loudly."""
    layout = kit.layout
    units: dict[str, Unit] = {}
    for space in layout.spaces.values():
        for partition in range(space.partitions):
            evaluator = Evaluator(kit, space, partition)
            held = places.intersection(evaluator.inputs)
            if len(held) == len(evaluator.inputs):
                units[evaluator.name] = evaluator
            elif held:
                lacking = [str(place) for place in evaluator.inputs if place not in held]
                log.error("not-co-partitioned", unit=evaluator.name, lacking=lacking)
        if not space.direct:
            for feed in kit.program.spaces[space.name].outside:
                for place in places:
                    if place.topic == layout.feeds[feed]:
                        router = Router(kit, space, feed, place.partition)
                        units[router.name] = router
    return units
