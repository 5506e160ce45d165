"""`correlate` made ready: for each feed the signals its events may be."""

from engine.operators.correlate import CorrelateLogic, SignalTest
from engine.operators.specs.correlate import CorrelateSpec
from engine.ruleset.making.base import Make, Making


def tests_of(when: CorrelateSpec, at: Making) -> dict[str, list[SignalTest]]:
    """For each feed the signals that its events may be."""
    tests: dict[str, list[SignalTest]] = {feed: [] for feed in at.rule.feeds}
    for number, signal in enumerate(when.signals):
        names = at.names if signal.where is not None and at.asks_more(signal.where) else None
        tests[signal.feed].append(SignalTest(number, signal.rule, at.maybe(signal.where), names))
    return tests


def make(when: CorrelateSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    tests, condition = tests_of(when, at), at.maybe(when.condition)
    return lambda host, emit, overflow, _owns: CorrelateLogic(
        when, tests, condition, at.judge(emit, overflow), host, at.codec
    )
