"""Why a stay was missed or wrongly reported under noise: what the noise did to just that stop.

Reads the disturbed records of one vehicle around one story again (the same seed makes the same
noise) and says how they differ from a stop that is seen well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from simulators.area import metres
from simulators.fleet import Fleet
from simulators.scenario import MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class Sight:
    """How a stop was seen.

    Attributes:
        silence_s: The longest time without a fix during the stop.
        late_s: How long after arrival the first resting fix was seen.
        early_s: How long before departure the last resting fix was seen.
        far_m: The farthest fix from where the stop began.
        lost: Fixes without satellites.

    """

    silence_s: int
    late_s: int
    early_s: int
    far_m: int
    lost: int

    def sentence(self) -> str:
        """The sight in one line."""
        return (
            f"first fix {self.late_s} s after arrival, last fix {self.early_s} s before departure, "
            f"longest silence {self.silence_s} s, farthest fix {self.far_m} m off, "
            f"{self.lost} fixes without satellites"
        )


def sight(world: Fleet, story: Mapping[str, Any]) -> Sight | None:
    """How the stop of a story was seen under the world's noise; None if it was not seen at all.

    Args:
        world: The world the story is from, with its noise.
        story: A story of that world, as `truth.jsonl` has it.

    """
    begin, end = story["begin_ms"], min(story["end_ms"], world.end_ms)
    true_world = replace(world, datum="wgs84")
    times, lost, far = [], 0, 0.0
    for item in true_world.sent(story["also"]["number"]):
        fix = json.loads(item.value)
        if not begin - MINUTE <= item.time_ms <= end + MINUTE or fix["speed"] >= 5:
            continue
        if not fix["located"]:
            lost += 1
            continue
        times.append(item.time_ms)
        far = max(far, metres((fix["lon"], fix["lat"]), tuple(story["place"])))
    if not times:
        return None
    times.sort()
    silence = max((later - earlier for earlier, later in pairwise(times)), default=0)
    return Sight(
        silence_s=silence // SECOND,
        late_s=(times[0] - begin) // SECOND,
        early_s=(end - times[-1]) // SECOND,
        far_m=round(far),
        lost=lost,
    )
