"""Why a record could not become an event: a bounded list, fit for a metric label."""

from enum import StrEnum
from typing import final


class Reason(StrEnum):
    """What was wrong with a record. The dead letter carries it with the field's name."""

    TOO_LARGE = "too-large"
    NOT_TEXT = "not-text"
    NOT_JSON = "not-json"
    NOT_CSV = "not-csv"
    NOT_OBJECT = "not-object"
    TOO_DEEP = "too-deep"
    REPEATED_FIELD = "repeated-field"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    OUT_OF_RANGE = "out-of-range"
    NOT_ALLOWED = "not-allowed"
    TOO_LONG = "too-long"
    BAD_KEY = "bad-key"
    BAD_PLATE = "bad-plate"
    BAD_TIME = "bad-time"
    TOO_FAR_AHEAD = "too-far-ahead"
    BAD_POSITION = "bad-position"
    SWAPPED_POSITION = "swapped-position"
    NULL_ISLAND = "null-island"
    NOT_LOCATED = "not-located"
    IMPOSSIBLE_JUMP = "impossible-jump"
    STUCK = "stuck"


@final
class BadValue(ValueError):
    """A value is not what its field declares: a bounded reason, and the field as `detail`."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
