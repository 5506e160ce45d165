"""Which lines of the declarations differ between two versions of the rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project

_LONGEST = 40
_WIDEST = 160
_NOT_COMPARED = ("_test.yaml",)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is only in the new file (`+`) or only in the old one (`-`), with its number."""

    sign: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Edits:
    """What differs: lines by file, the files named from their pack's folder on.

    Attributes:
        of_rules: For each rule the lines of its own file.
        others: For every other file the lines that differ.

    """

    of_rules: Mapping[str, Sequence[Line]]
    others: Mapping[str, Sequence[Line]]


def edits(
    new: Sequence[DeclaredFile], new_project: Project,
    old: Sequence[DeclaredFile], old_project: Project,
) -> Edits:  # fmt: skip
    """The lines that differ; tests beside the rules decide nothing and are left out."""
    after, before = _by_name(new, new_project), _by_name(old, old_project)
    rules: dict[str, Sequence[Line]] = {}
    others: dict[str, Sequence[Line]] = {}
    homes = {**_homes(old_project), **_homes(new_project)}
    for name in sorted({*after, *before}):
        lines = _differing(after.get(name, b""), before.get(name, b""))
        if not lines:
            continue
        if name in homes:
            rules[homes[name]] = lines
        else:
            others[name] = lines
    return Edits(rules, others)


def _homes(project: Project) -> dict[str, str]:
    """For the file of each rule its id."""
    return {f"{rule.pack}/{rule.id}.yaml": rule.id for rule in project.rules.values()}


def _by_name(files: Iterable[DeclaredFile], project: Project) -> dict[str, bytes]:
    """Files by their place in their pack; folders may be called otherwise in the old version."""
    folders = {PurePosixPath(pack.folder): name for name, pack in project.packs.items()}
    found: dict[str, bytes] = {}
    for file in files:
        path = PurePosixPath(file.path)
        home = next((one for one in path.parents if one in folders), None)
        if home is not None and not path.name.endswith(_NOT_COMPARED):
            found[f"{folders[home]}/{path.relative_to(home)}"] = file.raw
    return found


def _differing(new: bytes, old: bytes) -> list[Line]:
    """The lines that only one of two texts has, at most so many."""
    if new == old:
        return []
    after, before = (raw.decode("utf-8", "replace").splitlines() for raw in (new, old))
    lines: list[Line] = []
    for what, i1, i2, j1, j2 in SequenceMatcher(None, before, after, False).get_opcodes():
        if what != "equal":
            lines += [Line("-", number + 1, _cut(before[number])) for number in range(i1, i2)]
            lines += [Line("+", number + 1, _cut(after[number])) for number in range(j1, j2)]
        if len(lines) > _LONGEST:
            return lines[:_LONGEST]
    return lines


def _cut(line: str) -> str:
    """A line short enough to be read; outlines of zones are not."""
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"
