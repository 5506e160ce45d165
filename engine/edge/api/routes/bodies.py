"""What each move is asked with: its details in the words of the case's life."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from engine.cases.model import Stage, Verb, Verdict
from engine.edge.api.taken import Body, Instant, Name, Reason, Words
from engine.model.severity import Severity

Person = Annotated[str, Field(min_length=1, max_length=64)]


class Said(Body):
    """A move with nothing but a reason, which may be left out."""

    reason: Words = ""

    def details(self) -> dict[str, Any]:
        """Everything but the reason, without what was left out."""
        return self.model_dump(mode="json", exclude={"reason"}, exclude_none=True)


class Reasoned(Said):
    """A move that needs a reason."""

    reason: Reason


class Signed(Said):
    """Who deals with it, if that is known already."""

    person: Person | None = None


class Escalated(Reasoned):
    """A higher level, if the matter is worth one."""

    severity: Severity | None = None


class Ordered(Said):
    """Who gets the order: a department in charge, who carries it out, who helps."""

    department: Name | None = None
    host: Name | None = None
    assisting: Annotated[list[Name], Field(max_length=20)] | None = None


class Assigned(Ordered):
    """Another department, or a person of the one that has the case."""

    person: Person | None = None


class Resolved(Said):
    """What was found on the spot and done, and what the case turned out to be."""

    found: Reason
    done: Words | None = None
    verdict: Verdict | None = None


class CalledBack(Said):
    """What the person who complained says."""

    satisfied: bool
    solved: bool


class Closed(Said):
    """The verdict; one that is not `true` needs a reason."""

    verdict: Verdict


class Merged(Reasoned):
    """The case that takes this one's alerts."""

    into: Annotated[str, Field(min_length=1, max_length=64)]


class Extended(Reasoned):
    """Which limit ends later, and when."""

    stage: Stage
    until_ms: Instant | None = None


class Referred(Said):
    """The outside system that is given an order."""

    sink: Name


BODIES: Mapping[Verb, type[Said]] = {
    Verb.DISPATCH: Ordered,
    Verb.ACKNOWLEDGE: Signed,
    Verb.ASSIGN: Assigned,
    Verb.RETURN: Reasoned,
    Verb.ARRIVE: Said,
    Verb.RESOLVE: Resolved,
    Verb.CALL_BACK: CalledBack,
    Verb.CLOSE: Closed,
    Verb.REOPEN: Reasoned,
    Verb.ESCALATE: Escalated,
    Verb.LIFT: Reasoned,
    Verb.MERGE: Merged,
    Verb.COMMENT: Reasoned,
    Verb.PAUSE: Reasoned,
    Verb.RESUME: Said,
    Verb.EXTEND: Extended,
    Verb.REMIND: Said,
    Verb.SUPERVISE: Reasoned,
    Verb.CRITICISE: Reasoned,
    Verb.REFER: Referred,
}

ABOUT: Mapping[Verb, str] = {
    Verb.DISPATCH: "Send the order out.",
    Verb.ACKNOWLEDGE: "Sign the order: the department has it.",
    Verb.ASSIGN: "Give the case to another department, or to a person.",
    Verb.RETURN: "Give the order back, with the reason: it is not this department's.",
    Verb.ARRIVE: "Somebody is on the spot.",
    Verb.RESOLVE: "Report what was found and done.",
    Verb.CALL_BACK: "Note what the person who complained says.",
    Verb.CLOSE: "Close the case with a verdict.",
    Verb.REOPEN: "The matter goes on: open the case again.",
    Verb.ESCALATE: "Ask for more weight behind the case.",
    Verb.LIFT: "The case goes a tier up.",
    Verb.MERGE: "This case is the same matter as another one.",
    Verb.COMMENT: "Add a remark.",
    Verb.PAUSE: "Stop the clocks, with a reason.",
    Verb.RESUME: "Let the clocks go on.",
    Verb.EXTEND: "Give a limit more time, once, with a reason.",
    Verb.REMIND: "Tell the department in charge once more.",
    Verb.SUPERVISE: "Send a supervision order.",
    Verb.CRITICISE: "Name the department in the bulletin.",
    Verb.REFER: "Hand an order to an outside system.",
}
