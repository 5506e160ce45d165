"""`forewarn schema`: the JSON Schema of declarations and settings, for editors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.cases.declared.read import FILES
from engine.cases.declared.schema_test import RouteTestsModel
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.ruleset.json_schema import (
    DECLARATIONS,
    TEST,
    schema_of,
    schema_of_all,
    schema_of_model,
)
from engine.ruleset.shape import nearest

SETTINGS = "settings"
DESK: Mapping[str, tuple[type[BaseModel], str]] = {
    **{name: (model, name) for name, model in FILES.items() if name != "routes"},
    "desk-routes": (FILES["routes"], "default"),
    "route-tests": (RouteTestsModel, "route_tests"),
}
"""Each kind of file of a desk: its model, and the key that it is known by."""
KINDS = (*DECLARATIONS, TEST, *DESK, SETTINGS)
_ALL = "forewarn"


def show_schema(kind: str, out: Path | None) -> int:
    """Print one schema, that of all files of a pack, or write each into a folder."""
    speak = voice()
    if kind and kind not in KINDS:
        near = nearest(kind, KINDS)
        hint = speak.say("did-you-mean", name=near) if near else ""
        sentence = speak.say("schema-unknown", kind=kind, kinds=", ".join(KINDS))
        raise Misuse(f"{sentence} {hint}".strip())
    if out is None:
        speak.data(schema(kind, speak.lang))
        return Exit.FINE
    names = [kind] if kind else [*KINDS, _ALL]
    files = {name: out / f"{name}.schema.json" for name in names}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, path in files.items():
            text = json.dumps(schema(name, speak.lang), ensure_ascii=False, indent=2)
            path.write_text(text + "\n", "utf-8")
    except OSError as error:
        sentence = speak.say("init-unwritable", path=out, why=error.strerror)
        raise EnvironmentUnusable(sentence) from error
    lines = {name: f"# yaml-language-server: $schema={path}" for name, path in files.items()}
    if speak.json:
        speak.data({"files": {name: path.as_posix() for name, path in files.items()}})
        return Exit.FINE
    for path in files.values():
        speak.line(f"  {path.as_posix()}")
    speak.line("")
    speak.line(speak.say("schema-next", line=next(iter(lines.values()))))
    return Exit.FINE


def schema(kind: str, lang: str) -> Mapping[str, Any]:
    """The schema of one kind; of every file of a pack for no kind."""
    if kind == SETTINGS:
        return _of_settings(lang)
    if kind in DESK:
        return schema_of_model(DESK[kind][0], lang)
    return schema_of(kind, lang) if kind in KINDS else _of_all(lang)


def _of_all(lang: str) -> Mapping[str, Any]:
    """The schema of every file of a pack and of a desk: which kind it is, a key tells."""
    whole = dict(schema_of_all(lang))
    definitions = dict(whole.pop("$defs"))
    chosen = {name: whole.pop(name) for name in ("if", "then", "else")}
    for kind, (model, key) in DESK.items():
        own = schema_of_model(model, lang)
        definitions |= own.pop("$defs", {})
        own.pop("$schema")
        definitions[f"file-{kind}"] = own
        then = {"$ref": f"#/$defs/file-{kind}"}
        chosen = {"if": {"required": [key]}, "then": then, "else": chosen}
    return {**whole, **chosen, "$defs": dict(sorted(definitions.items()))}


def _of_settings(lang: str) -> Mapping[str, Any]:
    """The settings, with the options of each kind of connector that is installed."""
    from engine.edge.settings import Settings  # noqa: PLC0415 - slow, and wanted here alone
    from engine.edge.wiring import connector_options  # noqa: PLC0415

    whole = schema_of_model(Settings, lang)
    definitions = whole["$defs"]
    for section, kinds in connector_options().items():
        choices = []
        for kind, options in kinds.items():
            own = schema_of_model(options, lang)
            definitions |= own.pop("$defs", {})
            own.pop("$schema")
            own["properties"]["kind"] = {"const": kind}
            own["required"] = sorted({*own.get("required", ()), "kind"})
            definitions[f"{section}-{kind}"] = own
            choices.append({"$ref": f"#/$defs/{section}-{kind}"})
        whole["properties"][section]["additionalProperties"] = {"anyOf": choices}
    whole["$defs"] = dict(sorted(definitions.items()))
    return whole
