"""Overrides laid over lists, macros and rules: merged in the order of their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.ruleset.document import Path
from engine.ruleset.expr import parse
from engine.ruleset.layered import Overridden
from engine.ruleset.load_rule import Place
from engine.ruleset.macros import Macro
from engine.ruleset.overrides import Laid, Override
from engine.ruleset.phrases import Wanted
from engine.ruleset.schema import RuleModel
from engine.ruleset.schema_pack import DifferenceModel
from engine.ruleset.shape import show
from engine.ruleset.spec import ListSpec

Changes = Sequence[tuple[Override, DifferenceModel, Path]]
"""Changes of one thing: those that always hold first, each group in the order of its names."""


def changes_of(kind: str, name: str, overrides: Sequence[Override]) -> Changes:
    """What overrides say about one rule, list or macro."""
    return [
        (override, change, path)
        for override in sorted(overrides, key=lambda one: (one.only is not None, one.name))
        for change, path in override.changes
        if getattr(change, kind) == name
    ]


def check_names(kind: str, names: Sequence[str], overrides: Sequence[Override]) -> None:
    """Note every override of something that is not declared."""
    for override in overrides:
        for change, path in override.changes:
            name = getattr(change, kind)
            if name is not None:
                override.notes.known(name, names, "R630", (*path, kind), kind=kind)


def overridden_list(one: ListSpec, changes: Changes) -> ListSpec:
    """A list with what overrides say."""
    values, variants, noted = one.values, [], list(one.overridden)
    taken = ""
    for override, change, path in changes:
        before = values
        if change.replace is not None:
            if taken and override.only is None:
                override.notes.add((*path, "replace"), "R631", name=one.name, first=taken)
                continue
            said = _texts(override, change.replace, (*path, "replace"))
            after = said
            taken = override.name if override.only is None else taken
        else:
            said = _texts(override, change.append, (*path, "append"))
            known = [value for value in said if value in before]
            if known:
                override.notes.add((*path, "append"), "W271", value=show(known[0]))
            after = (*before, *(value for value in said if value not in before))
        how = "append" if change.replace is None else "replace"
        place = override.notes.document.at((*path, how))
        old = None if how == "append" else ", ".join(before)
        noted.append(Overridden((one.name,), how, old, ", ".join(said), override.name, place))
        if override.only is None:
            values = after
        else:
            variants.append((override.only, after))
    return replace(one, values=values, variants=tuple(variants), overridden=tuple(noted))


def _texts(override: Override, value: Any, path: Path) -> tuple[str, ...]:
    """The values an override gives for a list."""
    listed = value if isinstance(value, list) else [value]
    for index, item in enumerate(listed):
        if not isinstance(item, str):
            at = (*path, index) if isinstance(value, list) else path
            override.notes.add(at, "R113", name=str(at[-1]), found=show(item))
    return tuple(str(item) for item in listed)


def overridden_macro(macro: Macro, changes: Changes) -> Macro:
    """A macro with what overrides say it means."""
    found, variants, taken = macro, [], ""
    for override, change, path in changes:
        said = (*path, "replace")
        if change.append is not None:
            override.notes.add((*path, "append"), "R632", at_key=True, name=macro.name, found="…")
            continue
        if taken and override.only is None:
            override.notes.add(said, "R631", name=macro.name, first=taken)
            continue
        if not isinstance(change.replace, str | bool | int | float):
            override.notes.add(said, "R113", name="replace", found=show(change.replace))
            continue
        said_yes = isinstance(change.replace, bool)
        text = str(change.replace).lower() if said_yes else str(change.replace)
        parsed = parse(text, override.notes.document.text_at(said))
        if isinstance(parsed, list):
            override.notes.take(parsed, said)
            continue
        if text == macro.expr.text:
            override.notes.add(said, "W271", value=show(text))
        other = replace(macro, expr=parsed, document=override.notes.document, path=said)
        place = override.notes.document.at(said)
        note = Overridden((), "replace", macro.expr.text, text, override.name, place)
        noted = (*found.overridden, note)
        if override.only is None:
            found, taken = replace(other, overridden=noted), override.name
        else:
            variants.append((override.only, other))
            found = replace(found, overridden=noted)
    return replace(found, variants=tuple(variants))


@dataclass(frozen=True, slots=True)
class Version:
    """One rule as overrides make it: the rule itself, or its variant for one of them."""

    laid: Laid
    place: Place


def versions(laid: Laid, name: str, changes: Changes, pack: str) -> list[Version]:
    """The rule with all that always holds, and one variant for each override that does not.

    An event belongs to the first variant, in the order of their names, whose condition holds; to
    the rule itself if none does.
    """
    always = [one for one in changes if one[0].only is None]
    for override, change, path in always:
        laid.lay(override, change, path)
    sometimes: dict[str, list[tuple[Override, DifferenceModel, Path]]] = {}
    for one in changes:
        if one[0].only is not None:
            sometimes.setdefault(one[0].name, []).append(one)
    before: list[Wanted] = []
    found: list[Version] = []
    for override_name, group in sorted(sometimes.items()):
        only = group[0][0].only
        assert only is not None  # noqa: S101 - these have conditions
        variant = Laid(laid.document, laid.value, dict(laid.origins), list(laid.overridden))
        for override, change, path in group:
            variant.lay(override, change, path)
        own = f"{name}-{override_name}"
        variant.value = {**variant.value, "rule": own}
        also = (*before, (only, True))
        found.append(Version(variant, Place(pack, name, also, tuple(variant.overridden))))
        before.append((only, False))
    itself = Place(pack, "", tuple(before), tuple(laid.overridden))
    return [Version(laid, itself), *found]


def check_split(model: RuleModel, changes: Changes) -> None:
    """A rule that falls due without an event cannot tell one district from another."""
    operator = model.when.chosen()[1]
    if getattr(operator, "roster", None) is None:
        return
    for override, change, path in changes:
        if override.only is not None:
            override.notes.add((*path, "rule"), "R634", name=change.rule)


def reading_variants(model: RuleModel, split: Mapping[str, Sequence[str]]) -> RuleModel:
    """A rule that reads alerts of a rule with variants reads those of the variants too."""
    if not model.of:
        return model
    wide = [one for name in model.of for one in (name, *split.get(name, ()))]
    return model.model_copy(update={"of": list(dict.fromkeys(wide))})
