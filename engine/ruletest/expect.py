"""What an author expects of a case, and how it compares with what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.errors import Location, Problem
from engine.model.change import Change, Transition
from engine.ruletest.moments import Moments, offset
from engine.text import say


class Word(StrEnum):
    """The words of an expectation."""

    HIT = "hit"
    NEAR_MISS = "near-miss"
    TODO_HIT = "todo-hit"
    TODO_MISS = "todo-miss"
    RAISED = "raised"
    CLEARED = "cleared"
    RETRACTED = "retracted"
    VERIFIED = "verified"


_TRANSITION = {
    Word.HIT: Transition.FIRED,
    Word.NEAR_MISS: Transition.FIRED,
    Word.TODO_HIT: Transition.FIRED,
    Word.TODO_MISS: Transition.FIRED,
    Word.RAISED: Transition.RAISED,
    Word.CLEARED: Transition.CLEARED,
    Word.RETRACTED: Transition.RETRACTED,
    Word.VERIFIED: Transition.VERIFIED,
}
_MUST_BE_EXPECTED = (Transition.FIRED, Transition.RAISED, Transition.RETRACTED)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line under `expect`: what must come, or must not, and how exactly it is looked at.

    Attributes:
        at_ms: The expected instant (UTC ms), or None for any.
        within_ms: How far off the instant may be.
        text: A piece of the alert's title or summary, in any language.
        reason: Why an author believes in a miss; only for reading.

    """

    word: Word
    at: Location
    at_ms: int | None = None
    within_ms: int = 0
    severity: str = ""
    text: str = ""
    key: str = ""
    rule: str = ""
    reason: str = ""

    def concerns(self, change: Change) -> bool:
        """Whether a change is of the kind, rule and key that this line speaks of."""
        return (
            change.transition == _TRANSITION[self.word]
            and self.rule in ("", change.rule)
            and self.key in ("", change.key)
        )

    def differences(self, change: Change, moments: Moments, lang: str) -> list[str]:
        """In what a change differs from this line; empty when it meets it."""
        found = []
        if self.at_ms is not None and abs(change.at_ms - self.at_ms) > self.within_ms:
            apart, at = offset(change.at_ms - self.at_ms), moments.clock(change.at_ms)
            found.append(say("test-differs-time", lang, at=at, apart=apart))
        if self.severity not in ("", change.severity):
            found.append(say("test-differs-severity", lang, severity=change.severity))
        if self.text and not any(self.text in words for words in _texts(change)):
            found.append(say("test-differs-text", lang, text=" | ".join(_texts(change))))
        return found

    def describe(self, moments: Moments, lang: str) -> str:
        """The expectation as words: what, when, how severe, about whom, with which text."""
        parts = [say(f"test-word-{self.word}", lang)]
        if self.at_ms is not None:
            about = "~" if self.within_ms else ""
            parts.append(about + moments.clock(self.at_ms))
        parts += [part for part in (self.severity, self.rule, self.key) if part]
        if self.text:
            parts.append(f"“{self.text}”")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One way in which a case went otherwise than expected; words are put in when it is read."""

    code: str
    at: Location
    expected: Expectation | None = None
    change: Change | None = None
    problem: Problem | None = None
    found: Mapping[str, object] = field(default_factory=dict)

    def sentence(self, moments: Moments, lang: str) -> str:
        """What was expected, what came, and the distance between the two."""
        words = dict(self.found)
        if self.expected is not None:
            words["expected"] = self.expected.describe(moments, lang)
            words["reason"] = f" ({self.expected.reason})" if self.expected.reason else ""
        if self.change is not None:
            words["came"] = describe(self.change, moments, lang)
        if self.problem is not None:
            words["problem"] = self.problem.what(lang)
        text = say(self.code, lang, **words)
        if self.expected is not None and self.change is not None:
            differences = self.expected.differences(self.change, moments, lang)
            text += "".join(f"\n      {line}" for line in differences)
        return text


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case compares: what failed, and which `todo` lines hold by now or still wait."""

    failures: tuple[Mismatch, ...] = ()
    done_todos: tuple[Expectation, ...] = ()
    open_todos: tuple[Expectation, ...] = ()


def compare(
    expected: Sequence[Expectation], came: Sequence[Change], at: Location, moments: Moments
) -> Verdict:
    """Hold what came against what was expected.

    Every `hit`, `raised`, `cleared`, `verified` and `retracted` line needs its own change. Alerts,
    raises and retractions that no line names are failures; a clear or a proof that no line names is
    not. `todo` lines never fail: a `todo-hit` that came and a `todo-miss` that stayed away are
    reported as done.
    """
    left = list(came)
    failures: list[Mismatch] = []
    done: list[Expectation] = []
    waiting: list[Expectation] = []
    wanted = [line for line in expected if line.word not in (Word.NEAR_MISS, Word.TODO_MISS)]
    unmet = []
    for line in wanted:
        meets = [c for c in left if line.concerns(c) and not line.differences(c, moments, "en")]
        if meets:
            left.remove(meets[0])
            if line.word is Word.TODO_HIT:
                done.append(line)
        elif line.word is Word.TODO_HIT:
            waiting.append(line)
        else:
            unmet.append(line)
    for line in unmet:
        near = _nearest(line, left)
        if near is None:
            failures.append(Mismatch("test-nothing-came", line.at, expected=line))
        else:
            left.remove(near)
            failures.append(Mismatch("test-came-otherwise", line.at, expected=line, change=near))
    for line in expected:
        came_still = [change for change in left if line.concerns(change)]
        if line.word is Word.TODO_MISS:
            (waiting if came_still else done).append(line)
            left = [change for change in left if change not in came_still]
        elif line.word is Word.NEAR_MISS and came_still:
            first = came_still[0]
            failures.append(Mismatch("test-near-miss-hit", line.at, expected=line, change=first))
            left = [change for change in left if change not in came_still]
    failures += [
        Mismatch("test-unexpected", at, change=change)
        for change in left
        if change.transition in _MUST_BE_EXPECTED
    ]
    return Verdict(tuple(failures), tuple(done), tuple(waiting))


def describe(change: Change, moments: Moments, lang: str) -> str:
    """A change in one line: what happened, when, how severe, which rule and key, which text."""
    summary = change.summary.get(lang) or next(iter(_texts(change)), "")
    happened = say(f"transition-{change.transition}", lang)
    line = f"{happened} {moments.clock(change.at_ms)} {change.severity} {change.rule} {change.key}"
    return f"{line} “{summary}”" if summary else line


def _nearest(line: Expectation, left: Sequence[Change]) -> Change | None:
    """The change an author most probably meant: right kind, nearest in time."""
    alike = [change for change in left if line.concerns(change)]
    if line.at_ms is None:
        return alike[0] if alike else None
    goal = line.at_ms
    return min(alike, key=lambda change: abs(change.at_ms - goal), default=None)


def _texts(change: Change) -> list[str]:
    return [*change.summary.values(), *change.title.values()]
