"""Personal data hidden from whoever's role has no need of it, as the last step before an answer.

Which fields are personal stands in the feeds (`pii`). Their values are found wherever they stand
in a document: in the key of a rule that is grouped by such a field, in evidence, in sentences.
Plates, phone numbers, identity numbers and mail addresses are recognised in free text as well.
What a role sees in clear is noted, so that the reading of it can be written down.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.cases.model import Role
from engine.model.masks import mask_phone, mask_text
from engine.model.personal import LOOKS, MASKS, PHONES, is_plain, whole
from engine.ruleset.spec import Project

KINDS = ("plate", "phone", "name", "id", "track", "other")
"""Kinds of personal data; a tag that is none of them is `other`."""

CLEAR: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: frozenset(),
    Role.HANDLER: frozenset({"plate", "phone", "name", "track", "other"}),
    Role.ANALYST: frozenset({"plate", "track"}),
    Role.APPROVER: frozenset({"plate", "name", "track"}),
    Role.OPERATOR: frozenset({"plate", "phone", "name", "track", "other"}),
    Role.AUDITOR: frozenset(),
    Role.ADMIN: frozenset(),
}
"""What each role sees in clear; settings may say otherwise. Identity numbers nobody sees."""

_ALIASES = {"caller": "phone", "position": "track", "person": "name"}
_NAMES = (
    "id number incident episode episode_id delivery_id cause rule rule_hash pack route state verb"
    " severity tier area lead host transition status role version code account"
)
_OPAQUE = frozenset(_NAMES.split())
"""Names under which stands what identifies a message, a rule or an office, never a person."""
_AXES = frozenset({"lon", "lat", "lng", "longitude", "latitude"})
_COARSE = 2
"""Decimals of a degree that are left of a track: about a kilometre."""
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Personal:
    """Which fields hold personal data, by what the feeds declare.

    Attributes:
        fields: Field name to kind, of all feeds.
        keys: Rule to the kinds of the parts of its key, in their order; None: not personal.

    """

    fields: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)


def personal_of(project: Project) -> Personal:
    """What a project's feeds and rules say about personal data."""
    tags = {
        (feed.name, one.name): kind_of(one.pii)
        for feed in project.feeds.values()
        for one in feed.fields.values()
        if one.pii
    }
    keys = {}
    for rule in project.rules.values():
        parts: list[str | None] = []
        for feed, names in rule.by.items():
            found = [tags.get((feed, name)) for name in names]
            parts = [one or two for one, two in zip(found, parts or found, strict=False)]
        keys[rule.id] = tuple(parts)
    return Personal({name: kind for (_feed, name), kind in tags.items()}, keys)


def kind_of(tag: str) -> str:
    """The kind that a feed's tag stands for."""
    kind = _ALIASES.get(tag, tag)
    return kind if kind in KINDS else "other"


def clear_for(
    roles: Iterable[Role], clear: Mapping[Role, frozenset[str]] = CLEAR
) -> frozenset[str]:
    """What an account with these roles sees in clear."""
    return frozenset().union(*(clear.get(role, frozenset()) for role in roles))


class Mask:
    """Masks the documents of one answer for one account.

    Attributes:
        read: Kinds of personal data that were shown in clear so far.

    """

    def __init__(self, personal: Personal, shown: frozenset[str]) -> None:
        """Show these kinds, mask all others."""
        self._personal, self._shown = personal, shown
        self._learnt: dict[str, str] = {}
        self.read: set[str] = set()

    @property
    def must_learn(self) -> bool:
        """Whether sentences may hold what only the evidence behind them tells to be personal.

        Plates and numbers are recognised by themselves; a name looks like any word.
        """
        return not self._shown.issuperset(self._personal.fields.values())

    def learn(self, document: Any) -> None:
        """Remember the personal values of a document that is not shown itself."""
        self._collect(document, self._learnt, self._personal.fields)

    def over(self, document: Any) -> Any:
        """A copy of a document as the account may see it."""
        known: dict[str, str] = {}
        self._collect(document, known, self._personal.fields)
        self.read.update(kind for kind in known.values() if kind in self._shown)
        known = {**self._learnt, **known}
        return _Pass(self._personal, self._shown, known, self.read).walk(document)

    def _collect(self, value: Any, known: dict[str, str], tags: Mapping[str, str]) -> None:
        """Every value of a personal field, with its kind; what a document says holds below it."""
        if isinstance(value, Mapping):
            own = value.get("personal")
            if isinstance(own, Mapping):
                tags = {**tags, **own}
            for name, item in value.items():
                kind = tags.get(name)
                if isinstance(kind, str) and is_plain(item):
                    known[str(item)] = kind_of(kind)
                elif name == "key" and isinstance(item, str):
                    self._collect_key(str(value.get("rule", "")), item, known)
                elif name != "personal":
                    self._collect(item, known, tags)
        elif isinstance(value, list | tuple):
            for item in value:
                self._collect(item, known, tags)

    def _collect_key(self, rule: str, key: str, known: dict[str, str]) -> None:
        kinds = self._personal.keys.get(rule)
        if kinds is None:  # a rule that is no more: who knows what its key was
            known[key] = "other"
            return
        parts = [key] if len(kinds) == 1 else re.split(r"(?<!\\)\|", key)
        pairs = zip(parts, kinds, strict=False)
        known.update((part, kind) for part, kind in pairs if kind is not None and part)


class _Pass:
    """One walk over one document."""

    def __init__(
        self, personal: Personal, shown: frozenset[str], known: Mapping[str, str], read: set[str]
    ) -> None:
        self._axes = _AXES | {name for name, kind in personal.fields.items() if kind == "track"}
        self._shown, self._known, self._read = shown, known, read
        self._hidden = {
            value: MASKS.get(kind, mask_text)(value)
            for value, kind in known.items()
            if kind not in shown
        }
        longest = sorted((value for value in self._hidden if len(value) > 1), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(whole, longest))) if longest else None

    def walk(self, value: Any, name: str = "", *, track: bool = False) -> Any:
        """The value as it may be seen; `track` within evidence, where positions are a track."""
        match value:
            case str():
                return value if name in _OPAQUE else self._text(value)
            case bool() | None:
                return value
            case float():
                return self._axis(value) if track and name in self._axes else value
            case int():
                return self._number(value)
            case list() | tuple():
                if track and len(value) == _PAIR and all(isinstance(one, float) for one in value):
                    return [self._axis(one) for one in value]
                return [self.walk(one, name, track=track) for one in value]
            case Mapping():
                return {
                    self._text(key): self.walk(one, key, track=track or key == "evidence")
                    for key, one in value.items()
                    if key != "personal"
                }
        return value

    def _text(self, text: str) -> str:
        if text in self._hidden:
            return self._hidden[text]
        if self._pattern is not None:
            text = self._pattern.sub(lambda hit: self._hidden[hit[0]], text)
        for kind, pattern in LOOKS:
            if kind in self._shown:
                if pattern.search(text):
                    self._read.add(kind)
            else:
                mask = MASKS.get(kind, mask_text)
                text = pattern.sub(lambda hit, mask=mask: mask(hit[0]), text)  # type: ignore[misc]
        return text

    def _number(self, value: int) -> int | str:
        if str(value) in self._hidden:
            return self._hidden[str(value)]
        if value not in PHONES:
            return value
        if "phone" in self._shown:
            self._read.add("phone")
            return value
        return mask_phone(str(value))

    def _axis(self, value: float) -> float:
        if "track" in self._shown:
            self._read.add("track")
            return value
        return round(value, _COARSE)
