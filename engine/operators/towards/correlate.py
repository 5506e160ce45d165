"""How far signals about a key are: which count, which are missing, how many are needed."""

from engine.model.progress import Progress, Step
from engine.operators.correlate import CorrelateLogic, Signals
from engine.operators.towards.base import Sight, tried


def correlate(logic: CorrelateLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """The signals of the key that count now."""
    rules = logic.spec.signals
    signals = logic.keys.get(key) or Signals()
    counting = {
        number: seen
        for number, seen in signals.seen.items()
        if seen.open or at_ms < seen.at + rules[number].within_ms
    }
    present = ", ".join(rules[number].name for number in sorted(counting)) or "—"
    missing = ", ".join(
        signal.name for number, signal in enumerate(rules) if number not in counting
    )
    found = {"present": present, "missing": missing or "—"}
    score = sum(logic.worth(number, seen, at_ms) for number, seen in counting.items())
    now = Signals()
    now.seen = counting
    met = bool(counting) and logic.is_enough(now, score)
    if logic.condition is not None and logic.spec.condition is not None:
        step = Step("correlate-condition", met, found={**found, "text": logic.spec.condition.text})
    elif logic.spec.at_least:
        step = Step("correlate-count", met, len(counting), logic.spec.at_least, found=found)
    else:
        step = Step("correlate-score", met, round(score, 4), logic.spec.reach, found=found)
    ends = [
        Step(
            "correlate-open" if seen.open else "correlate-seen",
            met=True,
            at_ms=seen.at,
            found={
                "signal": rules[number].name,
                "until_at": seen.at + rules[number].within_ms,
                "worth": round(logic.worth(number, seen, at_ms), 4),
            },
        )
        for number, seen in sorted(counting.items())
    ]
    return [tried(logic.life, key, "", at_ms, [*ends, step])]
