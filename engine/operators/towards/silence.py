"""How far a silence is: since when nothing came, and when that is too long."""

from engine.model.progress import Progress, Step
from engine.operators.silence import SilenceLogic
from engine.operators.towards.base import Sight, tried


def silence(logic: SilenceLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """The key's present silence."""
    watch = logic.keys.get(key)
    if logic.roster is not None and key not in logic.roster:
        return [tried(logic.life, key, "", at_ms, [Step("silence-roster", met=False)])]
    if watch is None:
        return [tried(logic.life, key, "", at_ms, [Step("silence-seen", met=False)])]
    due, stint = logic.next_due(key, watch.last, at_ms)
    since = max(watch.last, stint.start)
    name = "silence-never" if watch.event is None else "silence-last"
    steps = [Step(name, met=True, at_ms=watch.last)]
    if due is None:
        steps.append(Step("silence-expected", met=False))
    elif at_ms < since:
        steps.append(Step("silence-expected-from", met=False, at_ms=since))
    else:
        quiet, need = at_ms - since, due - since
        steps.append(Step("silence-held", at_ms >= due, min(quiet, need), need, "ms", due))
    return [tried(logic.life, key, "", at_ms, steps)]
