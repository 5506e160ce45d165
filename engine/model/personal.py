"""What personal data looks like in free text, and how each kind of it is masked."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.model.masks import mask_id, mask_name, mask_phone, mask_plate
from engine.model.plates import PROVINCES

MASKS: Mapping[str, Callable[[str], str]] = {
    "plate": mask_plate,
    "phone": mask_phone,
    "caller": mask_phone,
    "name": mask_name,
    "id": mask_id,
}
"""How a kind is masked; every other kind has its middle hidden."""

_ALONE = r"(?<!\d\.)(?<![0-9A-Za-z]){}(?![0-9A-Za-z])"
_PLATE = (
    rf"[{PROVINCES}][A-HJ-NP-Za-hj-np-z][ ·•]?[A-HJ-NP-Za-hj-np-z0-9]{{4,5}}"
    r"[0-9A-Za-z挂学警港澳](?![0-9A-Za-z])"
)
LOOKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("id", re.compile(_ALONE.format(r"[1-9]\d{5}(?:18|19|20)\d{9}[\dXx]"))),
    ("phone", re.compile(_ALONE.format(r"(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}"))),
    ("phone", re.compile(_ALONE.format(r"0\d{2,3}-\d{7,8}"))),
    ("plate", re.compile(_PLATE)),
    ("other", re.compile(r"[\w.+-]{1,64}(?=@[\w-]+\.[\w.-]+)")),
)
"""Kinds that are recognised by themselves: identity numbers, phones, plates, mail addresses."""

PHONES = range(13_000_000_000, 20_000_000_000)
"""Numbers that are mobile phones."""


PERSONAL = "personal"
"""Under it a change says which of its fields hold which kind of personal data."""
PERSONAL_VALUES = "personal_values"
"""Under it a document of the case desk says which values in it are personal data, of which kind."""


def values_of(document: Any, kinds: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every value of a personal field of a decoded document, with its kind."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            kind = kinds.get(name)
            if isinstance(kind, str) and is_plain(value):
                yield str(value), kind
            elif name != PERSONAL:
                yield from values_of(value, kinds)
    elif isinstance(document, list):
        for value in document:
            yield from values_of(value, kinds)


def is_plain(value: Any) -> bool:
    """Whether a value may be personal by itself: a text or a whole number."""
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def whole(value: str) -> str:
    """A value as a pattern that does not match inside a longer word or number."""
    front = r"(?<![0-9A-Za-z])" if value[0].isascii() and value[0].isalnum() else ""
    back = r"(?![0-9A-Za-z])" if value[-1].isascii() and value[-1].isalnum() else ""
    return front + re.escape(value) + back
