"""How the neighbours of a key that moves are found fastest: cells in a dict, or a live R-tree.

    python -m benchmarks.near_index [--moves 2000] [--seed 1]

Members stand at random in one map cell of 2,048 m and one after the other moves by up to 100 m;
each move asks for everybody within 200 m before and after, as `near` does. Both answer the same,
which is checked, and take turns, so that a slow moment of the machine hits both.
"""

import argparse
import random
import time
from collections.abc import Callable
from math import cos, radians

from rtree.index import Index

from engine.geo.distance import M_PER_DEGREE, make_far
from engine.operators.near_crowd import Crowd

RADIUS_M, CELL_M, STEP_M, LAT = 200.0, 2048.0, 100.0, 32.0
SIZES = (10, 1_000, 10_000)
Place = tuple[float, float]
Move = Callable[[int, Place, Place], list[int]]


def placed(east: float, north: float) -> Place:
    return 120.9 + east / (M_PER_DEGREE * cos(radians(LAT))), LAT + north / M_PER_DEGREE


def by_cells(members: list[Place]) -> Move:
    crowd: Crowd[int] = Crowd(RADIUS_M)
    for number, (lon, lat) in enumerate(members):
        crowd.put(str(number), lon, lat, number)

    def move(number: int, before: Place, after: Place) -> list[int]:
        found = crowd.within(*before)
        crowd.put(str(number), *after, number)
        return sorted(found) + sorted(crowd.within(*after))

    return move


def by_rtree(members: list[Place]) -> Move:
    tree, where, far = Index(), dict(enumerate(members)), make_far(RADIUS_M)
    high = RADIUS_M * 1.001 / M_PER_DEGREE
    wide = high / cos(radians(LAT + 0.1))
    for number, (lon, lat) in enumerate(members):
        tree.insert(number, (lon, lat, lon, lat))

    def within(lon: float, lat: float) -> list[int]:
        box = (lon - wide, lat - high, lon + wide, lat + high)
        return sorted(n for n in tree.intersection(box) if not far(lon, lat, *where[n]))

    def move(number: int, before: Place, after: Place) -> list[int]:
        found = within(*before)
        tree.delete(number, (*before, *before))
        tree.insert(number, (*after, *after))
        where[number] = after
        return found + within(*after)

    return move


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--moves", type=int, default=2000)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    print("members   neighbours   cells us/move   R-tree us/move   R-tree / cells")
    for size in SIZES:
        rng = random.Random(asked.seed)
        spots = [(rng.uniform(0, CELL_M), rng.uniform(0, CELL_M)) for _ in range(size)]
        members = [placed(*spot) for spot in spots]
        ways = {"cells": by_cells(members), "rtree": by_rtree(members)}
        spent, near = dict.fromkeys(ways, 0.0), 0
        moves = max(200, asked.moves * 10 // max(10, size // 100))
        for _ in range(moves):
            number = rng.randrange(size)
            east, north = spots[number]
            spots[number] = (
                east + rng.uniform(-STEP_M, STEP_M),
                north + rng.uniform(-STEP_M, STEP_M),
            )
            before, members[number] = members[number], placed(*spots[number])
            answers = []
            for name, way in ways.items():
                begun = time.perf_counter()
                answers.append(way(number, before, members[number]))
                spent[name] += time.perf_counter() - begun
            assert answers[0] == answers[1], "both must see the same neighbours"
            near += len(answers[0]) // 2
        cells, rtree = (spent[name] / moves * 1e6 for name in ("cells", "rtree"))
        times = f"{cells:13.1f}   {rtree:14.1f}   {rtree / cells:14.1f}"
        print(f"{size:7,}   {near / moves:10.1f}   {times}")


if __name__ == "__main__":
    main()
