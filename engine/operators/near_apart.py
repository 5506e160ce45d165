"""near with `apart`: a key that had its escort near it has been without one for T.

    escort within R    ##########..........##...............
    the key            ---------------------------------->
                                 |  back in time|   fires here, T after it was last with one

Only a key that was seen with an escort can lose it; one that never had one is no concern of this
rule. A key that leaves or falls silent is forgotten, and its alert ends.
"""

from typing import Any

from engine.operators.near_ground import GroundLogic, Present


class Ward(Present):
    """A key, and for the guarded ones whether they have what they must stay near.

    Attributes:
        had: Whether it was ever seen with an escort.
        lost: Since when it is without one, or None.
        held: Whether it has been without one for long enough.

    """

    __slots__ = ("had", "held", "lost")

    def __init__(self, who: str, kinds: int) -> None:
        super().__init__(who, kinds)
        self.had = False
        self.lost: int | None = None
        self.held = False


class ApartLogic(GroundLogic):
    """All guarded keys of one rule, and the escorts near them.

    State: one row per guarded key that is somewhere, and per escort within the radius of one.
    """

    present_type = Ward

    def settle(self, at_ms: int) -> None:
        """Ask each key in doubt whether it has its escort."""
        for who in sorted(self.doubt):
            ward = self.doubt[who]
            if not ward.here or ward.kind != self.spec.apart:
                self._forget(ward, at_ms)
                if not ward.here:
                    del self.all[who]
            else:
                self._watch(ward, at_ms)

    def _watch(self, ward: Ward, at_ms: int) -> None:
        """Note that an escort is there, or for how long it has not been."""
        from_ = self.spec.from_
        assert from_ is not None  # noqa: S101 - this logic is made for `apart` only
        if ward.counts[from_] >= self.needs[from_]:
            if not ward.had or ward.lost is not None:
                self.host.touch(ward.who)
            if ward.held:
                self.life.gone(ward.who, at_ms, ward.event, over=True)
            ward.had, ward.lost, ward.held = True, None, False
            return
        if not ward.had:
            return
        if ward.lost is None:
            ward.lost = at_ms
            self.host.touch(ward.who)
        if at_ms < ward.lost + self.spec.at_least_ms:
            self.host.wake(ward.lost + self.spec.at_least_ms, ward.who)
        else:
            self._hold(ward, ward.lost, at_ms)

    def _hold(self, ward: Ward, lost: int, at_ms: int) -> None:
        """It has been without an escort for long enough."""
        if ward.held and self.life.find(ward.who) is None:
            return
        ward.held = True
        self.host.touch(ward.who)
        facts = {
            "feed": ward.feed,
            "anchor": [ward.lon, ward.lat],
            "size": ward.counts[self.spec.from_ or 0],
            "last": ward.last,
        }
        self.life.hold(ward.who, lost, at_ms, ward.event, facts)
        if ward.last == at_ms:
            self.life.event(ward.who, ward.event, at_ms)

    def _forget(self, ward: Ward, at_ms: int) -> None:
        """It is not there any more, or not of the guarded kind."""
        if ward.held:
            self.life.gone(ward.who, at_ms, ward.event, over=True)
        if ward.had:
            self.host.touch(ward.who)
        ward.had, ward.lost, ward.held = False, None, False

    def save_more(self, member: Ward) -> Any:
        """Whether it had an escort, and since when it has none."""
        return [member.had, member.lost, member.held]

    def load_more(self, member: Ward, more: Any) -> None:
        """Take up what was known of its escort, and ask for its timer again."""
        member.had, member.lost, member.held = more
        if member.lost is not None and not member.held:
            self.host.wake(max(member.lost + self.spec.at_least_ms, self.anew), member.who)
