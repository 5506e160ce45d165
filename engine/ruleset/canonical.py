"""What of a rule decides its alerts, and the hash by which saved state knows the rule again."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine.feeds.spec import FeedSpec
from engine.ruleset.macros import Macro
from engine.ruleset.schema import RuleModel
from engine.ruleset.spec import ListSpec

_DECIDES = {
    "rule",
    "severity",
    "from_",
    "of",
    "by",
    "where",
    "lookup",
    "when",
    "except_",
    "levels",
    "for_",
    "clear",
    "keep_firing_for",
    "cooldown",
    "flapping",
    "schedule",
    "late",
}


def rule_hash(
    model: RuleModel,
    feeds: Sequence[FeedSpec],
    names: Collection[str],
    lists: Mapping[str, ListSpec],
    macros: Mapping[str, Macro],
    only: Sequence[str] = (),
) -> str:
    """First 12 hex digits of the SHA-256 over everything that decides alerts, in canonical JSON.

    Titles, owner, texts, labels, routes and status are left out. A duration counts, not its
    spelling; of the feeds count the key, the clock, the datum and the fields the rule reads; of
    shared lists the values, of macros what they mean, of overrides where they hold (`only`).
    """
    whole: dict[str, Any] = {
        "rule": _plain(
            model.model_dump(mode="json", include=_DECIDES, exclude_defaults=True, warnings=False)
        ),
        "feeds": {feed.name: _feed(feed, names) for feed in feeds},
        "lists": {name: list(one.values) for name, one in lists.items()},
    }
    if varied := {name: one.variants for name, one in lists.items() if one.variants}:
        whole["varied"] = {
            name: [[only.expr.text, list(values)] for only, values in variants]
            for name, variants in varied.items()
        }
    if macros:
        whole["macros"] = {name: _macro(macro) for name, macro in macros.items()}
    if only:
        whole["only"] = _plain(list(only))
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _macro(macro: Macro) -> list[Any]:
    """What of a macro decides: what it takes and means, and where it means something else."""
    whole: list[Any] = [macro.takes, _plain(macro.expr.text)]
    if macro.variants:
        whole.append([_plain([only.expr.text, it.expr.text]) for only, it in macro.variants])
    return whole


def _plain(value: Any) -> Any:
    """Values without the spelling of periods and without white space that says nothing."""
    match value:
        case {"parts": parts, "text": _}:
            return parts
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case str():
            return " ".join(value.split())
        case _:
            return value


def _feed(feed: FeedSpec, names: Collection[str]) -> dict[str, Any]:
    """What of a feed decides the alerts of a rule that reads these names."""
    position = feed.position
    return {
        "key": feed.key,
        "id": feed.id,
        "time": [feed.time.field, feed.time.format, feed.time.zone],
        "position": [position.lon, position.lat, position.datum] if position else None,
        "fields": {
            name: [spec.type.value, spec.unit]
            for name, spec in feed.fields.items()
            if name in names
        },
    }
