"""Whether workers that are running can go over to an edited program: topics must be the same.

Which partitions a worker reads is dealt out by the group, for the topics that all of its members
name. So what needs other topics, or reads the same ones in another way, comes in by restarting the
workers one after another.
"""

from collections.abc import Mapping

from engine.edge.reload_fit import differ
from engine.edge.streaming.link import Link
from engine.edge.streaming.topics import Layout, SpaceLayout, plan_topics
from engine.errors import Location, Problem
from engine.ruleset.compile import Program

_NOWHERE = Location("forewarn.yaml")


def restart_of_workers(link: Link, layout: Layout, old: Program, new: Program) -> list[Problem]:
    """What of an edit only workers that are started anew can follow, each at its rule or feed."""
    feeds = _feeds(old, new)
    if feeds:
        return feeds
    wanted = plan_topics(link, new, layout.counts, "en").layout
    found = [
        Problem(_at(name, new, old) if name in new.spaces else _NOWHERE, "S130", {"space": name})
        for name in sorted(layout.spaces.keys() ^ wanted.spaces.keys())
    ]
    if found:
        return found
    for name, before in sorted(layout.spaces.items()):
        now = wanted.spaces[name]
        if before != now:
            words = {"space": name, "old": _read(before), "new": _read(now)}
            found.append(Problem(_at(name, new, old), "S131", words))
        elif _by(old, name) != _by(new, name):
            found.append(Problem(_at(name, new, old), "S133", {"space": name}))
    return found


def _feeds(old: Program, new: Program) -> list[Problem]:
    """Feeds that another topic holds now, or whose records say something else."""
    found: list[Problem] = []
    for name in sorted(old.feeds.keys() & new.feeds.keys()):
        before, now = old.feeds[name].spec, new.feeds[name].spec
        what = [*differ(before, now), *(["topic"] if before.topic != now.topic else [])]
        found += [Problem(now.at, "S132", {"feed": name, "what": one}) for one in what]
    return found


def _at(space: str, new: Program, old: Program) -> Location:
    """Where the first rule of a key space is declared that is not what it was."""
    rules = new.spaces[space].rules
    before = {id(rule) for rule in old.rules.values()}
    first = next((rule for rule in rules if id(rule) not in before), rules[0])
    declared = new.project.rules.get(first.spec.id.partition("/")[0])
    return _NOWHERE if declared is None else declared.at


def _read(space: SpaceLayout) -> str:
    """What a key space reads, in short."""
    return ", ".join([*space.inputs, *space.routed_from, *space.senders])


def _by(program: Program, space: str) -> Mapping[str, tuple[str, ...]]:
    """The key fields of each feed that a key space reads."""
    rules = program.spaces[space].rules
    return {feed: names for rule in rules for feed, names in rule.spec.by.items()}
