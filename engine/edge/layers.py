"""Settings from several hands on top of each other, each value knowing who set it."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from engine.errors import Location, Problem
from engine.ruleset.document import Document
from engine.ruleset.scalars import resolve
from engine.ruleset.source import DeclaredFile, read

PREFIX = "FOREWARN_"
_SECRET = ("secret", "token", "password", "key")

Path = tuple[str | int, ...]


class Layers:
    """A settings file with values put over it; problems are shown where the value came from."""

    def __init__(self, base: Document) -> None:
        """Begin with the file."""
        self.file = base.file
        self.lines = base.lines
        self.value: Any = _copy(base.value) if isinstance(base.value, dict) else base.value
        self._base = base
        self._origins: dict[Path, str] = {}

    def put(self, path: Path, value: Any, origin: str) -> None:
        """Set one value over what was there."""
        if not isinstance(self.value, dict):
            return
        place = self.value
        for step in path[:-1]:
            if not isinstance(place.get(step), dict):
                place[step] = {}
            place = place[step]
        place[path[-1]] = value
        self._origins[path] = origin

    def spelled(self, words: Sequence[str]) -> Path:
        """The path that upper-case words of an environment variable mean, by what is declared."""
        path: Path = ()
        place = self.value
        for word in words:
            name = word.lower()
            if isinstance(place, dict):
                same = [k for k in place if str(k).lower().replace("-", "_") == name]
                name = str(same[0]) if same else name
                place = place.get(name)
            path = (*path, name)
        return path

    def origin(self, path: Sequence[str | int]) -> str | None:
        """Who set a value over the file: a variable, a flag, or nobody."""
        whole = tuple(path)
        for length in range(len(whole), 0, -1):
            if whole[:length] in self._origins:
                return self._origins[whole[:length]]
        return None

    def at(self, path: Sequence[str | int] = ()) -> Location:
        """Where a value was set."""
        origin = self.origin(path)
        return self._base.at(path) if origin is None else Location(origin)

    def key(self, path: Sequence[str | int]) -> Location:
        """Where the key of a value was written."""
        origin = self.origin(path)
        return self._base.key(path) if origin is None else Location(origin)

    def inside(self, path: Sequence[str | int], offset: int) -> Location:
        """Where a character of a text stands."""
        return self._base.inside(path, offset) if self.origin(path) is None else self.at(path)

    def document(self, *prefix: str) -> Document:
        """This, or a part of it, as a document that schemas are checked against."""
        return cast("Document", _Part(self, prefix) if prefix else self)

    def origins(self) -> list[tuple[str, str, str]]:
        """Every set value as (dotted name, value with secrets masked, who set it)."""
        return [
            (".".join(map(str, path)), _shown(path, value), str(self.at(path)))
            for path, value in _leaves(self.value)
        ]


class _Part:
    """A section of the layers under its own root."""

    def __init__(self, whole: Layers, prefix: Path) -> None:
        self._whole, self._prefix = whole, prefix
        self.file, self.lines = whole.file, whole.lines
        self.value = whole.value
        for step in prefix:
            self.value = self.value[step]

    def at(self, path: Sequence[str | int] = ()) -> Location:
        return self._whole.at((*self._prefix, *path))

    def key(self, path: Sequence[str | int]) -> Location:
        return self._whole.key((*self._prefix, *path))

    def inside(self, path: Sequence[str | int], offset: int) -> Location:
        return self._whole.inside((*self._prefix, *path), offset)


def read_layer(file: DeclaredFile) -> tuple[Document, list[Problem]]:
    """The settings file with its places; an empty one when it cannot be trusted."""
    document, problems = read(file)
    if document is None or document.value is None:
        empty = read(DeclaredFile(file.path, b"{}\n")).document
        assert empty is not None  # noqa: S101 - two brackets are YAML
        return empty, list(problems)
    return document, list(problems)


def environment_layer(
    layers: Layers, environment: Mapping[str, str], known: Collection[str]
) -> list[Problem]:
    """Put `FOREWARN_...` variables over the file.

    A variable whose section is unknown is a problem if it is written with `__`; others with the
    prefix belong to someone else.
    """
    problems: list[Problem] = []
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        words = name.removeprefix(PREFIX).split("__")
        section = words[0].lower()
        if section in known:
            path = layers.spelled(words)
            secret = any(word in str(path[-1]) for word in _SECRET)
            said = text[:2].lower() if path == ("lang",) else text  # written like a locale: zh_CN
            layers.put(path, said if secret else _value(said), f"${name}")
        elif len(words) > 1:
            problems.append(Problem(Location(f"${name}"), "S105", {"section": section}))
    return problems


def _value(text: str) -> Any:
    """What a variable says: JSON where it looks like it, else as YAML would read it."""
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return resolve(text) if text else text


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, dict) else value


def _leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]
    return [(path, value)]


def _shown(path: Path, value: Any) -> str:
    name = str(path[-1]).lower() if path else ""
    hidden = any(word in name for word in _SECRET) and not name.endswith("_file")
    return "***" if hidden else json.dumps(value, ensure_ascii=False, default=str)
