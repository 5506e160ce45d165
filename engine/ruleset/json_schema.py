"""The JSON Schema of every kind of declaration, for completion and checks while people type."""

import re
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from engine.errors import NAMED
from engine.model.units import written
from engine.ruleset.json_schema_test import TEST_SCHEMA
from engine.ruleset.schema import LevelModel, LookupModel, RuleModel
from engine.ruleset.schema_feed import FeedModel, TableModel
from engine.ruleset.schema_pack import (
    CalendarModel,
    ListModel,
    MacroModel,
    OverrideModel,
    PackModel,
    PlaybookModel,
    RoutesModel,
)
from engine.ruleset.when.correlate import CorrelateModel, SignalModel
from engine.ruleset.when.cross import CrossModel
from engine.ruleset.when.dwell import DwellModel
from engine.ruleset.when.model import WhenModel
from engine.ruleset.when.sequence import StepModel
from engine.ruleset.when.window import BaselineModel, WindowModel
from engine.text import catalogue, say

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DECLARATIONS: Mapping[str, type[BaseModel]] = {
    "rule": RuleModel,
    "feed": FeedModel,
    "table": TableModel,
    "pack": PackModel,
    "routes": RoutesModel,
    "playbook": PlaybookModel,
    "calendar": CalendarModel,
    "list": ListModel,
    "macro": MacroModel,
    "override": OverrideModel,
}
"""What each file of a pack is checked against, by the key it begins with."""

TEST = "test"
_FIRST = {TEST: "tests"}
_ONE_OF: Mapping[type[BaseModel], tuple[str, ...]] = {
    LookupModel: ("table", "zone"),
    LevelModel: ("at_least", "overdue", "when"),
    DwellModel: ("radius", "zones"),
    CrossModel: ("enters", "leaves", "passes"),
    CorrelateModel: ("at_least", "condition", "score"),
    SignalModel: ("feed", "rule"),
    StepModel: ("feed", "not"),
    WindowModel: ("above", "below", "passes"),
    BaselineModel: ("weeks", "earlier", "neighbours"),
}
"""Keys of which exactly one is wanted; the models check it with `exactly_one`."""
_OPERATORS = "engine.ruleset.when."
_BASE_UNITS = {"duration": "ms", "distance": "m", "speed": "m/s"}
_MODULE = _OPERATORS.replace(".", "__")
_TYPE = "x-type"


def schema_of(kind: str, lang: str = "en") -> JsonSchemaValue:
    """The schema of one kind of declaration.

    Args:
        kind: A name of `DECLARATIONS`, or `test`.
        lang: Language of the descriptions.

    """
    if kind == TEST:
        return _finished({**TEST_SCHEMA, "description": f"{NAMED}key-test"}, lang)
    return schema_of_model(DECLARATIONS[kind], lang)


def schema_of_model(model: type[BaseModel], lang: str = "en") -> JsonSchemaValue:
    """The schema of what a model accepts, in its shorthand forms too."""
    return _finished(model.model_json_schema(schema_generator=_Generator), lang)


def schema_of_all(lang: str = "en") -> JsonSchemaValue:
    """One schema for every file of a pack: which kind it is, its first key tells."""
    definitions: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    for kind in reversed((*DECLARATIONS, TEST)):
        own = schema_of(kind, lang)
        definitions |= own.pop("$defs", {})
        own.pop("$schema")
        definitions[f"file-{kind}"] = own
        whose = {"if": {"required": [_FIRST.get(kind, kind)]}}
        chosen = {**whose, "then": {"$ref": f"#/$defs/file-{kind}"}, "else": chosen or False}
    return {"$schema": DIALECT, "type": "object", **chosen, "$defs": _sorted(definitions)}


def key_name(model: type[BaseModel], key: str = "") -> str:
    """The entry of the catalogue that says what a key of a model means; empty when none does."""
    for one in model.__mro__:
        name = f"key-{_name(one)}-{key}" if key else f"key-{_name(one)}"
        if name in catalogue():
            return name
    return ""


def written_keys(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """The keys of a model as people write them, each with its name in the model."""
    for name, field in model.model_fields.items():
        yield field.alias or name, name


def _name(model: type) -> str:
    """How the catalogue calls a model: `rule`, `dwell`, `dwell-tolerate`."""
    stem = model.__name__.removesuffix("Model").removesuffix("Settings")
    words = "".join(f"-{char.lower()}" if char.isupper() else char for char in stem).strip("-")
    operator = model.__module__.removeprefix(_OPERATORS)
    if operator == model.__module__ or operator in {"base", "model"} or words == operator:
        return words or "settings"
    return f"{operator}-{words}"


class _Generator(GenerateJsonSchema):
    """Our models as JSON Schema: our descriptions, no titles, defaults as people write them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Keys speak for themselves."""
        del schema
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A mapping under names of its own: every name must be one, whatever stands under it."""
        result = super().dict_schema(schema)
        for pattern, value in result.pop("patternProperties", {}).items():
            result["additionalProperties"] = value
            names = {"type": "string", **result.get("propertyNames", {}), "pattern": pattern}
            result["propertyNames"] = names
        return result

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A mapping: what it is, what each of its keys means, and what holds without a key."""
        model, result = schema["cls"], super().model_schema(schema)
        result.pop("title", None)
        result.pop("description", None)
        if about := key_name(model):
            result["description"] = NAMED + about
        properties = result.get("properties", {})
        for key, _ in written_keys(model):
            if key in properties:
                named = key_name(model, key)
                about = NAMED + named if named else _documented(model, key)
                properties[key] = _with_words(properties[key], about)
        if model in _ONE_OF:
            result["oneOf"] = [_given(key) for key in _ONE_OF[model]]
        if model is WhenModel:
            result |= {"minProperties": 1, "maxProperties": 1}
            for key, value in properties.items():
                properties[key] = _never_null(value)
        return result


def _documented(model: type[BaseModel], key: str) -> str:
    """What the docstring of a setting's model says of a key: English, so only for the English."""
    for one in model.__mro__:
        for line in _ATTRIBUTE.findall(cleandoc(one.__doc__ or "").partition("Attributes:")[2]):
            if line[0] == key:
                return _ENGLISH + " ".join(line[1].split())
    return ""


_ENGLISH = "english:"
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def _with_words(value: JsonSchemaValue, about: str) -> JsonSchemaValue:
    """What may stand under a key, with its description and its default as written."""
    shown = dict(value)
    default = shown.pop("default", None)
    kind = _kind(shown)
    if kind in _BASE_UNITS and isinstance(default, int | float):
        shown["default"] = written(default, _BASE_UNITS[kind]) if default else _NONE[kind]
    elif isinstance(default, str | bool | int | float) and kind != "hours":
        shown["default"] = default
    if about:
        shown["description"] = about
        if _TYPE in shown:
            shown = {"allOf": [value], **{name: shown[name] for name in _OWN if name in shown}}
    return shown


def _given(key: str) -> JsonSchemaValue:
    """A mapping in which something stands under a key."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


_NONE = {"duration": "0s", "distance": "0 meters", "speed": "0 km/h"}
_OWN = ("description", "default")


def _kind(value: JsonSchemaValue) -> str:
    """Our name for what may stand here, when it is a quantity or a text with rules of its own."""
    choices = value.get("anyOf", [value])
    return next((str(one[_TYPE]) for one in choices if _TYPE in one), "")


def _never_null(value: JsonSchemaValue) -> JsonSchemaValue:
    """The same without null."""
    choices = [one for one in value.get("anyOf", []) if one != {"type": "null"}]
    if not choices:
        return value
    rest = {name: part for name, part in value.items() if name != "anyOf"}
    return {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}


def _finished(schema: JsonSchemaValue, lang: str) -> JsonSchemaValue:
    """The schema with its words put in, and what recurs under `$defs`."""
    recurring: dict[str, Any] = {}

    def visit(value: Any) -> Any:
        if isinstance(value, list):
            return [visit(item) for item in value]
        if not isinstance(value, dict):
            return _said(value, lang)
        shown = {name: visit(item) for name, item in value.items() if name != _TYPE}
        shown = {name: item for name, item in shown.items() if item is not _UNSAID}
        if _TYPE not in value:
            return shown
        recurring[value[_TYPE]] = {name: item for name, item in shown.items() if name != "default"}
        return {"$ref": f"#/$defs/{value[_TYPE]}"}

    whole = visit({name: part for name, part in schema.items() if name != "$defs"})
    definitions = {name: visit(part) for name, part in schema.get("$defs", {}).items()}
    definitions |= recurring
    if definitions:
        whole["$defs"] = _sorted({_short(name): part for name, part in definitions.items()})
    return {"$schema": DIALECT, **whole}


_UNSAID = object()


def _sorted(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Definitions in the order of their names, so that a file changes only where it must."""
    return dict(sorted(definitions.items()))


def _short(name: str) -> str:
    """The name of a definition, or a reference to one, without where its model lives."""
    return name.replace(_MODULE, "").replace("__", "-")


def _said(value: Any, lang: str) -> Any:
    """A description of ours in the language; anything else as it is."""
    if isinstance(value, str) and value.startswith(_ENGLISH):
        return value.removeprefix(_ENGLISH) if lang == "en" else _UNSAID
    if isinstance(value, str) and value.startswith(NAMED):
        return say(value.removeprefix(NAMED), lang)
    return _short(value) if isinstance(value, str) and value.startswith("#/$defs/") else value
