"""Lists and macros in words, with the rules that use them."""

from collections.abc import Iterable, Iterator

from engine.ruleset.layered import Overridden
from engine.ruleset.macros import Macro, read_by
from engine.ruleset.shape import show
from engine.ruleset.sheet import Sheet
from engine.ruleset.spec import ListSpec, Project
from engine.text import say

_SHOWN = 40


def list_sheet(one: ListSpec, project: Project, lang: str) -> Sheet:
    """Everything about one list."""
    sheet = Sheet("list", one.name, one.title.get(lang, ""), lang)
    sheet.add("file", one.at.file)
    more = ", ..." if len(one.values) > _SHOWN else ""
    sheet.add("values", ", ".join(one.values[:_SHOWN]) + more)
    for only, values in one.variants:
        sheet.add("where-only", f"{_flat(only)}: {', '.join(values[:_SHOWN])}")
    sheet.add("overridden", *overridden_lines(one.overridden, lang))
    sheet.add("used-by", _users(one.name, project, lang))
    return sheet


def macro_sheet(macro: Macro, project: Project, lang: str) -> Sheet:
    """Everything about one macro."""
    sheet = Sheet("macro", macro.name, macro.title.get(lang, ""), lang)
    sheet.add("file", str(macro.at))
    sheet.add("written", macro.usage)
    sheet.add("means", _flat(macro))
    for only, other in macro.variants:
        sheet.add("where-only", f"{_flat(only)}: {_flat(other)}")
    sheet.add("overridden", *overridden_lines(macro.overridden, lang))
    sheet.add("made-of", ", ".join(read_by(macro, project.macros)))
    sheet.add("used-by", _users(macro.name, project, lang))
    return sheet


def override_sheet(name: str, project: Project, lang: str) -> Sheet:
    """Everything that one override changed."""
    sheet = Sheet("override", name, project.overrides[name].get(lang, ""), lang)
    things: list[tuple[str, tuple[Overridden, ...]]] = [
        *((one.id, one.overridden) for one in project.rules.values()),
        *((one.name, one.overridden) for one in project.lists.values()),
        *((one.name, one.overridden) for one in project.macros.values()),
    ]
    for thing, changed in things:
        own = [one for one in changed if one.by == name]
        lines = list(overridden_lines(own, lang))
        sheet.add("overridden", *(f"{thing}: {line}" for line in lines))
    return sheet


def overridden_lines(changed: Iterable[Overridden], lang: str) -> Iterator[str]:
    """Every value that an override changed, what it was, and where the override says it."""
    for one in changed:
        way = ".".join(map(str, one.path))
        name = say("about-appended" if one.how == "append" else "about-replaced", lang)
        was = "" if one.old is None else say("about-was", lang, old=show(one.old))
        new = "-" if one.new is None else show(one.new)
        yield f"{way} {name} {new}{was}  ({one.by}, {one.at})".strip()


def _flat(macro: Macro) -> str:
    """What a macro means, on one line."""
    return " ".join(macro.expr.text.split())


def _users(name: str, project: Project, lang: str) -> str:
    """The rules that use a list or a macro."""
    users = sorted(rule.id for rule in project.rules.values() if name in rule.shared)
    return ", ".join(users) or say("about-nobody", lang)
