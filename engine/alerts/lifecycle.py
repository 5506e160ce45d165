"""An alert's life: pending, firing, clearing; every step in event time.

An operator says `hold` while its condition holds for a key and `gone` when it does not. This
module makes alerts of that: it waits for `for`, asks the exceptions, climbs the levels, waits
for `keep_firing_for`, and numbers the transitions.

    (none) --hold--> PENDING --for, no exception--> FIRING --gone / clear--> CLEARING --> (none)
                        |gone                          ^-------- hold ----------'
                      (none)

Outside the schedule, and while a key rests after an alert (`cooldown`), PENDING lasts on: what is
still there when that is over fires then. An alert that flaps is CLEARING for longer.
"""

from typing import TYPE_CHECKING, Any

from engine.alerts.episode import Episode as Episode  # noqa: PLC0414 - operators read it here
from engine.alerts.episode import Judge as Judge  # noqa: PLC0414
from engine.alerts.episode import Phase as Phase  # noqa: PLC0414
from engine.alerts.proof import HELD, WATCHED, Proofs
from engine.alerts.rest import GROUP, SAVED, Rest
from engine.model.change import Transition
from engine.model.progress import NEAR

if TYPE_CHECKING:
    from engine.operators.base import EventCodec, Host


class Life:
    """The episodes of one rule in one partition.

    State: one `Episode` per key (and cycle) while it is pending, firing or clearing; one `Rest`
    per key while its last alerts matter to the next.

    Attributes:
        listens: Whether an event alone can change an open episode.
        remembers: Whether alerts matter to those after them, so that there are rests.
        proofs: What is watched until the stream proves it over; None where no rule asks.

    """

    __slots__ = ("_codec", "_host", "judge", "listens", "open", "proofs", "remembers", "rests")

    def __init__(self, judge: Judge, host: "Host", codec: "EventCodec") -> None:
        self.judge = judge
        self._host = host
        self._codec = codec
        self.open: dict[str, dict[str, Episode]] = {}
        self.listens = judge.has_clear or judge.asks or bool(judge.steps)
        self.remembers = bool(judge.cooldown_ms) or judge.flapping is not None
        self.proofs: Proofs | None = None
        if judge.verify_ms is not None:
            self.proofs = Proofs(judge, judge.verify_ms, host, codec, self._tell_verified)
        self.rests: dict[str, dict[str, Rest]] = {}

    def find(self, key: str, part: str = "") -> Episode | None:
        """The open episode of a key, if any."""
        episodes = self.open.get(key)
        return None if episodes is None else episodes.get(part)

    def hold(
        self,
        key: str,
        since: int,
        at_ms: int,
        event: Any,
        facts: dict[str, Any],
        part: str = "",
        floor: int | None = None,
    ) -> None:
        """The condition holds at `at_ms`; call it when it begins and whenever facts change."""
        judge = self.judge
        episode = self.find(key, part)
        if episode is None:
            episode = Episode(part, since, at_ms, judge.base_rank if floor is None else floor)
            self.open.setdefault(key, {})[part] = episode
        elif floor is not None:
            episode.floor = floor
        episode.facts.update(facts)
        if event is not None:
            episode.event = event
        self._host.touch(key)
        if episode.phase is Phase.CLEARING and not episode.by_clear:
            episode.phase = Phase.FIRING
            episode.clear_from = 0
            self._note_change(key, episode, at_ms)
        self._forward(key, episode, event, at_ms)

    def event(self, key: str, event: Any, at_ms: int, part: str | None = None) -> None:
        """Let `clear` and the level expressions see an event of a key with an open episode.

        With `part` only that cycle, or that member of a group, is meant.
        """
        if not self.listens:
            return
        judge = self.judge
        for episode in list(self.open.get(key, {}).values()):
            if episode.phase is Phase.PENDING or part not in {None, episode.part}:
                continue
            if judge.has_clear:
                self._host.touch(key)
                if judge.cleared(key, episode, event, at_ms):
                    if episode.phase is Phase.FIRING:
                        episode.by_clear = True
                        self._begin_clearing(key, episode, event, at_ms)
                elif episode.phase is Phase.CLEARING:
                    episode.phase, episode.by_clear, episode.clear_from = Phase.FIRING, False, 0
                    self._note_change(key, episode, at_ms)
            if episode.phase is Phase.FIRING:
                self._climb(key, episode, event, at_ms)

    def tell(self, key: str, at_ms: int, event: Any, part: str = "") -> None:
        """Announce again an alert that goes on, because what it is about has grown."""
        episode = self.find(key, part)
        if episode is not None and episode.phase is Phase.FIRING:
            self._host.touch(key)
            self._announce(key, episode, Transition.UPDATED, at_ms, event)

    def gone(self, key: str, at_ms: int, event: Any, part: str = "", *, over: bool = False) -> None:
        """The condition holds no longer.

        A rule with a `clear` goes on until that holds, unless what the alert is about is `over`.
        """
        episode = self.find(key, part)
        if episode is None:
            return
        self._host.touch(key)
        if episode.phase is Phase.PENDING:
            self._count_held(key, episode, at_ms)
            if at_ms - episode.hold_from >= NEAR * self.judge.for_ms:
                self._host.missed(key, at_ms)
            self._forget(key, part)
        elif episode.phase is Phase.FIRING and (over or not self.judge.has_clear):
            self._begin_clearing(key, episode, event, at_ms)

    def retract(self, key: str, at_ms: int, event: Any, part: str = "") -> None:
        """A late record shows that the condition never held: the alert is withdrawn.

        `at_ms` is the record's own event time, so that the withdrawal is dated alike wherever and
        however late the record arrived.
        """
        episode = self.find(key, part)
        if episode is None:
            return
        self._host.touch(key)
        if episode.phase is not Phase.PENDING:
            self._announce(key, episode, Transition.RETRACTED, at_ms, event)
            if self.proofs is not None:
                self.proofs.withdrawn(key, episode)
        self._forget(key, part)
        for rest in self.rests.get(key, {}).values():
            self._host.wake(max(rest.ends(self.judge.flapping), at_ms), key)

    def on_timer(self, key: str, at_ms: int, *, known: bool = True) -> None:
        """An instant asked for by one of the key's episodes has passed.

        While the operator does not know whether its condition still holds (`known` is false: the
        signal is lost), nothing fires and nothing climbs; clearing goes on.
        """
        for episode in list(self.open.get(key, {}).values()):
            if episode.wake == 0 or episode.wake > at_ms:
                continue
            episode.wake = 0
            self._host.touch(key)
            if episode.phase is Phase.CLEARING:
                if episode.facts.get("flapping") and self._others(key, episode):
                    episode.clear_from = at_ms
                keep = self._keep(episode)
                if at_ms - episode.clear_from >= keep:
                    self._clear(key, episode, at_ms, episode.event)
                else:
                    self._ask(key, episode, episode.clear_from + keep)
            elif known:
                self._forward(key, episode, episode.event, at_ms)

    def save(self, key: str) -> list[Any]:
        """The key's episodes, and what is remembered of those before them, as plain values."""
        episodes, rests = self.open.get(key, {}), self.rests.get(key, {})
        saved = [episodes[part].save(self._codec) for part in sorted(episodes)]
        saved += [rests[group].save(group) for group in sorted(rests)]
        return saved if self.proofs is None else saved + self.proofs.save(key)

    def load(self, key: str, saved: list[Any]) -> None:
        """Take up what `save` wrote, timers included."""
        for plain in saved:
            if len(plain) == SAVED:
                if self.remembers:
                    rest = Rest.load(plain)
                    self.rests.setdefault(key, {})[plain[GROUP]] = rest
                    self._host.wake(rest.ends(self.judge.flapping), key)
                continue
            if len(plain) in HELD or len(plain) in WATCHED:
                if self.proofs is not None:
                    self.proofs.load(key, plain)
                continue
            episode = Episode.load(plain, self._codec)
            self.open.setdefault(key, {})[episode.part] = episode
            if self.proofs is not None and episode.phase is not Phase.PENDING:
                self.proofs.begin(key, episode)
            if episode.wake:
                self._host.wake(episode.wake, key)

    def _forward(self, key: str, episode: Episode, event: Any, at_ms: int) -> None:
        """Fire a pending episode whose time has come; climb a firing one."""
        judge = self.judge
        if episode.phase is Phase.PENDING:
            due = episode.hold_from + judge.for_ms
            if at_ms < due:
                self._ask(key, episode, due)
                return
            opens = judge.closed_until(at_ms)
            if opens:
                self._ask(key, episode, opens)
                return
            if judge.excepted(key, episode, event, at_ms) or self._rests(key, episode, at_ms):
                return
            episode.phase = Phase.FIRING
            if self.remembers:
                self._note_firing(key, episode, at_ms)
            episode.rank = max(episode.floor, self._reached(episode, at_ms))
            episode.rank = max(episode.rank, judge.level(key, episode, event, at_ms))
            self._announce(key, episode, Transition.FIRED, at_ms, event)
            if self.proofs is not None:
                self.proofs.begin(key, episode)
            self._ask_next_step(key, episode, at_ms)
        elif episode.phase is Phase.FIRING:
            self._climb(key, episode, event, at_ms)

    def _climb(self, key: str, episode: Episode, event: Any, at_ms: int) -> None:
        """Announce a higher severity when time, the operator or an expression asks for it."""
        rank = max(episode.floor, self._reached(episode, at_ms))
        rank = max(rank, self.judge.level(key, episode, event, at_ms))
        if rank > episode.rank:
            episode.rank = rank
            self._host.touch(key)
            self._announce(key, episode, Transition.RAISED, at_ms, event)
        self._ask_next_step(key, episode, at_ms)

    def _reached(self, episode: Episode, at_ms: int) -> int:
        """The rank of the highest level whose time has passed."""
        held = at_ms - episode.since
        return max((rank for least, rank in self.judge.steps if held >= least), default=0)

    def _ask_next_step(self, key: str, episode: Episode, at_ms: int) -> None:
        """Ask for a timer at the next level that climbs by time."""
        held = at_ms - episode.since
        ahead = [least for least, rank in self.judge.steps if held < least and rank > episode.rank]
        if ahead:
            self._ask(key, episode, episode.since + min(ahead))

    def _begin_clearing(self, key: str, episode: Episode, event: Any, at_ms: int) -> None:
        """The condition ceased: clear at once, or wait to see whether it comes back."""
        self._note_change(key, episode, at_ms)
        keep = self._keep(episode)
        if keep == 0:
            self._clear(key, episode, at_ms, event)
            return
        episode.phase = Phase.CLEARING
        episode.clear_from = at_ms
        self._ask(key, episode, at_ms + keep)

    def _clear(self, key: str, episode: Episode, at_ms: int, event: Any) -> None:
        """An alert has ended; for the time of the pause, none about this key follows."""
        self._announce(key, episode, Transition.CLEARED, at_ms, event)
        self._forget(key, episode.part)
        if self.proofs is not None:
            self.proofs.ended(key, episode, at_ms)
        if self.remembers:
            rest = self._rest(key, episode)
            if episode.facts.get("flapping"):
                rest.fired = []
            if self.judge.cooldown_ms:
                rest.until = at_ms + self.judge.cooldown_ms
            self._host.wake(max(rest.ends(self.judge.flapping), at_ms), key)

    # --- what alerts mean to those after them ---------------------------------------------

    def rest_over(self, key: str, at_ms: int) -> None:
        """An instant has passed at which a rest of this key may be over: it is forgotten."""
        for group, rest in list(self.rests.get(key, {}).items()):
            if at_ms >= rest.ends(self.judge.flapping) and not any(
                one.facts.get("flapping") and self._group(one) == group
                for one in self.open.get(key, {}).values()
            ):
                self._host.touch(key)
                del self.rests[key][group]
                if not self.rests[key]:
                    del self.rests[key]

    def _group(self, episode: Episode) -> str:
        """Which of a key's alerts matter to each other: all, or those of one zone or member."""
        return episode.part if self.judge.by_part else ""

    def _rest(self, key: str, episode: Episode) -> Rest:
        return self.rests.setdefault(key, {}).setdefault(self._group(episode), Rest())

    def _others(self, key: str, episode: Episode) -> list[Episode]:
        """The other open episodes that matter to this one."""
        group = self._group(episode)
        return [
            one
            for one in self.open.get(key, {}).values()
            if one is not episode and self._group(one) == group
        ]

    def _rests(self, key: str, episode: Episode, at_ms: int) -> bool:
        """Whether a pending alert must wait: its key rests, or another alert about it flaps."""
        rest = self.rests.get(key, {}).get(self._group(episode))
        if rest is None:
            return False
        if at_ms < rest.until:
            self._ask(key, episode, rest.until)
            return True
        flaps = [one for one in self._others(key, episode) if one.facts.get("flapping")]
        for one in flaps:
            self._stir(key, one, at_ms)
        return bool(flaps)

    def _count_held(self, key: str, episode: Episode, at_ms: int) -> None:
        """A pending alert is over; note it if it would have fired but for its key's rest."""
        if not self.remembers or at_ms < episode.hold_from + self.judge.for_ms:
            return
        if self.judge.closed_until(at_ms) or self.judge.excepted(key, episode, None, at_ms):
            return
        if self._rests(key, episode, at_ms):
            self._host.count("held-back")

    def _stir(self, key: str, flapper: Episode, at_ms: int) -> None:
        """What flaps came or went under another name: its quiet time begins anew."""
        self._host.touch(key)
        self._rest(key, flapper).changed = at_ms
        if flapper.phase is Phase.CLEARING:
            flapper.clear_from = at_ms

    def _note_firing(self, key: str, episode: Episode, at_ms: int) -> None:
        """An alert fires: it flaps if that happened too often of late."""
        times = self._rest(key, episode).fires(at_ms, self.judge.flapping)
        if times:
            episode.facts["flapping"] = times
            self._host.count("flapping")
        self._host.wake(max(self._rest(key, episode).ends(self.judge.flapping), at_ms), key)

    def _note_change(self, key: str, episode: Episode, at_ms: int) -> None:
        """A flapping alert came or went; one that had been steady for long enough does not flap."""
        flapping = self.judge.flapping
        if flapping is None or not episode.facts.get("flapping"):
            return
        rest = self._rest(key, episode)
        if at_ms - rest.changed >= flapping.quiet_ms:
            del episode.facts["flapping"]
            rest.fired = []
        rest.changed = at_ms

    def _keep(self, episode: Episode) -> int:
        """How long an alert goes on after its reason has gone."""
        flapping, keep = self.judge.flapping, self.judge.keep_ms
        if flapping is None or not episode.facts.get("flapping"):
            return keep
        return max(keep, flapping.quiet_ms)

    def _announce(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, event: Any
    ) -> None:
        episode.said = max(episode.said, at_ms)
        self.judge.announce(key, episode, transition, episode.said, event)
        episode.ordinal += 1

    def _tell_verified(self, key: str, episode: Episode, at_ms: int) -> None:
        """The stream has proved that what an alert was about is over."""
        self._announce(key, episode, Transition.VERIFIED, at_ms, None)

    def _ask(self, key: str, episode: Episode, at_ms: int) -> None:
        if episode.wake != at_ms:
            episode.wake = at_ms
            self._host.wake(at_ms, key)
            self._host.touch(key)

    def _forget(self, key: str, part: str) -> None:
        episodes = self.open[key]
        del episodes[part]
        if not episodes:
            del self.open[key]
