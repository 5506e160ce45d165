"""What every operator's answer is made of: the event looked at, and the alert's own life."""

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.alerts.lifecycle import Episode, Life, Phase
from engine.model.progress import Progress, Step


class Sight(NamedTuple):
    """An event of the key that is about to be, or was just, taken; None where none is looked at."""

    event: Any = None
    feed: str = ""


NO_SIGHT = Sight()

Ask = Callable[[Any, str, int, Sight], list[Progress]]
"""Of an operator's logic, a key, an instant (UTC ms) and an event: its tries, if it has any."""


def tried(life: Life, key: str, part: str, at_ms: int, steps: list[Step]) -> Progress:
    """A try of a key: the operator's own steps, and behind them those of its alert."""
    return Progress(part, (*steps, *alert_steps(life, key, part, at_ms)))


def alert_steps(life: Life, key: str, part: str, at_ms: int) -> list[Step]:
    """What stands between a condition that holds and its alert.

    That is `for`, the schedule, the exceptions, the pause after the last alert and the budget, as
    far as the rule declares them. They are asked only once the condition holds.
    """
    judge = life.judge
    episode = life.find(key, part)
    if episode is None:
        return [] if not judge.for_ms else [Step("alert-for", None, 0, judge.for_ms, "ms")]
    fired = episode.phase is not Phase.PENDING
    steps: list[Step] = []
    if judge.for_ms:
        held = judge.for_ms if fired else min(at_ms - episode.hold_from, judge.for_ms)
        steps.append(Step("alert-for", held >= judge.for_ms, held, judge.for_ms, "ms"))
    if not fired:
        steps += _kept_back(life, key, episode, at_ms)
    else:
        words: Any = getattr(judge, "words", None)
        excepts = () if words is None else words.excepts
        steps += [Step("alert-except", met=True, found={"text": text}) for text, _ in excepts]
    if fired and episode.facts.get("quiet"):
        steps.append(Step("alert-budget", met=False, need=judge.budget.limit))
    if fired and not episode.facts.get("quiet"):
        name = "alert-clearing" if episode.phase is Phase.CLEARING else "alert-fired"
        steps.append(Step(name, met=True, at_ms=episode.since))
    return steps


def _kept_back(life: Life, key: str, episode: Episode, at_ms: int) -> list[Step]:
    """What may keep a pending alert quiet though its condition holds."""
    judge: Any = life.judge
    steps: list[Step] = []
    opens = judge.closed_until(at_ms)
    if opens:
        steps.append(Step("alert-schedule", met=False, at_ms=opens))
    words = getattr(judge, "words", None)
    for text, test in () if words is None else words.excepts:
        names = judge.names(key, episode.event, at_ms, episode)
        excepted = test(episode.event, names) is True
        steps.append(Step("alert-except", not excepted, found={"text": text}))
    rest = life.rests.get(key, {}).get(episode.part if judge.by_part else "")
    if rest is not None and at_ms < rest.until:
        steps.append(Step("alert-cooldown", met=False, at_ms=rest.until))
    return steps
