"""A case again, from its moves alone: the proof that the moves tell everything."""

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.cases.model import Incident, Move


def rebuild(moves: Iterable[Move]) -> Incident:
    """The case as it stood after the last of its moves.

    All fields but `mute_until_ms`, which only says when to look again and is not kept in moves.

    Args:
        moves: All moves of one case, in order, from the first on.

    Raises:
        ValueError: A move is missing, or one belongs to another case.

    """
    fields: dict[str, Any] = {}
    members: dict[str, Any] = {}
    ordinal, case = 0, ""
    for move in moves:
        if move.ordinal != ordinal + 1 or (case and move.incident != case):
            message = f"move {move.ordinal} of {move.incident} does not follow move {ordinal}"
            raise ValueError(message)
        ordinal, case = move.ordinal, move.incident
        fields |= move.sets
        for member in move.sets.get("members", ()):
            members[member["episode"]] = member
        fields |= {"state": move.after, "version": move.ordinal, "updated_ms": move.at_ms}
    fields["members"] = list(members.values())
    return msgspec.convert(fields, Incident)
