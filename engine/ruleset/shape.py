"""Checks a document against a pydantic model and says in our words all that does not fit."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from engine.errors import Location, Problem
from engine.ruleset.document import Document

_Model = TypeVar("_Model", bound=BaseModel)
_SHOWN = 40
_KEY = "[key]"
_SECRET = re.compile(r"(?:secret|token|password)$")
_LOGIN = re.compile(r"://[^/@\s]+@")
_QUOTED = re.compile(r"'([^']*)'")
_ASIDE = frozenset({"nearest", "column", "at"})
_OURS = re.compile(r"[DRW][1-9][0-9][0-9]")


class Strict(BaseModel):
    """A mapping people write: no unknown keys, no value bent into another type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def refuse(code: str, **found: object) -> NoReturn:
    """Say inside a validator what is wrong.

    `nearest=` becomes the hint; `at=` is the key inside the mapping, `column=` the character of
    the text where it is wrong.
    """
    raise PydanticCustomError(code, "a declared value does not fit", found)


def nearest(name: str, names: Iterable[str]) -> str:
    """The known name most like a given one, or nothing when none is close."""
    known = sorted(names)
    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.6)
    if close:
        return close[0]
    folded = {_plain(item): item for item in known}
    return folded.get(_plain(name), "")


def _plain(name: str) -> str:
    """A name without case, dashes and underscores."""
    return name.casefold().replace("-", "").replace("_", "")


def show(value: object) -> str:
    """A declared value as a short piece of YAML, for use in a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"'{_cut(value)}'"
        case Mapping():
            return "{...}" if value else "{}"
        case list() | tuple():
            return "[...]" if value else "[]"
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    """A text on one line and not longer than a sentence can bear."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def validate(model: type[_Model], document: Document) -> _Model | tuple[Problem, ...]:
    """Fit a document to a model, or say all that is wrong with it.

    Args:
        model: A subclass of `Strict`.
        document: What `source.read` gave.

    Returns:
        The filled model, or every problem: a missing key at the mapping that lacks it, an unknown
        key at that key with the nearest right name, a wrong value at the value.

    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
    return _unique([_problem(model, document, detail) for detail in details])


def _unique(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems without repeats, in order."""
    kept: list[Problem] = []
    for problem in problems:
        if problem not in kept:
            kept.append(problem)
    return tuple(kept)


_BY_TYPE = {
    "string_type": "R113",
    "string_sub_type": "R113",
    "int_type": "R124",
    "int_from_float": "R124",
    "int_parsing": "R124",
    "float_type": "R123",
    "float_parsing": "R123",
    "finite_number": "R123",
    "bool_type": "R125",
    "bool_parsing": "R125",
    "dict_type": "R126",
    "model_type": "R126",
    "model_attributes_type": "R126",
    "mapping_type": "R126",
    "list_type": "R127",
    "tuple_type": "R127",
    "set_type": "R127",
    "frozen_set_type": "R127",
    "too_short": "R134",
    "string_too_short": "R134",
    "string_pattern_mismatch": "R143",
    "none_required": "R149",
}
_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
    "too_long": ("max_length", "<="),
    "string_too_long": ("max_length", "<="),
    "multiple_of": ("multiple_of", "%"),
}


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    """One pydantic error as a problem of ours."""
    kind, context = detail["type"], detail.get("ctx", {})
    path = tuple(step for step in detail["loc"] if step != _KEY)
    at_key = _KEY in detail["loc"]
    name = next((step for step in reversed(path) if isinstance(step, str)), document.file)
    given = "***" if _SECRET.search(name) else _LOGIN.sub("://***@", show(detail["input"]))
    words: dict[str, object] = {"name": name, "found": given}
    at = document.key(path) if at_key else document.at(path)
    if kind == "missing":
        return Problem(document.at(path[:-1]), "R111", {"name": str(path[-1])})
    if kind == "extra_forbidden":
        key = str(path[-1])
        near = nearest(key, _keys_at(model, path[:-1]))
        return Problem(document.key(path), "R112", {"name": key[:_SHOWN]}, nearest=near)
    if _OURS.fullmatch(kind):
        near, column = str(context.get("nearest", "")), int(context.get("column", 0))
        found = {key: value for key, value in context.items() if key not in _ASIDE}
        at = document.inside(path, column) if column else at
        at = document.at((*path, context["at"])) if "at" in context else at
        return Problem(at, kind, {**words, **found}, nearest=near)
    if kind in {"literal_error", "enum"}:
        return _choice(at, words, context, detail["input"])
    if kind in _BOUNDS:
        key, sign = _BOUNDS[kind]
        return Problem(at, "R133", {**words, "limit": f"{sign} {context.get(key)}"})
    return Problem(at, _BY_TYPE.get(kind, "R113"), words)


def _choice(
    at: Location, words: Mapping[str, object], context: Mapping[str, Any], given: object
) -> Problem:
    """A value that is none of the allowed words."""
    choices = _QUOTED.findall(str(context.get("expected", "")))
    near = nearest(given, choices) if isinstance(given, str) else ""
    return Problem(at, "R128", {**words, "choices": ", ".join(choices)}, nearest=near)


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that the mapping at a path may have, as people write them."""
    here: list[Any] = [model]
    for step in path:
        here = [inner for kind in here for inner in _inside(kind, step)]
    return [key for kind in here for key in _keys(kind)]


def _keys(kind: Any) -> list[str]:
    """The written names of a model's fields."""
    if not _is_model(kind):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def _inside(kind: Any, step: str | int) -> list[Any]:
    """What may stand one step inside a model, a mapping or a list."""
    if _is_model(kind):
        fields = kind.model_fields.items()
        return [
            part
            for name, field in fields
            if (field.alias or name) == step
            for part in _parts(field.annotation)
        ]
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return _parts(arguments[1])
    if get_origin(kind) is list:
        return _parts(arguments[0]) if isinstance(step, int) else _deeper(arguments[0], step)
    return []


def _deeper(kind: Any, step: str | int) -> list[Any]:
    """One step inside the items of a list that was written as a single item."""
    return [inner for part in _parts(kind) for inner in _inside(part, step)]


def _parts(annotation: Any) -> list[Any]:
    """The models, mappings and lists inside an annotation such as `Annotated[X | None, ...]`."""
    if _is_model(annotation) or get_origin(annotation) in {dict, list}:
        return [annotation]
    return [part for inner in get_args(annotation) for part in _parts(inner)]


def _is_model(kind: Any) -> bool:
    """Whether an annotation is a model class."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)
