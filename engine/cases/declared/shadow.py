"""Branches that can never be reached: what the branches before and above them leave to them."""

from collections.abc import Iterator, Sequence

from engine.cases.areas import Areas
from engine.cases.match import fits
from engine.cases.policy import Branch, Match
from engine.model.severity import Severity

_PARTS = ("rules", "keys", "packs", "dispatch")


def shadowed(branch: Branch, areas: Areas) -> Iterator[tuple[Branch, Branch]]:
    """Each branch below one that a branch before it takes everything from, with that branch."""
    for index, child in enumerate(branch.children):
        for earlier in branch.children[:index]:
            if not earlier.go_on and covers_match(earlier.match, child.match, areas):
                yield child, earlier
                break
        yield from shadowed(child, areas)


def impossible(
    branch: Branch, areas: Areas, above: Sequence[Branch] = ()
) -> Iterator[tuple[Branch, str, Branch]]:
    """Each branch that asks for what a branch above it excludes: the branch, the part, that one."""
    for child in branch.children:
        chain = (*above, branch)
        for outer in chain:
            part = _clash(outer.match, child.match, areas)
            if part:
                yield child, part, outer
                break
        yield from impossible(child, areas, chain)


def covers_match(wide: Match, narrow: Match, areas: Areas) -> bool:
    """Whether every alert that meets one match meets the other."""
    for name, values in wide.labels.items():
        if name not in narrow.labels or not narrow.labels[name] <= values:
            return False
    for part in _PARTS:
        asked, given = getattr(wide, part), getattr(narrow, part)
        if asked and not (given and all(_within(one, asked) for one in given)):
            return False
    if wide.areas and not (
        narrow.areas and all(_lies(one, wide.areas, areas) for one in narrow.areas)
    ):
        return False
    if wide.min_severity and not (
        narrow.min_severity
        and Severity(narrow.min_severity).rank >= Severity(wide.min_severity).rank
    ):
        return False
    return wide.hours is None or wide.hours == narrow.hours


def _clash(outer: Match, inner: Match, areas: Areas) -> str:
    """The part in which two matches have nothing in common; empty when an alert may meet both."""
    for name, values in outer.labels.items():
        if name in inner.labels and not values & inner.labels[name]:
            return f"labels.{name}"
    for part in _PARTS:
        one, other = getattr(outer, part), getattr(inner, part)
        if one and other and not any(_meet(a, b) for a in one for b in other):
            return part
    if outer.areas and inner.areas:
        meets = any(
            _lies(a, (b,), areas) or _lies(b, (a,), areas) for a in outer.areas for b in inner.areas
        )
        if not meets:
            return "areas"
    return ""


def _within(pattern: str, patterns: Sequence[str]) -> bool:
    """Whether all that one pattern means some other means as well."""
    return any(
        pattern == other or (other.endswith("*") and pattern.startswith(other[:-1]))
        for other in patterns
    )


def _meet(one: str, other: str) -> bool:
    """Whether two patterns may mean the same name."""
    return fits(one, other.rstrip("*")) or fits(other, one.rstrip("*"))


def _lies(code: str, outer: Sequence[str], areas: Areas) -> bool:
    """Whether an area lies in one of some others."""
    return any(one in areas.within(code) for one in outer)
