"""Holds what is said of dormant rows against what happens when they are taken up."""

from collections import Counter

from engine.pipeline import Space
from engine.state.codec import pack_row, unpack_row


def check_dormant(space: Space) -> Counter[str]:
    """Assert that dormant rows have the timers that taking them up asks for, and lose nothing.

    Returns:
        How many rows of each operator are dormant.

    """
    fresh, seen = Space(space.program), Counter[str]()
    for number, rows in space.dormant.rows.items():
        stamp, logic = space.program.rules[number].spec.hash, fresh.logics[number]
        for key, value in rows.items():
            logic.load(key, unpack_row(value)[1])
            assert pack_row(stamp, logic.save(key)) == value
        asked = Counter(one for one in space.timers if one[1] == number and one[2] in rows)
        assert asked == Counter(one for one in fresh.timers if one[1] == number)
        seen[type(logic).__name__] += len(rows)
    return seen
