"""How far a sequence is: which steps happened, and what is waited for until when."""

from engine.model.progress import Progress, Step
from engine.operators.sequence import Book, SequenceLogic
from engine.operators.sequence_runs import Run
from engine.operators.towards.base import Sight, tried


def sequence(logic: SequenceLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """Each run of the key, the oldest first; or that none has begun."""
    book = logic.keys.get(key)
    musts = len(logic.path.musts)
    if book is None:
        return [tried(logic.life, key, "", at_ms, _nothing(logic))]
    if book.told or (not book.runs and key in logic.life.open):
        done = [Step("sequence-done", True, musts, musts)]
        return [tried(logic.life, key, book.part, at_ms, done)]
    if not book.runs:
        rest = [Step("sequence-rest", False, at_ms=book.rest)] if book.rest > at_ms else []
        return [tried(logic.life, key, "", at_ms, [*rest, *_nothing(logic)])]
    return [_run(logic, key, book, run, at_ms) for run in book.runs]


def _nothing(logic: SequenceLogic) -> list[Step]:
    """No run has begun."""
    first = logic.path.musts[0]
    found = {"step": first.name or str(first.number), "feed": first.feed}
    return [Step("sequence-first", False, 0, first.times, found=found)]


def _run(logic: SequenceLogic, key: str, book: Book, run: Run, at_ms: int) -> Progress:
    """The steps that happened, the one that is waited for, and the watch at the end."""
    path = logic.path
    steps = [
        Step("sequence-step", True, at_ms=taken.at, found={"step": step.name or str(step.number)})
        for step, taken in zip(path.musts[: run.at], run.steps, strict=False)
    ]
    until = path.limit(run)
    for step in path.musts[run.at :]:
        waits = step is path.musts[run.at]
        have = run.steps[-1].count if waits and len(run.steps) > run.at else 0
        found = {"step": step.name or str(step.number), "feed": step.feed}
        if waits:
            steps.append(Step("sequence-wait", False, have, step.times, "", until, found))
        else:
            steps.append(Step("sequence-later", False, have, step.times, found=found))
    if path.closing:
        names = ", ".join(step.name or str(step.number) for step in path.closing)
        found = {"step": names}
        if run.due:
            waited, need = at_ms - run.before, run.due - run.before
            met = at_ms >= run.due
            steps.append(
                Step("sequence-absent", met, min(waited, need), need, "ms", run.due, found)
            )
        else:
            steps.append(Step("sequence-absent-later", False, found=found))
    barred = book.rest > at_ms
    if barred:
        steps.append(Step("sequence-rest", False, at_ms=book.rest))
    part = run.part if key in logic.life.open else ""
    progress = tried(logic.life, key, part, at_ms, steps)
    return Progress(str(run.start), progress.steps)
