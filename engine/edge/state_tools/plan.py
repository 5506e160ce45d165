"""What becomes of saved state under the rules as they are now: a table, before it happens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.edge.state_tools.file import Part, Row
from engine.errors import StateError
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import Program
from engine.ruleset.spec import RuleSpec
from engine.state.codec import Fate, fate_of, plan_state, unpack_row, written_by
from engine.state.taking import load_row
from engine.text import say

SHOWN = 6
"""Digits of a rule's hash that people read and write."""
FEW = 5
"""So many rows that cannot be taken up are named."""


class Does(StrEnum):
    """What will happen to the rows of one version of a rule."""

    FITS = "fits"
    KEEP = "keep"
    MIGRATE = "migrate"
    RESET = "reset"
    GONE = "gone"
    REFUSED = "refused"
    MOVED = "moved"


_OF_FATE = {
    Fate.FITS: Does.FITS,
    Fate.KEEP: Does.KEEP,
    Fate.MIGRATE: Does.MIGRATE,
    Fate.RESET: Does.RESET,
    Fate.ORPHAN: Does.GONE,
    Fate.REFUSED: Does.REFUSED,
}


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One version of a rule that left rows behind, or a rule that left none.

    Attributes:
        old: Hash of the version that wrote the rows; empty for a rule without rows.
        new: Hash of the rule as it is; empty for a rule that was taken out.
        keys: Rows it left.
        moved_to: The key space the rule belongs to now, if that is another one.

    """

    space: str
    rule: str
    old: str
    new: str
    keys: int
    does: Does
    moved_to: str = ""


def plan_lines(
    saved: Mapping[str, Iterable[Write]], rules: Mapping[str, RuleSpec], *, whole: bool = True
) -> list[Line]:
    """What happens to the rows of each key space, rule by rule and version by version.

    Args:
        saved: Rows by key space.
        rules: Every rule that runs, by id.
        whole: Also name the rules that have no rows yet.

    """
    lines: list[Line] = []
    for space, rows in sorted(saved.items()):
        plan = plan_state(rules, rows)
        for (rule, old), fate in sorted(plan.fates.items()):
            spec, count = rules.get(rule), plan.counts[rule, old]
            new = "" if spec is None else spec.hash
            does, moved = _OF_FATE[fate], ""
            if spec is not None and spec.space != space:
                moved = spec.space
                does = Does.RESET if fate is Fate.RESET else Does.MOVED
            lines.append(Line(space, rule, old, new, count, does, moved))
    if whole:
        known = {line.rule for line in lines}
        lines += [
            Line(spec.space, rule, "", spec.hash, 0, Does.FITS)
            for rule, spec in rules.items()
            if rule not in known
        ]
    return sorted(lines)


def refusals(lines: Sequence[Line]) -> list[Line]:
    """The lines that keep a start from happening."""
    left = [line for line in lines if line.old]
    if left and all(line.does is Does.GONE for line in left):
        return left
    return [line for line in left if line.does in (Does.REFUSED, Does.MOVED)]


def refuse_misfit(
    saved: Mapping[str, Iterable[Write]], rules: Mapping[str, RuleSpec], lang: str
) -> list[Line]:
    """The plan, if every edited rule says what becomes of its state.

    Raises:
        StateError: One does not. The error is the whole plan with what to write.

    """
    lines = plan_lines(saved, rules, whole=False)
    if refusals(lines):
        raise StateError(
            "\n".join([say("state-misfit", lang), "", *table(lines, lang), *todo(lines, lang)])
        )
    return lines


def rehearsed(program: Program, parts: Iterable[Part], rows: Iterable[Row]) -> list[StateError]:
    """What would go wrong when kept and migrated rows are taken up; a few rows are enough."""
    marks: dict[str, int] = {}
    for part in parts:
        if part.watermark is not None:
            marks[part.space] = min(part.watermark, marks.get(part.space, part.watermark))
    spaces = {name: Space(space, saves=False) for name, space in program.spaces.items()}
    for name, mark in marks.items():
        if name in spaces:
            spaces[name].progress.watermark = mark
    found: list[StateError] = []
    for row in rows:
        space, rule = spaces.get(row.space), program.rules.get(row.rule)
        if space is None or rule is None or rule.spec.space != row.space or len(found) == FEW:
            continue
        fate = fate_of(rule.spec, written_by(row.value))
        if fate not in (Fate.KEEP, Fate.MIGRATE):
            continue
        number = next(n for n, one in enumerate(space.program.rules) if one is rule)
        payload = unpack_row(row.value)[1]
        try:
            load_row(space, number, Write(row.rule, row.key, row.value), payload, fate)
        except StateError as error:
            found.append(error)
    return found


def table(lines: Sequence[Line], lang: str) -> list[str]:
    """The plan as a table: rule, versions, keys, what will happen."""
    head = [say(f"state-plan-{name}", lang) for name in ("rule", "old", "new", "keys", "does")]
    rows = [
        [
            line.rule,
            line.old[:SHOWN] or "-",
            line.new[:SHOWN] or "-",
            str(line.keys),
            say(_sentence(line), lang),
        ]
        for line in lines
    ]
    return columns([head, *rows])


def todo(lines: Sequence[Line], lang: str) -> list[str]:
    """What to write into which rule, for every line that is refused."""
    found = refusals(lines)
    if found and all(line.does is Does.GONE for line in found):
        names = ", ".join(sorted({line.rule for line in found}))
        return ["", say("state-misfit-all", lang, rules=names)]
    texts = [""] if found else []
    for line in found:
        words = {"rule": line.rule, "count": line.keys}
        old, new = line.old[:SHOWN], line.new[:SHOWN]
        if line.does is Does.MOVED:
            words |= {"old": line.space, "new": line.moved_to, "hash": old}
            texts.append(say("state-misfit-space", lang, **words))
        else:
            texts.append(say("state-misfit-rule", lang, **words, old=old, new=new))
    return texts


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells under each other; a Chinese character takes two places."""
    from engine.edge.cli.helptext import width  # noqa: PLC0415 - only where people read

    widest = [max(width(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell + " " * (widest[place] - width(cell)) for place, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def data_of(lines: Sequence[Line]) -> list[dict[str, object]]:
    """The plan as plain values."""
    return [
        {
            "space": line.space,
            "rule": line.rule,
            "old": line.old or None,
            "new": line.new or None,
            "keys": line.keys,
            "does": str(line.does) if line.old else "new",
        }
        for line in lines
    ]


def _sentence(line: Line) -> str:
    if not line.old:
        return "state-does-new"
    return f"state-does-{line.does}"
