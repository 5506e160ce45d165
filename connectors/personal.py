"""Personal data cut out of what leaves: by the fields a feed declares, and by what looks like it.

A document may say under `personal` which of its fields hold which kind of personal data. Their
values are found wherever they stand in it (the alert's subject, its sentences) and masked there.
Plates, phone numbers, ID numbers and mail addresses are recognised without that.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.model.masks import mask_id, mask_name, mask_phone, mask_plate, mask_text
from engine.model.plates import PROVINCES

PERSONAL = "personal"
_OPAQUE = frozenset(
    {
        "delivery_id", "episode_id", "rule", "rule_hash", "transition", "severity", "level",
        "status", "pack", "owner", "playbook", "dispatch", "document", "incident", "version",
    }
)  # fmt: skip
"""Names under which stands what identifies a message or a rule, never a person."""

_MASKS: Mapping[str, Callable[[str], str]] = {
    "plate": mask_plate,
    "phone": mask_phone,
    "caller": mask_phone,
    "name": mask_name,
    "id": mask_id,
}
_ALONE = r"(?<!\d\.)(?<![0-9A-Za-z]){}(?![0-9A-Za-z])"
_PLATE_NUMBER = rf"[{PROVINCES}][A-HJ-NP-Za-hj-np-z][ ·•]?[A-HJ-NP-Za-hj-np-z0-9]{{4,5}}"
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(_ALONE.format(r"[1-9]\d{5}(?:18|19|20)\d{9}[\dXx]")), mask_id),
    (re.compile(_ALONE.format(r"(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}")), mask_phone),
    (re.compile(_ALONE.format(r"0\d{2,3}-\d{7,8}")), mask_phone),
    (re.compile(_PLATE_NUMBER + r"[0-9A-Za-z挂学警港澳](?![0-9A-Za-z])"), mask_plate),
    (re.compile(r"[\w.+-]{1,64}(?=@[\w-]+\.[\w.-]+)"), mask_text),
)
_PHONE = range(13_000_000_000, 20_000_000_000)
_SHORTEST = 2


def masked(document: Any) -> Any:
    """A copy of a decoded JSON document in which no personal data can be read."""
    kinds = document.get(PERSONAL) if isinstance(document, Mapping) else None
    known = dict(_values(document, kinds)) if isinstance(kinds, Mapping) else {}
    longest = sorted((value for value in known if len(value) >= _SHORTEST), key=len, reverse=True)
    pattern = re.compile("|".join(map(_whole, longest))) if longest else None

    def clean(text: str) -> str:
        if text in known:
            return known[text]
        if pattern is not None:
            text = pattern.sub(lambda hit: known[hit[0]], text)
        return without_personal(text)

    return _walk(document, clean, known)


def without_personal(text: str) -> str:
    """A text in which what looks like a plate, phone, ID number or mail address is masked."""
    for pattern, mask in _PATTERNS:
        text = pattern.sub(lambda hit, mask=mask: mask(hit[0]), text)  # type: ignore[misc]
    return text


def _values(document: Any, kinds: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every value of a personal field, with how it reads when masked."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            kind = kinds.get(name)
            if isinstance(kind, str) and _is_plain(value):
                yield str(value), _MASKS.get(kind, mask_text)(str(value))
            elif name != PERSONAL:
                yield from _values(value, kinds)
    elif isinstance(document, list):
        for value in document:
            yield from _values(value, kinds)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _whole(value: str) -> str:
    """A value as a pattern that does not match inside a longer word or number."""
    front = r"(?<![0-9A-Za-z])" if value[0].isascii() and value[0].isalnum() else ""
    back = r"(?![0-9A-Za-z])" if value[-1].isascii() and value[-1].isalnum() else ""
    return front + re.escape(value) + back


def _walk(value: Any, clean: Callable[[str], str], known: Mapping[str, str]) -> Any:
    match value:
        case str():
            return clean(value)
        case bool() | None | float():
            return value
        case int():
            if str(value) in known:
                return known[str(value)]
            return mask_phone(str(value)) if value in _PHONE else value
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
