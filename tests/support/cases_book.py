"""A book of cases in memory: what the desk looks things up in, and what keeps its acts.

It keeps as strictly as a database would: moves of a case are numbered without a gap, no cause
moves a case twice, no paper is made twice, and a case is stored at the version of its last move.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from engine.cases.book import Acts, Silence
from engine.cases.model import OPEN, Incident, Move, Paper, PaperKind, State
from engine.cases.policy import Match
from engine.geo.distance import distance_m


class MemoryBook:
    """Implements `engine.cases.book.Book`; `keep` stores what the desk answered."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.moves: dict[str, list[Move]] = defaultdict(list)
        self.papers: dict[str, Paper] = {}
        self.causes: dict[str, Move] = {}
        self.silenced: list[Silence] = []
        self._serials: Counter[str] = Counter()

    def keep(self, acts: Acts) -> Acts:
        """Store all of the acts, or raise where a law of the store is broken."""
        for move in acts.moves:
            history = self.moves[move.incident]
            assert move.ordinal == len(history) + 1, f"a gap in the moves: {move}"
            assert not history or move.at_ms >= history[-1].at_ms, f"goes back in time: {move}"
            assert move.cause, f"without a cause: {move}"
            assert move.cause not in self.causes, f"twice by one cause: {move}"
            history.append(move)
            self.causes[move.cause] = move
        for incident in acts.incidents:
            version = len(self.moves[incident.id])
            assert incident.version == version, f"{incident.version} after {version} moves"
            self.incidents[incident.id] = incident
        for paper in acts.papers:
            assert paper.id not in self.papers, f"made twice: {paper.id}"
            self.papers[paper.id] = paper
        return acts

    def incident(self, id: str) -> Incident | None:  # noqa: A002
        """An incident by its id."""
        return self.incidents.get(id)

    def of_episode(self, episode: str) -> Incident | None:
        """The incident that an alert belongs to, through merges."""
        for incident in self.incidents.values():
            if any(member.episode == episode for member in incident.members):
                found = incident
                while found.state is State.MERGED:
                    found = self.incidents[found.merged_into]
                return found
        return None

    def open_in(self, group: str) -> Incident | None:
        """The open incident of a group whose last alert is the newest."""
        return max(self._in(group, OPEN), key=_joined, default=None)

    def open_near(self, group: str, lon: float, lat: float, radius_m: float) -> Incident | None:
        """Likewise, of those whose first position lies within a radius."""
        near = [
            one
            for one in self._in(group, OPEN)
            if one.lon is not None
            and one.lat is not None
            and distance_m(one.lon, one.lat, lon, lat) <= radius_m
        ]
        return max(near, key=_joined, default=None)

    def closed_in(self, group: str, since_ms: int) -> Incident | None:
        """The incident of a group that was closed last, at or after an instant."""
        closed = [
            (one.closed_ms, one.id, one)
            for one in self._in(group, frozenset({State.CLOSED}))
            if one.closed_ms is not None and one.closed_ms >= since_ms
        ]
        return max(closed, default=(0, "", None))[2]

    def told(self, cause: str) -> Move | None:
        """The move that a cause has made already."""
        return self.causes.get(cause)

    def silences(self, at_ms: int) -> Sequence[Silence]:
        """Silences in force."""
        return [
            one
            for one in self.silenced
            if one.from_ms <= at_ms < one.until_ms
            and (one.ended_ms is None or at_ms < one.ended_ms)
        ]

    def open_alerts(self, match: Match) -> Sequence[Incident]:
        """Open incidents; who asks looks at their alerts."""
        del match
        return [one for one in self.incidents.values() if one.state in OPEN]

    def next_number(self, day: str) -> int:
        """The next serial number of a day, from 1."""
        self._serials[day] += 1
        return self._serials[day]

    def sent_since(self, sink: str, since_ms: int) -> int:
        """How many single papers went to a sink since an instant."""
        return sum(
            paper.sink == sink and paper.at_ms >= since_ms and paper.kind is not PaperKind.DIGEST
            for paper in self.papers.values()
        )

    def _in(self, group: str, states: frozenset[State]) -> list[Incident]:
        return [
            one for one in self.incidents.values() if one.group == group and one.state in states
        ]


def _joined(incident: Incident) -> tuple[int, str]:
    return max((one.joined_ms for one in incident.members), default=0), incident.id
