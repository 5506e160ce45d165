"""Random worlds for the small project: cars that stand, jitter, vanish, race and pay."""

from hypothesis import strategies as st
from small_world import Line, fix, payment

from engine.model.change import Change

cars = st.sampled_from(["a", "b", "c"])
moves = st.tuples(
    cars,
    st.sampled_from([0.5, 1, 2, 3, 6]),
    st.sampled_from([0, 0, 0, 1, 3, 5]),
    st.sampled_from([0, 0, 0, 2, 30, 90, 95]),
)


@st.composite
def worlds(draw: st.DrawFn) -> list[Line]:
    """Cars that stand, jitter, vanish, race and pay; in event-time order."""
    clock, place, lines = dict.fromkeys("abc", 0.0), dict.fromkeys("abc", 0), []
    stands = draw(st.integers(0, 30))
    lines += [fix(minute, "a", 0, 0) for minute in range(stands)]
    clock["a"] = float(stands)
    for car, wait, where, speed in draw(st.lists(moves, min_size=5, max_size=60)):
        clock[car] += wait
        place[car] = place[car] + 40 if speed > 20 else where + place[car] // 40 * 40
        lines.append(fix(clock[car], car, place[car], speed))
        if speed == 95:
            lines.append(payment(clock[car] + 3, car, draw(st.sampled_from([40, 60, 100]))))
    return sorted(set(lines))


def told(changes: list[Change]) -> list[Change]:
    """What was announced, in an order that does not depend on the interleaving of spaces."""
    return sorted(changes, key=lambda change: (change.at_ms, change.delivery_id))
