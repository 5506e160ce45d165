"""One call of the desk: the cases under change, the moves made so far, the papers written.

Every change of a case is a move, and this is the only place that makes one: it refuses what the
table of `life` does not hold, numbers the move, dates it, and writes down which fields it set.
"""

from collections.abc import Mapping
from typing import Any, final

import msgspec
from msgspec.structs import replace

from engine.cases.areas import Areas
from engine.cases.book import Acts, Book
from engine.cases.life import is_legal
from engine.cases.model import Actor, Incident, Member, Move, Paper, State, Verb
from engine.cases.papers import Letter, written
from engine.cases.policy import Policy, Timing

_OWN = frozenset({"version", "updated_ms", "state", "mute_until_ms"})
"""Fields that every move says anyway; and when a silence is asked of again, which is no fact."""


@final
class IllegalMove(Exception):
    """A part of the desk made a move that the table does not hold: a bug of ours."""


@final
class Work:
    """What one call works on. Nothing outside sees it before `acts`.

    Attributes:
        policy: What is declared.
        areas: Its centres.
        book: Where cases are looked up; those under change are read here instead.
        now_ms: The desk's own time.

    """

    def __init__(self, policy: Policy, areas: Areas, book: Book, now_ms: int) -> None:
        self.policy = policy
        self.areas = areas
        self.book = book
        self.now_ms = now_ms
        self._cases: dict[str, Incident] = {}
        self._moves: list[Move] = []
        self._papers: dict[str, Paper] = {}

    def case(self, incident: Incident) -> Incident:
        """A case as this call has left it so far."""
        return self._cases.get(incident.id, incident)

    def timing(self, incident: Incident) -> Timing:
        """The limits of a case; none at all where they are no longer declared."""
        name = incident.terms.timing
        return self.policy.timings.get(name) or Timing(name)

    def move(
        self,
        incident: Incident,
        verb: Verb,
        actor: Actor,
        at_ms: int,
        cause: str,
        *,
        to: State | None = None,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        **sets: Any,
    ) -> Incident:
        """Make one move; the answer is the case after it.

        A move is never dated before the one ahead of it, even if the desk's clock was set back.
        """
        before = incident.state if incident.version else None
        after = to or incident.state
        if not is_legal(before, verb, after):
            message = f"{incident.id}: {verb} from {before} to {after} is no legal move"
            raise IllegalMove(message)
        at_ms = max(at_ms, incident.updated_ms)
        done = replace(
            incident, state=after, version=incident.version + 1, updated_ms=at_ms, **sets
        )
        self._moves.append(
            Move(
                incident=done.id,
                ordinal=done.version,
                verb=verb,
                actor=actor,
                at_ms=at_ms,
                before=before,
                after=after,
                reason=reason,
                cause=cause,
                details=dict(details or {}),
                sets=difference(incident if before else None, done),
            )
        )
        self._cases[done.id] = done
        return done

    def rearm(self, incident: Incident, mute_until_ms: int) -> Incident:
        """Ask again later whether a case is still silenced; nothing has happened, so no move."""
        done = replace(incident, mute_until_ms=mute_until_ms)
        self._cases[done.id] = done
        return done

    def send(self, incident: Incident, letter: Letter) -> None:
        """Write one document for every sink that hears of the last move."""
        move = self._moves[-1]
        if incident.mute:
            return
        for paper in written(self.policy, incident, move, letter):
            self._papers.setdefault(paper.id, paper)

    def acts(self, quiet: str = "") -> Acts:
        """All that this call changed."""
        return Acts(
            incidents=tuple(self._cases.values()),
            moves=tuple(self._moves),
            papers=tuple(self._papers.values()),
            quiet=quiet,
        )


def difference(before: Incident | None, after: Incident) -> dict[str, Any]:
    """The fields that differ, as plain values; of `members` only those that differ."""
    found: dict[str, Any] = {}
    for name in after.__struct_fields__:
        if name in _OWN:
            continue
        value = getattr(after, name)
        old = None if before is None else getattr(before, name)
        if value is old or (before is not None and value == old):
            continue
        if name == "members":
            value = _changed(old or (), value)
        found[name] = msgspec.to_builtins(value)
    return found


def _changed(before: tuple[Member, ...], after: tuple[Member, ...]) -> list[Member]:
    known = {member.episode: member for member in before}
    return [member for member in after if known.get(member.episode) != member]
