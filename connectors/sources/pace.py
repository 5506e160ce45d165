"""Cuts a recording into the pieces that happened within a moment of each other."""

from collections.abc import Callable, Sequence

from engine.ports import Record

MOMENT_MS = 50
"""Of the clock: a recording replayed at a speed is handed over in pieces of so much time."""


def moments(
    records: Sequence[Record], time_of: Callable[[bytes], int | None], speed: float
) -> list[Sequence[Record]]:
    """Cut records where more than a moment passes between them at this speed.

    Records out of order stay with those before them; records without a time cut nothing.
    """
    step = max(1, int(MOMENT_MS * speed))
    pieces: list[Sequence[Record]] = []
    begun, first = 0, None
    for number, record in enumerate(records):
        at = time_of(record.value)
        if at is None:
            continue
        if first is None:
            first = at
        elif at - first >= step:
            pieces.append(records[begun:number])
            begun, first = number, at
    pieces.append(records[begun:])
    return [piece for piece in pieces if piece]
