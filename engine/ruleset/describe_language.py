"""Operators, functions and problem codes in words."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from pydantic import BaseModel

from engine.ruleset.expr.functions import FUNCTIONS, Function
from engine.ruleset.json_schema import schema_of_model
from engine.ruleset.problem_page import group_of, plain_sentence
from engine.ruleset.sheet import Sheet
from engine.ruleset.when.model import WhenModel
from engine.text import say

EXAMPLES = "problem_examples.json"
"""Beside the catalogue: for each code a report that a golden case holds, in both languages."""


def operator_sheet(name: str, lang: str) -> Sheet:
    """What an operator is for, its keys with types and defaults, and its page."""
    model = model_of_operator(name)
    sheet = Sheet("operator", name, say(f"key-{name}", lang), lang)
    sheet.add("keys", *_keys(schema_of_model(model, lang), lang))
    sheet.add("page", f"docs/operators/{name}.md")
    return sheet


def model_of_operator(name: str) -> type[BaseModel]:
    """The model behind an operator's name."""
    choices = get_args(WhenModel.model_fields[name].annotation)
    return next(one for one in choices if isinstance(one, type) and issubclass(one, BaseModel))


def _keys(schema: Mapping[str, Any], lang: str) -> Iterator[str]:
    """Each key of a mapping: its type, whether it is needed or what holds without it, meaning."""
    definitions = schema.get("$defs", {})

    def told(shape: Mapping[str, Any], above: str) -> Iterator[str]:
        needed = set(shape.get("required", ()))
        for key, value in shape["properties"].items():
            word, inner = _type(value, definitions, lang)
            words = [word]
            if key in needed:
                words.append(say("about-required", lang))
            elif "default" in value:
                words.append(say("about-default", lang, value=json.dumps(value["default"])))
            about = value.get("description", "")
            shown = f"{above}{key} ({', '.join(words)})"
            yield say("about-key-group", lang, key=shown, about=about)
            if inner is not None:
                yield from told(inner, f"{above}  {key}.")

    yield from told(schema, "")


def _type(
    value: Mapping[str, Any], definitions: Mapping[str, Any], lang: str
) -> tuple[str, Mapping[str, Any] | None]:
    """The word for what may stand under a key, and the mapping it may be, if it is one of ours."""
    for group in ("allOf", "anyOf"):
        if group in value:
            found = [_type(one, definitions, lang) for one in value[group] if one != _NULL]
            words = list(dict.fromkeys(word for word, _ in found))
            return " | ".join(words), next((inner for _, inner in found if inner), None)
    if "$ref" in value:
        name = value["$ref"].removeprefix("#/$defs/")
        definition = definitions[name]
        if "properties" in definition:
            return say("about-type-object", lang), definition
        return say(f"about-type-{name}", lang), None
    if "enum" in value:
        return " | ".join(str(one) for one in value["enum"]), None
    if value.get("type") == "array":
        word, inner = _type(value.get("items", {}), definitions, lang)
        return say("about-type-list", lang, of=word), inner
    if isinstance(value.get("additionalProperties"), Mapping):
        word, inner = _type(value["additionalProperties"], definitions, lang)
        return say("about-type-names", lang, of=word), inner
    return say(f"about-type-{value.get('type', 'value')}", lang), None


_NULL = {"type": "null"}


def function_sheet(name: str, lang: str) -> Sheet:
    """What a function takes and answers, with an example."""
    function = FUNCTIONS[name]
    sheet = Sheet("function", name, say(f"fn-{name}", lang), lang)
    sheet.add("signature", signature(name, function, lang))
    sheet.add("example", function.usage)
    sheet.add("nulls", say("about-nulls-own" if name in _OWN_NULLS else "about-nulls-pass", lang))
    return sheet


_OWN_NULLS = frozenset({"exists", "missing", "coalesce"})


def signature(name: str, function: Function, lang: str) -> str:
    """`distance(position, position) -> number (m)`."""
    last = len(function.takes) - 1
    kinds = [_kinds(function.takes[min(at, last)], lang) for at in range(function.least)]
    if function.most > function.least:
        more = _kinds(function.takes[last], lang)
        kinds.append(f"[{more}]" if function.most == function.least + 1 else f"{more}...")
    gives = say("about-as-given", lang)
    if function.gives is not None:
        gives = say(f"about-kind-{function.gives.kind}", lang)
        gives += f" ({function.gives.unit})" if function.gives.unit else ""
    return f"{name}({', '.join(kinds)}) -> {gives}"


def _kinds(kinds: tuple[str, ...], lang: str) -> str:
    """The kinds that an argument may have."""
    if len(kinds) > 3:  # noqa: PLR2004 - any kind
        return say("about-kind-value", lang)
    return " | ".join(say(f"about-kind-{kind}", lang) for kind in kinds)


def problem_sheet(code: str, lang: str) -> Sheet:
    """The sentence of a problem code, which group it belongs to, and an example."""
    sheet = Sheet("problem", code, plain_sentence(code, lang), lang)
    sheet.add("level", say("level-warning" if code.startswith("W") else "level-error", lang))
    sheet.add("group", group_of(code, lang))
    example = examples().get(code)
    if example is not None:
        sheet.add("example", *example[lang].splitlines())
    sheet.add("page", "docs/problems.md")
    return sheet


@cache
def examples() -> Mapping[str, Mapping[str, str]]:
    """For each code a report: the case it is from, and its text by language."""
    text = files("engine.text").joinpath(EXAMPLES).read_text("utf-8")
    found: Mapping[str, Mapping[str, str]] = json.loads(text)
    return found
