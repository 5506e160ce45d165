"""Overrides: what one district, or one installation, says otherwise than the packs do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.ruleset.document import Document, Path
from engine.ruleset.expr import parse
from engine.ruleset.layered import Layered, Overridden
from engine.ruleset.macros import Macro
from engine.ruleset.notes import Notes
from engine.ruleset.schema_pack import DifferenceModel, OverrideModel
from engine.ruleset.shape import show

_FIXED = frozenset({"rule"})
_SHORTHANDS = frozenset({"except", "basis", "from", "of", "by"})
"""Keys of a rule that take one value where a list is meant."""


@dataclass(slots=True)
class Override:
    """One file of overrides.

    Attributes:
        only: The condition under which it holds, as a macro; None where it always does.
        changes: What it says otherwise, each with its path in the file.

    """

    name: str
    notes: Notes
    title: Mapping[str, str]
    only: Macro | None
    changes: list[tuple[DifferenceModel, Path]] = field(default_factory=list)


def build_override(model: OverrideModel, notes: Notes) -> Override:
    """An override as declared; without its condition when that cannot be read."""
    only = None
    if model.only is not None:
        parsed = parse(model.only, notes.document.text_at(("only",)))
        if isinstance(parsed, list):
            notes.take(parsed, ("only",))
        else:
            only = Macro(model.override, (), parsed, notes.document, path=("only",))
    changes: list[tuple[DifferenceModel, Path]] = [
        (change, ("changes", index)) for index, change in enumerate(model.changes)
    ]
    title = model.title.plain() if model.title else {}
    return Override(model.override, notes, title, only, changes)


@dataclass(slots=True)
class Laid:
    """A document while overrides are laid over it."""

    document: Document
    value: Any
    origins: dict[Path, tuple[Document, Path]] = field(default_factory=dict)
    overridden: list[Overridden] = field(default_factory=list)
    taken: dict[Path, str] = field(default_factory=dict)

    def finished(self) -> Document:
        """The document with everything laid over it."""
        if not self.origins and not self.overridden:
            return self.document
        return Layered.over(self.document, self.value, self.origins)

    def lay(self, override: Override, change: DifferenceModel, at: Path) -> None:
        """Lay one change over it; what does not fit is noted in the override's file."""
        if isinstance(change.replace, Mapping):
            self._replace(override, change.replace, (), (*at, "replace"))
        if isinstance(change.append, Mapping):
            for key, items in change.append.items():
                self._append(override, str(key), items, (*at, "append", key))

    def _replace(self, override: Override, values: Mapping[str, Any], path: Path, at: Path) -> None:
        """Put values in the place of others; mappings are gone through key by key."""
        for key, new in values.items():
            inner, said = (*path, key), (*at, key)
            if not path and key in _FIXED:
                override.notes.add(said, "R633", name=str(key), at_key=True)
                continue
            old = _value(self.value, inner)
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                self._replace(override, new, inner, said)
                continue
            if old == new and type(old) is type(new):
                override.notes.add(said, "W271", value=show(new))
                continue
            first = next((one for one in self.taken if _touch(one, inner)), None)
            if first is not None and self.taken[first] != override.name:
                name = ".".join(map(str, inner))
                override.notes.add(said, "R631", name=name, first=self.taken[first])
                continue
            self.taken[inner] = override.name
            self.value = _with(self.value, inner, new)
            self.origins[inner] = (override.notes.document, said)
            place = override.notes.document.at(said)
            self.overridden.append(Overridden(inner, "replace", old, new, override.name, place))

    def _append(self, override: Override, key: str, items: Any, at: Path) -> None:
        """Put values at the end of a list."""
        old = _value(self.value, (key,))
        if old is not None and not isinstance(old, list) and key not in _SHORTHANDS:
            override.notes.add(at, "R632", name=key, found=show(old), at_key=True)
            return
        before = old if isinstance(old, list) else [] if old is None else [old]
        more = items if isinstance(items, list) else [items]
        if old is not None and not isinstance(old, list):
            self.origins.setdefault((key, 0), (self.document, (key,)))
        self.value = _with(self.value, (key,), [*before, *more])
        for index, item in enumerate(more):
            said = (*at, index) if isinstance(items, list) else at
            inner = (key, len(before) + index)
            self.origins[inner] = (override.notes.document, said)
            place = override.notes.document.at(said)
            self.overridden.append(Overridden((key,), "append", None, item, override.name, place))


def _touch(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same value, or one into the other's."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _value(value: Any, path: Path) -> Any:
    """The value at a path; None where nothing stands."""
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def _with(value: Any, path: Path, new: Any) -> Any:
    """The same mapping with another value at a path; null takes the key away."""
    head, *rest = path
    changed = dict(value) if isinstance(value, Mapping) else {}
    if rest:
        changed[head] = _with(changed.get(head), tuple(rest), new)
    elif new is None:
        changed.pop(head, None)
    else:
        changed[head] = new
    return changed
