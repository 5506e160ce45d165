"""Every sink that a paper may go to: those that departments, centres, limits and routes name."""

from collections.abc import Iterator

from engine.cases.policy import Branch, Policy
from engine.errors import Location


def sinks_of(policy: Policy) -> Iterator[tuple[str, Location]]:
    """Every sink that a paper may go to, with the place that names it; some several times."""
    for department in policy.departments.values():
        yield from ((sink, department.at) for sink in department.sinks)
    for centre in policy.centres.values():
        yield from ((sink, centre.at) for sink in centre.sinks)
    for timing in policy.timings.values():
        for rungs in timing.ladder.values():
            yield from ((sink, timing.at) for rung in rungs for sink in rung.sinks)
    yield from _of_branch(policy.root)


def _of_branch(branch: Branch) -> Iterator[tuple[str, Location]]:
    yield from ((sink, branch.at) for sink in branch.sinks or ())
    if branch.refer:
        yield branch.refer, branch.at
    for child in branch.children:
        yield from _of_branch(child)
