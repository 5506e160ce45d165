"""What operators of deliveries see of them: which alert it is, and nothing about a person.

What is not known to be harmless is hidden: a body may be anybody's, a peer may repeat any of it.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from engine.model.masks import mask_name, mask_text

OPEN = frozenset(
    {
        "delivery_id", "episode_id", "rule", "rule_hash", "transition", "ordinal", "at_ms",
        "since_ms", "severity", "status", "held_ms", "basis", "playbook", "units", "dispatch",
        "owner", "pack", "version",
    }
)  # fmt: skip
"""Fields of a change that come from declarations and from the clock, never from an event."""

_SHORTEST, _NAME = 2, 4
_SIGNS, _LETTERS, _LATIN = 2, 5, "\u2e7f"
"""So much in common with a body is hidden: of Chinese, and of anything else."""
_PLACES = {"lon", "lat"}
_DEGREES = 2
"""Decimals that a position keeps: about a kilometre."""
_NUMBERS = re.compile(r"\d{6,}")


def masked_body(body: bytes) -> dict[str, Any]:
    """A body to be shown: open fields as they are, the others masked, texts left out."""
    found = _plain(body)
    shown: dict[str, Any] = {name: value for name, value in found.items() if name in OPEN}
    for name in sorted(found.keys() - OPEN):
        value = found[name]
        if name in _PLACES and isinstance(value, int | float):
            shown[name] = round(value, _DEGREES)
        elif name in {"key", "evidence"}:
            shown[name] = _masked(value)
    return shown


def concealed(text: str, body: bytes) -> str:
    """A text about a delivery, such as a peer's answer, without what its body says of anybody.

    Whatever stands in the body too is hidden, be it a whole value or a part of a sentence.
    """
    found = _plain(body)
    known = {one for name in found.keys() - OPEN for one in _words(found[name])}
    places = [digits.span() for digits in _NUMBERS.finditer(text)]
    for one in known:
        places += _shared(text, one)
    covered = [False] * len(text)
    for start, end in places:
        covered[start:end] = [not char.isspace() for char in text[start:end]]
    shown = [
        hidden("".join(char for char, _ in run)) if is_covered else "".join(char for char, _ in run)
        for is_covered, run in groupby(zip(text, covered, strict=True), key=itemgetter(1))
    ]
    return "".join(shown)


def _shared(text: str, known: str) -> Iterator[tuple[int, int]]:
    """Where a text holds a part of a known one: all of it, or enough of it to tell something."""
    start = 0
    while start < len(text):
        end = start
        while end < len(text) and text[start : end + 1] in known:
            end += 1
        part = text[start:end]
        if len(part) >= (_SIGNS if any(char > _LATIN for char in part) else _LETTERS) or (
            part == known
        ):
            yield start, end
            start = end
        else:
            start += 1


def hidden(word: str) -> str:
    """A text that may be anything: of a short one, as names are, only the first character stays."""
    return mask_name(word) if len(word) <= _NAME else mask_text(word)


def _plain(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _masked(value: Any) -> Any:
    """Any plain value with its texts and long numbers masked, its fractions coarse."""
    match value:
        case dict():
            return {name: _masked(part) for name, part in value.items()}
        case list():
            return [_masked(part) for part in value]
        case str():
            return hidden(value)
        case float():
            return round(value, _DEGREES)
        case int() if _NUMBERS.search(str(value)):
            return mask_text(str(value))
        case _:
            return value


def _words(value: Any) -> Iterator[str]:
    """Every text in a value that is long enough to be known again."""
    match value:
        case dict():
            for part in value.values():
                yield from _words(part)
        case list():
            for part in value:
                yield from _words(part)
        case str() if len(value) >= _SHORTEST:
            yield value
