"""The closed list of functions that expressions may call: what each takes and answers.

What they compute is in `runtime.py`; here is what the checker must know.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.ruleset.expr.types import (
    BOOL,
    LIST,
    NUMBER,
    POSITION,
    RECORD,
    TEXT,
    TIME,
    Type,
)

ANY = (NUMBER, TEXT, BOOL, TIME, POSITION, RECORD, LIST)


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes:
        takes: For each argument the kinds it may have. The last repeats up to `most`.
        gives: What it answers, before nulls; None if that follows from the arguments.
        least: Fewest arguments.
        most: Most arguments.
        literal: Positions of arguments that must be written as a text in quotes.
        nullable: It may answer null though no argument is null.
        usage: How it is written, for messages and lists.

    """

    takes: tuple[tuple[str, ...], ...]
    gives: Type | None
    least: int
    most: int
    usage: str
    literal: tuple[int, ...] = ()
    nullable: bool = False


_NUMBERS = ((NUMBER,),)
_BOOL = Type(BOOL)
_TEXT = Type(TEXT)
_PLAIN = Type(NUMBER)

FUNCTIONS: Mapping[str, Function] = {
    "distance": Function(
        ((POSITION,), (POSITION,)), Type(NUMBER, unit="m"), 2, 2, "distance(position, anchor)"
    ),
    "inside": Function(
        ((POSITION,), (TEXT,)), _BOOL, 2, 2, 'inside(position, "licensed-sites")', nullable=True
    ),
    "hour": Function(((TIME,),), _PLAIN, 1, 1, "hour(event_time)"),
    "weekday": Function(((TIME,),), _PLAIN, 1, 1, "weekday(event_time)"),
    "workday": Function(((TIME,), (TEXT,)), _BOOL, 1, 2, 'workday(event_time, "cn")', literal=(1,)),
    "shift": Function(
        ((TIME,), (TEXT,)), _TEXT, 2, 2, 'shift(event_time, "plant")', literal=(1,), nullable=True
    ),
    "age": Function(((TIME,),), Type(NUMBER, unit="ms"), 1, 1, "age(since)"),
    "exists": Function((ANY,), _BOOL, 1, 1, "exists(site)"),
    "missing": Function((ANY,), _BOOL, 1, 1, "missing(speed)"),
    "coalesce": Function((ANY,), None, 1, 20, "coalesce(speed, 0 km/h)"),
    "abs": Function(_NUMBERS, None, 1, 1, "abs(change)"),
    "min": Function(_NUMBERS, None, 1, 20, "min(a, b)"),
    "max": Function(_NUMBERS, None, 1, 20, "max(a, b)"),
    "round": Function(_NUMBERS, None, 1, 2, "round(value, 1)"),
    "len": Function(((TEXT, LIST),), _PLAIN, 1, 1, "len(name)"),
    "lower": Function(((TEXT,),), _TEXT, 1, 1, "lower(name)"),
    "starts_with": Function(((TEXT,), (TEXT,)), _BOOL, 2, 2, 'starts_with(plate, "苏F")'),
    "ends_with": Function(((TEXT,), (TEXT,)), _BOOL, 2, 2, 'ends_with(plate, "-yellow")'),
    "contains": Function(((TEXT, LIST), (TEXT,)), _BOOL, 2, 2, 'contains(name, "化工")'),
    "matches": Function(
        ((TEXT,), (TEXT,)), _BOOL, 2, 2, 'matches(plate, "^苏F[0-9]{5}$")', literal=(1,)
    ),
    "any_of": Function(((TEXT,), (LIST,)), _BOOL, 2, 2, 'any_of(content, ["爆炸", "泄漏"])'),
    "mask": Function(((TEXT,), (TEXT,)), _TEXT, 1, 2, 'mask(driver, "name")', literal=(1,)),
}
"""Every function by name. Unless it says otherwise, a null argument makes the answer null."""

MASKS = ("plate", "phone", "name", "text")
"""What `mask` may be told to hide; `text` when it is told nothing."""
