"""Personal data cut out of what leaves: by the fields a feed declares, and by what looks like it.

A document may say under `personal` which of its fields hold which kind of personal data, or under
`personal_values` which values do. These values are found wherever they stand in it (the alert's
subject, its sentences) and masked there. Plates, phone numbers, ID numbers and mail addresses are
recognised without that.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel

from engine.model.masks import mask_phone, mask_text
from engine.model.personal import (
    LOOKS,
    MASKS,
    PERSONAL,
    PERSONAL_VALUES,
    PHONES,
    values_of,
    whole,
)

_OPAQUE = frozenset(
    {
        "delivery_id", "episode_id", "rule", "rule_hash", "transition", "severity", "level",
        "status", "pack", "owner", "playbook", "dispatch", "document", "incident", "version",
    }
)  # fmt: skip
"""Names under which stands what identifies a message or a rule, never a person."""

_SHORTEST = 2


class Discreet(BaseModel):
    """A base of the options of every sink; the next two say what holds when nothing is declared.

    Attributes:
        personal: `masked` where plates, numbers and names of people must not be read, else `full`.

    """

    personal: Literal["masked", "full"]


class ToPeople(Discreet):
    """For a sink that people read: a group, a mailbox, a screen."""

    personal: Literal["masked", "full"] = "masked"


class ToSystems(Discreet):
    """For a sink that another system reads."""

    personal: Literal["masked", "full"] = "full"


def masked(document: Any) -> Any:
    """A copy of a decoded JSON document in which no personal data can be read."""
    known = {value: MASKS.get(kind, mask_text)(value) for value, kind in _known(document)}
    if isinstance(document, Mapping):
        document = {name: one for name, one in document.items() if name != PERSONAL_VALUES}
    longest = sorted((value for value in known if len(value) >= _SHORTEST), key=len, reverse=True)
    pattern = re.compile("|".join(map(whole, longest))) if longest else None

    def clean(text: str) -> str:
        if text in known:
            return known[text]
        if pattern is not None:
            text = pattern.sub(lambda hit: known[hit[0]], text)
        return without_personal(text)

    return _walk(document, clean, known)


def without_personal(text: str) -> str:
    """A text in which what looks like a plate, phone, ID number or mail address is masked."""
    for kind, pattern in LOOKS:
        mask = MASKS.get(kind, mask_text)
        text = pattern.sub(lambda hit, mask=mask: mask(hit[0]), text)  # type: ignore[misc]
    return text


def _known(document: Any) -> Iterator[tuple[str, str]]:
    """Values that a document says are personal, with their kinds."""
    if isinstance(document, Mapping):
        said = document.get(PERSONAL_VALUES)
        if isinstance(said, Mapping):
            yield from ((value, str(kind)) for value, kind in said.items() if value)
        kinds = document.get(PERSONAL)
        if isinstance(kinds, Mapping):
            yield from values_of(document, kinds)


def _walk(value: Any, clean: Callable[[str], str], known: Mapping[str, str]) -> Any:
    match value:
        case str():
            return clean(value)
        case bool() | None | float():
            return value
        case int():
            if str(value) in known:
                return known[str(value)]
            return mask_phone(str(value)) if value in PHONES else value
        case list():
            return [_walk(item, clean, known) for item in value]
        case Mapping():
            return {
                clean(name): item
                if name in _OPAQUE and isinstance(item, str)
                else _walk(item, clean, known)
                for name, item in value.items()
            }
    return value
