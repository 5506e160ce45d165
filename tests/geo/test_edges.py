"""The exact test: signs never depend on rounding, least of all near the origin of the map."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geo.edges import Outline, encloses

Position = tuple[float, float]

SMALL = st.floats(-1, 1) | st.floats(-1e-3, 1e-3) | st.sampled_from([0.0, 0.1, -0.1, 0.3, 1.0])
PLACES = st.tuples(SMALL, SMALL)


def turn(a: Position, b: Position, c: Position) -> int:
    """1 for a left turn, -1 for a right turn, 0 for none, in exact arithmetic."""
    (ax, ay), (bx, by), (cx, cy) = (tuple(map(Fraction, place)) for place in (a, b, c))
    size = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (size > 0) - (size < 0)


@settings(deadline=None, max_examples=1000)
@given(PLACES, PLACES, PLACES, st.integers(0, 2), st.floats(0, 1), st.integers(-2, 2))
def test_a_triangle_holds_what_exact_arithmetic_says(
    a: Position, b: Position, c: Position, side: int, part: float, ulps: int
) -> None:
    corners = (a, b, c)
    if turn(*corners) == 0:
        return
    (x1, y1), (x2, y2) = corners[side], corners[side - 1]
    # A place on a side, as near as floats come, or a few of the smallest steps beside it.
    place = (x1 + (x2 - x1) * part) * (1 + ulps * 2**-52), y1 + (y2 - y1) * part
    turns = {turn(a, b, place), turn(b, c, place), turn(c, a, place)}
    held = not {1, -1} <= turns
    outline = Outline([[a, b, c, a]])
    assert encloses(outline.edges, *place) is held
    assert outline.encloses(*place) is held


def test_an_outline_hardly_higher_than_nothing_is_an_outline() -> None:
    outline = Outline([[(0.0, 0.0), (0.0, 2.225073858507203e-309), (1.0, 0.0), (0.0, 0.0)]])
    assert outline.encloses(0.5, 0.0)
    assert not outline.encloses(0.5, 1e-300)
