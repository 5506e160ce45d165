"""Why the stream has not proved an alert's matter over: what `verify` was asked, and what it saw.

    fired -- asked of every event of the key -- cleared -- holds for its duration --> verified
                 |  held 6 of 10 min, broken off at 09:22 by distance(position, anchor) = 40 m

It is told for each alert of the key that has not been proved over.
"""

from dataclasses import dataclass, field
from typing import Any, cast

from msgspec.structs import replace

from engine.alerts.episode import Episode
from engine.alerts.proof import Watch
from engine.explain.conditions import Asked
from engine.explain.funnel import Part, Proof
from engine.model.progress import Progress, Step
from engine.operators.base import Logic

MOST = 6
"""So many proofs of a key are told, the newest."""


@dataclass(slots=True)
class _Seen:
    """What was asked about one alert while we looked."""

    episode: Episode
    answers: dict[bool | None, int] = field(default_factory=lambda: {True: 0, False: 0, None: 0})
    last_ms: int = 0
    last: list[Part] = field(default_factory=list)
    broke: list[Part] = field(default_factory=list)


class Proving:
    """The proofs of one key's alerts, watched in the part of a rule that tells them.

    It stands between the watches and the rule's condition, and changes nothing of what they do.
    """

    def __init__(self, logic: Logic, host: Any, key: str, asked: Asked) -> None:
        """Look at the proofs of a key.

        Args:
            logic: The part of the rule that has alerts; its `life` has proofs.
            host: What it was lent by its partition.
            key: The key that is explained.
            asked: The rule's `verify`, taken apart.

        """
        self._logic = logic
        self._key = key
        self._asked = asked
        self._seen: dict[int, _Seen] = {}
        self._over: list[Proof] = []
        judge = cast("Any", logic.life.judge)
        self._judge, self._verified = judge, judge.verified
        judge.verified = self._look
        self._unproved, host.unproved = host.unproved, self._given_up

    def told(self, at_ms: int, *, looked: bool) -> list[Proof]:
        """The proofs that have not come at an instant, oldest alert first.

        `looked`: every event was seen, so that what was asked of none was never asked.
        """
        proofs = self._logic.life.proofs
        waiting = [
            self._proof(watch.episode, proofs.progress(watch, at_ms), given_up=False)
            for watch in self._watches()
            if proofs is not None
        ]
        found = [*self._over, *waiting]
        if looked:
            found = [_said_to_be_unasked(one) for one in found]
        return sorted(found, key=lambda one: one.since_ms)[-MOST:]

    def _look(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool | None:
        answer: bool | None = self._verified(key, episode, event, at_ms)
        if key == self._key:
            seen = self._seen.setdefault(id(episode), _Seen(episode))
            seen.answers[answer] += 1
            names = self._judge.names(key, event, at_ms, episode)
            parts = self._asked.told(event, names)
            if answer is False and self._holds(episode):
                seen.broke = parts
            if answer is not None:
                seen.last_ms, seen.last = at_ms, parts
        return answer

    def _holds(self, episode: Episode) -> bool:
        """Whether the condition held up to now."""
        return any(watch.episode is episode and watch.held is not None for watch in self._watches())

    def _watches(self) -> list[Watch]:
        proofs = self._logic.life.proofs
        return [] if proofs is None else proofs.keys.get(self._key, [])

    def _given_up(self, key: str, at_ms: int, how: Progress) -> None:
        self._unproved(key, at_ms, how)
        if key == self._key:
            (episode,) = [one.episode for one in self._watches() if one.episode.id == how.part]
            self._over.append(self._proof(episode, how, given_up=True))

    def _proof(self, episode: Episode, how: Progress, *, given_up: bool) -> Proof:
        """The figures of a watch, and what was seen of the events it was asked about."""
        seen = self._seen.get(id(episode), _Seen(episode))
        answers, steps = seen.answers, list(how.steps)
        if sum(answers.values()):
            counts = {"yes": answers[True], "no": answers[False], "unknown": answers[None]}
            steps.insert(1, Step("proof-asked", met=True, have=sum(answers.values()), found=counts))
        return Proof(
            episode_id=episode.id,
            since_ms=episode.since,
            given_up=given_up,
            steps=tuple(steps),
            last=seen.last,
            broke=seen.broke,
        )


def _said_to_be_unasked(proof: Proof) -> Proof:
    """Say so where no event came of which the condition could have been asked."""
    if any(step.name == "proof-asked" for step in proof.steps):
        return proof
    ended, *rest = proof.steps
    return replace(proof, steps=(ended, Step("proof-unasked", met=False), *rest))
