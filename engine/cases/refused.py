"""Why the desk does not do what it is asked, and what it would do instead."""

from collections.abc import Sequence
from enum import StrEnum
from typing import final

from engine.cases.model import Incident, State, Verb
from engine.errors import ForewarnError
from engine.text import say


class Why(StrEnum):
    """Reasons of a refusal: a bounded list, fit for metrics and for programs."""

    UNKNOWN = "unknown-case"
    MERGED = "merged-case"
    STATE = "wrong-state"
    ROLE = "wrong-role"
    DEPARTMENT = "wrong-department"
    AREA = "wrong-area"
    NOT_ASKED = "not-asked"
    DETAIL = "needs-detail"
    REASON = "needs-reason"
    BAD_DETAIL = "bad-detail"
    CHANGED = "changed-meanwhile"
    REUSED = "request-reused"
    PROOF = "proof-missing"
    NO_DEPARTMENT = "no-department"
    UNKNOWN_DEPARTMENT = "unknown-department"
    SAME_DEPARTMENT = "same-department"
    NO_TIER = "no-tier-above"
    NO_LIMIT = "no-limit-runs"
    NOT_EXTENDED = "cannot-be-extended"
    EXTENDED = "extended-already"
    TOO_LONG = "extended-too-long"
    OVERDUE = "overdue-already"
    PAUSED = "paused-already"
    NOT_PAUSED = "not-paused"
    NOTHING_PAUSES = "nothing-to-pause"
    RETURN_LATE = "returned-too-late"
    MERGE = "cannot-merge"
    CALENDAR = "calendar-too-short"


@final
class Refused(ForewarnError):
    """A request that is not done, and why.

    Attributes:
        code: Why, from a bounded list.
        incident: Id of the case; `number` and `state` as people know it, empty if there is none.
        allowed: What this account may ask of the case instead.
        found: The words in the sentence.

    """

    def __init__(
        self,
        code: Why,
        incident: Incident | str,
        allowed: Sequence[Verb] = (),
        **found: object,
    ) -> None:
        case = incident if isinstance(incident, Incident) else None
        self.code = code
        self.incident = incident.id if isinstance(incident, Incident) else incident
        self.number = case.number if case else ""
        self.state: State | None = case.state if case else None
        self.version = case.version if case else 0
        self.allowed = tuple(allowed)
        self.found = found
        super().__init__(f"{self.number or self.incident}: {self.what('en')}")

    def what(self, lang: str) -> str:
        """The sentence in one language."""
        return say(f"refused-{self.code}", lang, **self._words(lang))

    def hint(self, lang: str) -> str:
        """What may be asked instead; empty when there is nothing."""
        if not self.allowed:
            return ""
        joined = say("case-list-comma", lang).join(verb_word(verb, lang) for verb in self.allowed)
        return say("refused-allowed", lang, verbs=joined)

    def _words(self, lang: str) -> dict[str, object]:
        """Verbs, states and roles by their names in this language; the rest as it is."""
        words = {"case": self.number or self.incident, **self.found}
        for name, prefix in (("verb", "case-verb"), ("state", "case-state"), ("role", "case-role")):
            if name in words:
                words[name] = say(f"{prefix}-{words[name]}", lang)
        missing = words.get("missing")
        if isinstance(missing, tuple):
            named = [say(f"case-proof-{name}", lang) for name in missing]
            words["missing"] = say("case-list-comma", lang).join(named)
        return words


def verb_word(verb: Verb, lang: str) -> str:
    """What people call a verb."""
    return say(f"case-verb-{verb}", lang)
