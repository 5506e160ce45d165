"""Lists and macros in words, with the rules that use them."""

from engine.ruleset.macros import Macro, read_by
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
    sheet.add("used-by", _users(one.name, project, lang))
    return sheet


def macro_sheet(macro: Macro, project: Project, lang: str) -> Sheet:
    """Everything about one macro."""
    sheet = Sheet("macro", macro.name, macro.title.get(lang, ""), lang)
    sheet.add("file", str(macro.at))
    sheet.add("written", macro.usage)
    sheet.add("means", " ".join(macro.expr.text.split()))
    sheet.add("made-of", ", ".join(read_by(macro, project.macros)))
    sheet.add("used-by", _users(macro.name, project, lang))
    return sheet


def _users(name: str, project: Project, lang: str) -> str:
    """The rules that use a list or a macro."""
    users = sorted(rule.id for rule in project.rules.values() if name in rule.shared)
    return ", ".join(users) or say("about-nobody", lang)
