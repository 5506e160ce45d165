"""`sequence` made ready: every step with its condition compiled."""

from engine.operators.sequence import SequenceLogic
from engine.operators.sequence_runs import Step
from engine.operators.specs.sequence import SequenceSpec
from engine.ruleset.making.base import Make, Making


def make(when: SequenceSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    steps = [
        Step(
            number=number,
            feed=step.feed,
            test=at.maybe(step.where),
            name=step.name,
            within_ms=step.within_ms,
            times=step.times,
            asks=step.where is not None and (step.refers or at.asks_more(step.where)),
        )
        for number, step in enumerate(when.steps, start=1)
    ]
    return lambda host, emit, overflow, _owns: SequenceLogic(
        when, steps, at.names, at.judge(emit, overflow), host, at.codec
    )
