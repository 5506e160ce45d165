"""The JSON Schema of the tests beside rules; their reader is `engine/ruletest/cases.py`."""

from typing import Any

from engine.errors import NAMED

_ANY: dict[str, Any] = {}
_SCALAR: dict[str, Any] = {"type": ["string", "number"]}
_WORDS = ("hit", "near-miss", "todo-hit", "todo-miss", "raised", "cleared", "retracted", "verified")
_SEVERITIES = ["blue", "yellow", "orange", "red"]


def _about(name: str, **shape: Any) -> dict[str, Any]:
    """What may stand under a key, with the entry of the catalogue that explains it."""
    return {**shape, "description": f"{NAMED}key-test-{name}"}


_NAMES = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_LINE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "at": _about("at", **_SCALAR),
        "severity": _about("severity", enum=_SEVERITIES),
        "text": _about("text", **_SCALAR),
        "key": _about("key", **_SCALAR),
        "rule": _about("rule", **_SCALAR),
        "reason": _about("reason", **_SCALAR),
    },
}
_SAID = {"anyOf": [{"type": ["string", "null"]}, {"const": True}, {"$ref": "#/$defs/line"}]}
_EXPECT = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {word: _about(word, **_SAID) for word in _WORDS},
}
_TRACE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["stops_at"],
    "properties": {
        "rule": _about("rule", **_SCALAR),
        "key": _about("key", **_SCALAR),
        "stops_at": _about("stops-at", type="string"),
    },
}
CASE: dict[str, Any] = {
    "name": _about("name", type="string"),
    "rules": _about("rules", **_NAMES),
    "feed": _about("feed", type="string"),
    "start": _about("start", **_SCALAR),
    "until": _about("until", **_SCALAR),
    "every": _about("every", **_SCALAR),
    "track": _about("track", type="object"),
    "jitter": _about("jitter", **_SCALAR),
    "series": _about("series", **_ANY),
    "set": _about("set", type="object"),
    "events": _about("events", **_ANY),
    "tables": _about(
        "tables",
        type="object",
        additionalProperties={"type": "array", "items": {"type": "object"}},
    ),
    "lists": _about("lists", type="object", additionalProperties=_NAMES),
    "overrides": _about("overrides", type="array", items={"type": "string"}),
    "expect": _about("expect", type="array", items={"$ref": "#/$defs/expected"}),
    "expect_trace": _about(
        "expect-trace",
        anyOf=[
            {"$ref": "#/$defs/trace"},
            {"type": "array", "items": {"$ref": "#/$defs/trace"}},
        ],
    ),
}
"""Every key of a case."""

TEST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tests"],
    "properties": {
        "tests": _about("tests", type="array", items={"$ref": "#/$defs/case"}),
        "rules": CASE["rules"],
        "defaults": _about("defaults", type="object", additionalProperties=False, properties=CASE),
    },
    "$defs": {
        "case": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": CASE,
        },
        "expected": _EXPECT,
        "line": _LINE,
        "trace": _TRACE,
    },
}
