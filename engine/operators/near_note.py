"""The notes that the parts of a `near` rule send each other: where a key is, or that it left.

A note is the event itself with a few fields in front, so that the next part can read every field
that the rule reads. What a key is called there does not depend on the feed's own names.
"""

from typing import Any

import msgspec

CELL, WHO, HERE, AT, KIND = "near_cell", "near_who", "near_here", "near_at", "near_kind"
"""Fields of a note: its key, the key it is about, whether that is there, event time, its kind."""

OF_NOTES = frozenset({CELL, WHO, HERE, AT, KIND})

LEFT, THERE = 0, 1
_encode = msgspec.json.Encoder().encode


def rest_of(event: Any) -> bytes:
    """The event's own fields, as they follow those of every note of it."""
    return b"," + _encode(event)[1:]


def note(cell: str, who: str, at_ms: int, kind: int, rest: bytes) -> bytes:
    """A key is at the position of the event whose `rest_of` this is."""
    head = _encode({CELL: cell, WHO: who, HERE: THERE, AT: at_ms, KIND: kind})
    return head[:-1] + rest


def forwarded(event: Any, cell: str, at_ms: int) -> bytes:
    """A note that was received, sent on under another key; the event stays as it was."""
    before = event.near_cell, event.near_at
    event.near_cell, event.near_at = cell, at_ms
    value = _encode(event)
    event.near_cell, event.near_at = before
    return value


def farewell(cell: str, who: str, at_ms: int) -> bytes:
    """A key is not where it was any more."""
    return _encode({CELL: cell, WHO: who, HERE: LEFT, AT: at_ms, KIND: 0})
