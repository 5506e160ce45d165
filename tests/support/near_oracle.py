"""Gatherings by brute force: at every instant everybody is compared with everybody."""

# Imports nothing of the engine, so that it cannot share its mistakes.

from dataclasses import dataclass, field
from math import hypot

Fix = tuple[int, str, float, float, str, bool]
"""Event time, key, metres east, metres north, kind, whether it takes part."""

Told = tuple[str, str, int, int]
"""What happened, the alert's key, since when, when."""


@dataclass(frozen=True)
class Words:
    radius: float
    at_least: int
    count: int
    silent: int | None
    outside: int = 0
    needs: tuple[tuple[str, int], ...] = ()
    apart: tuple[str, str] | None = None


@dataclass
class Spell:
    """One unbroken time of one key in full company."""

    since: int
    age: tuple[int, str]
    place: tuple[float, float]
    lacking: int | None = None
    leads: "Group | None" = None


@dataclass
class Group:
    founder: str
    since: int
    fired: bool = False


@dataclass
class World:
    words: Words
    spells: dict[str, Spell] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    had: set[str] = field(default_factory=set)
    lost: dict[str, int] = field(default_factory=dict)
    alarmed: set[str] = field(default_factory=set)


def alerts(fixes: list[Fix], words: Words, until: int) -> list[Told]:
    """Everything that is told up to an instant."""
    world = World(words)
    for now in _instants(fixes, words, until):
        here = _here(fixes, words, now)
        if words.apart is not None:
            _escorts(world, here, now)
        else:
            _spells(world, here, now)
            _groups(world, now)
    return sorted(world.told, key=lambda one: (one[3], one[1], one[2], one[0]))


def _instants(fixes: list[Fix], words: Words, until: int) -> list[int]:
    """Every instant at which anything can happen."""
    moments = {fix[0] for fix in fixes}
    if words.silent is not None:
        moments |= {at + words.silent + 1 for at in moments}
    moments |= {at + words.outside for at in moments}
    moments |= {at + words.at_least for at in moments}
    return sorted(at for at in moments if at <= until)


def _here(fixes: list[Fix], words: Words, now: int) -> dict[str, Fix]:
    """The last fix of every key that is somewhere now."""
    last = {fix[1]: fix for fix in sorted(fixes) if fix[0] <= now}
    kinds = {name for name, _ in words.needs}
    return {
        who: fix
        for who, fix in last.items()
        if fix[5]
        and (words.silent is None or now - fix[0] <= words.silent)
        and (not kinds or fix[4] in kinds)
    }


def _close(one: tuple[float, float], other: tuple[float, float], words: Words) -> bool:
    return hypot(one[0] - other[0], one[1] - other[1]) <= words.radius


def _spells(world: World, here: dict[str, Fix], now: int) -> None:
    """Who is in full company now, and since when without a longer lack than is tolerated."""
    words = world.words
    orphans: list[tuple[Group, tuple[float, float]]] = []
    for who in {*here, *world.spells}:
        spell, fix = world.spells.get(who), here.get(who)
        full = False
        if fix is not None:
            near = [one for one in here.values() if _close(fix[2:4], one[2:4], words)]
            full = len(near) >= words.count and all(
                sum(one[4] == kind for one in near) >= need for kind, need in words.needs
            )
        ended = False
        if spell is not None and full and fix is not None:
            ended = not _close(spell.place, fix[2:4], words)
        elif spell is not None:
            spell.lacking = now if spell.lacking is None else spell.lacking
            ended = now - spell.lacking >= words.outside
        if spell is not None and ended:
            del world.spells[who]
            if spell.leads is not None:
                orphans.append((spell.leads, spell.place))
            spell = None
        if full and fix is not None:
            if spell is None:
                spell = world.spells[who] = Spell(now, (now, who), fix[2:4])
            spell.lacking, spell.place = None, fix[2:4]
    for group, place in sorted(orphans, key=lambda one: (one[0].since, one[0].founder)):
        left = [
            one
            for one in world.spells.values()
            if _close(one.place, place, words) and _oldest(world, one)
        ]
        if not left:
            if group.fired:
                world.told.append(("cleared", group.founder, group.since, now))
            continue
        heir = min(left, key=lambda one: one.age)
        if heir.age < (group.since, group.founder):
            _withdraw(world, group, now)
            continue
        if heir.leads is not None:
            _withdraw(world, heir.leads, now)
        heir.leads, heir.age = group, (group.since, group.founder)


def _withdraw(world: World, group: Group, now: int) -> None:
    if group.fired:
        world.told.append(("retracted", group.founder, group.since, now))


def _oldest(world: World, spell: Spell) -> bool:
    """Whether nobody in full company nearby has been so for longer."""
    return not any(
        other.age < spell.age
        for other in world.spells.values()
        if other is not spell and _close(other.place, spell.place, world.words)
    )


def _groups(world: World, now: int) -> None:
    """Who leads, and which groups have lasted."""
    words = world.words
    for who in sorted(world.spells, key=lambda one: world.spells[one].age):
        spell = world.spells[who]
        if spell.leads is not None and not _oldest(world, spell):
            _withdraw(world, spell.leads, now)
            spell.leads, spell.since, spell.age = None, now, (now, who)
    for who in sorted(world.spells, key=lambda one: world.spells[one].age):
        spell = world.spells[who]
        if spell.leads is None and _oldest(world, spell):
            spell.leads = Group(who, spell.since)
    for spell in world.spells.values():
        group = spell.leads
        if group is None or group.fired or spell.lacking is not None:
            continue
        if now - group.since >= words.at_least:
            group.fired = True
            world.told.append(("fired", group.founder, group.since, now))


def _escorts(world: World, here: dict[str, Fix], now: int) -> None:
    """Who has been without an escort for too long."""
    words = world.words
    assert words.apart is not None
    guarded, escort = words.apart
    need = dict(words.needs)[escort]
    for who in {*here, *world.had}:
        fix = here.get(who)
        if fix is None or fix[4] != guarded:
            if who in world.alarmed:
                world.told.append(("cleared", who, world.lost[who], now))
            world.had.discard(who)
            world.alarmed.discard(who)
            world.lost.pop(who, None)
            continue
        with_it = [
            one
            for one in here.values()
            if one[4] == escort and one[1] != who and _close(fix[2:4], one[2:4], words)
        ]
        if len(with_it) >= need:
            if who in world.alarmed:
                world.told.append(("cleared", who, world.lost[who], now))
            world.had.add(who)
            world.alarmed.discard(who)
            world.lost.pop(who, None)
        elif who in world.had:
            since = world.lost.setdefault(who, now)
            if now - since >= words.at_least and who not in world.alarmed:
                world.alarmed.add(who)
                world.told.append(("fired", who, since, now))
