"""near: so many keys are within a radius of each other for T.

    A  ---------------------------------------->
    B       ------------------------------------      three are together from t on: each of
    C              -----------------------------      them is *qualified* since t
                   t ........... t + T: fires, led by the member that is qualified longest

A member is qualified while at least `count` members (and of each kind the number it needs) lie
within the radius of it, itself included. Its time runs on through lacks of up to `outside`, and as
long as each position at which it is qualified lies within the radius of the one before; further
away it begins anew. A *leader* is a qualified member with no older one within the radius; the
gathering is the leader and everybody within the radius of it. When a leader goes, the oldest
member it leaves behind takes its gathering over, unless those belong to another one already; when
a leader comes within the radius of an older member, its gathering is merged: its alert is
withdrawn, and its time begins anew.
"""

from dataclasses import dataclass
from typing import Any

from engine.geo.distance import distance_m
from engine.operators.near_crowd import Crowd
from engine.operators.near_ground import LISTED, GroundLogic, Present

Rank = tuple[int, str]
"""Age of a member or a gathering: since when, and a key to tell equals apart."""


@dataclass(slots=True)
class Gathering:
    """Members around a leader.

    Attributes:
        founder: The key that led it first; with `since` its identity.
        since: Since when its first leader was qualified (event time, ms).
        held: Whether it has lasted long enough.

    """

    founder: str
    since: int
    held: bool = False

    @property
    def rank(self) -> Rank:
        """Its age."""
        return self.since, self.founder

    @property
    def part(self) -> str:
        """What tells it from other gatherings that this key founded."""
        return str(self.since)


class Member(Present):
    """A key in company, and how long it has been qualified.

    Attributes:
        since: Since when it is qualified, or None.
        rank: Its age among the qualified; that of the gathering it leads, if it took one over.
        lack: Since when it lacks company for the time being, or None.
        pin: Where it was qualified last.
        leads: The gathering it leads, or None.

    """

    __slots__ = ("lack", "leads", "pin", "rank", "since")

    def __init__(self, who: str, kinds: int) -> None:
        super().__init__(who, kinds)
        self.since: int | None = None
        self.rank: Rank = (0, who)
        self.lack: int | None = None
        self.pin = (0.0, 0.0)
        self.leads: Gathering | None = None


class NearLogic(GroundLogic):
    """All gatherings of one rule.

    State: one row per key in company, also while it lacks some for up to `outside`.
    """

    present_type = Member

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.qualified: Crowd[Member] = Crowd(self.spec.radius_m)
        self.lacking: dict[str, Member] = {}
        self.orphans: list[tuple[Gathering, tuple[float, float]]] = []

    def settle(self, at_ms: int) -> None:
        """First who is qualified, then who leads, then what the gatherings have become."""
        moved: list[tuple[float, float]] = []
        self.doubt.update(self.lacking)
        for member in self.doubt.values():
            self._qualify(member, at_ms, moved)
        for gathering, where in sorted(self.orphans, key=lambda one: one[0].rank):
            self._inherit(gathering, where, at_ms, moved)
        self.orphans = []
        concerned = {one.who: one for spot in moved for one in self.qualified.within(*spot)}
        for one in sorted(concerned.values(), key=lambda one: one.rank):
            if one.leads is not None and not self._is_oldest(one):
                self._merge(one, at_ms, moved)
        concerned = {one.who: one for spot in moved for one in self.qualified.within(*spot)}
        for one in sorted(concerned.values(), key=lambda one: one.rank):
            if one.leads is None and self._is_oldest(one):
                self._found(one)
        leaders = {
            one.who: one
            for spot in (*moved, *self.stirred)
            for one in self.qualified.within(*spot)
            if one.leads is not None
        }
        leaders |= {who: one for who, one in self.doubt.items() if one.leads is not None}
        for one in sorted(leaders.values(), key=lambda one: one.rank):
            self._hold(one, at_ms)
        for who, member in self.doubt.items():
            if not member.here and member.since is None:
                del self.all[who]

    def _qualify(self, member: Member, at_ms: int, moved: list[tuple[float, float]]) -> None:
        """Begin, go on with, excuse or end the time for which a member is qualified."""
        counts = member.counts
        spec = self.spec
        if (
            member.here
            and sum(counts) >= spec.count
            and all(have >= need for have, need in zip(counts, self.needs, strict=True))
        ):
            if member.since is not None and self.qualified.is_far(
                *member.pin, member.lon, member.lat
            ):
                self._end(member, moved)
            begins = member.since is None
            if begins or member.pin != (member.lon, member.lat):
                if begins:
                    member.since, member.rank = at_ms, (at_ms, member.who)
                else:
                    moved.append(member.pin)
                member.pin = (member.lon, member.lat)
                self.qualified.put(member.who, *member.pin, member)
                moved.append(member.pin)
                self.host.touch(member.who)
            if member.lack is not None:
                member.lack = None
                self.lacking.pop(member.who, None)
                self.host.touch(member.who)
        elif member.since is not None:
            if member.lack is None:
                member.lack = at_ms
                self.lacking[member.who] = member
                self.host.touch(member.who)
                if spec.outside_ms:
                    self.host.wake(at_ms + spec.outside_ms, member.who)
            if at_ms >= member.lack + spec.outside_ms:
                self._end(member, moved)

    def _end(self, member: Member, moved: list[tuple[float, float]]) -> None:
        """A member is qualified no longer; what it led may find another leader."""
        self.host.touch(member.who)
        self.qualified.drop(member.who)
        self.lacking.pop(member.who, None)
        moved.append(member.pin)
        if member.leads is not None:
            self.orphans.append((member.leads, member.pin))
        member.since, member.lack, member.leads = None, None, None

    def _inherit(
        self,
        gathering: Gathering,
        where: tuple[float, float],
        at_ms: int,
        moved: list[tuple[float, float]],
    ) -> None:
        """The oldest member that is left, if none older is near it, takes it over, age and all."""
        left = [one for one in self.qualified.within(*where) if self._is_oldest(one)]
        heir = min(left, key=lambda one: one.rank, default=None)
        if heir is None:
            self._over(gathering, at_ms)
        elif heir.rank < gathering.rank:
            self._retract(gathering, at_ms)
        else:
            if heir.leads is not None:
                self._retract(heir.leads, at_ms)
            heir.leads, heir.rank = gathering, gathering.rank
            self.host.touch(heir.who)
            moved.append(heir.pin)

    def _is_oldest(self, member: Member) -> bool:
        """Whether no qualified member within the radius is older."""
        rank = member.rank
        return all(other.rank >= rank for other in self.qualified.within(*member.pin))

    def _merge(self, member: Member, at_ms: int, moved: list[tuple[float, float]]) -> None:
        """An older member is within the radius of a leader: the younger gathering is no more."""
        assert member.leads is not None  # noqa: S101 - the caller saw it
        self._retract(member.leads, at_ms)
        member.leads, member.since, member.rank = None, at_ms, (at_ms, member.who)
        self.host.touch(member.who)
        moved.append(member.pin)

    def _found(self, member: Member) -> None:
        """A member that nobody older is near leads a gathering of its own."""
        assert member.since is not None  # noqa: S101 - it is qualified
        member.leads = Gathering(member.who, member.since)
        self.host.touch(member.who)

    def _hold(self, leader: Member, at_ms: int) -> None:
        """The gathering as it is now; once it has lasted, its alert knows."""
        gathering = leader.leads
        assert gathering is not None  # noqa: S101 - the caller saw it
        if leader.lack is not None:
            return  # what it is short of may come back; till then nothing new is known of it
        due = gathering.since + self.spec.at_least_ms
        if at_ms < due:
            self.host.wake(due, leader.who)
            return
        founder, part = gathering.founder, gathering.part
        if gathering.held and self.life.find(founder, part) is None:
            return
        if not gathering.held:
            gathering.held = True
            self.host.touch(leader.who)
        self.host.touch(founder)
        facts = self._facts(leader)
        self.life.hold(founder, gathering.since, at_ms, leader.event, facts, part)
        if leader.last == at_ms and founder in self.life.open:
            self.life.event(founder, leader.event, at_ms, part)

    def _facts(self, leader: Member) -> dict[str, Any]:
        """What the gathering is made of: the leader first, then by how long they are there."""
        lon, lat = leader.pin
        around = self.crowd.within(lon, lat)
        ordered = sorted(around, key=lambda one: (one.who != leader.who, one.came, one.who))
        return {
            "feed": leader.feed,
            "anchor": [lon, lat],
            "size": len(around),
            "leader": leader.who,
            "last": max((one.last for one in around), default=leader.last),
            "members": [
                one.listed(distance_m(lon, lat, one.lon, one.lat), self.kinds)
                for one in ordered[:LISTED]
            ],
        }

    def _over(self, gathering: Gathering, at_ms: int) -> None:
        """Nobody is left who could lead."""
        self.host.touch(gathering.founder)
        self.life.gone(gathering.founder, at_ms, None, gathering.part, over=True)

    def _retract(self, gathering: Gathering, at_ms: int) -> None:
        """It was part of an older gathering all along."""
        self.host.touch(gathering.founder)
        self.life.retract(gathering.founder, at_ms, None, gathering.part)

    def save_more(self, member: Member) -> Any:
        """How long it has been qualified, and what it leads."""
        if member.since is None:
            return None
        leads = member.leads
        return [
            member.since,
            list(member.rank),
            member.lack,
            list(member.pin),
            None if leads is None else [leads.founder, leads.since, leads.held],
        ]

    def load_more(self, member: Member, more: Any) -> None:
        """Take up how long it has been qualified, and ask for its timers again."""
        if more is None:
            return
        member.since, (since, founder), member.lack, (lon, lat), leads = more
        member.rank, member.pin = (since, founder), (lon, lat)
        self.qualified.put(member.who, lon, lat, member)
        if member.lack is not None:
            self.lacking[member.who] = member
            self.host.wake(max(member.lack + self.spec.outside_ms, self.anew), member.who)
        if leads is not None:
            member.leads = Gathering(*leads)
            if not member.leads.held:
                due = member.leads.since + self.spec.at_least_ms
                self.host.wake(max(due, self.anew), member.who)
