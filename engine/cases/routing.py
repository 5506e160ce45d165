"""Where an alert goes: the tree of routes is walked once, and every step is told.

```
default ─┬─ hazmat ── hazmat-red    the first child that matches decides; what it leaves open
         ├─ night-watch (go_on)     the branch above it says. One that goes on is told as well,
         └─ wages                   and where nothing after it matches it decides itself.
```
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, final

from engine.cases.areas import Areas
from engine.cases.decision import Decision, Reason
from engine.cases.match import Facts, Missed, facts_of, missed, same_areas
from engine.cases.model import Tier
from engine.cases.policy import Branch, Centre, Grouping, Policy, Proof
from engine.geo.regions import Regions
from engine.model.change import Change
from engine.model.severity import Severity
from engine.text.terms import Term

_Value = TypeVar("_Value")
_NONE: tuple[str, ...] = ()
Chain = tuple[Branch, ...]
"""Branches from the root to the one that matched last."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What walking down from a branch found.

    Attributes:
        decides: The branches that decide, from the one walked from to the innermost.
        also: Those of branches that went on, in the order of the tree.

    """

    decides: Chain
    also: tuple[Chain, ...] = ()


@final
class Router:
    """Routing that knows the regions of a city; keeps the areas of the policy it saw last."""

    def __init__(self, regions: Regions | None = None) -> None:
        """Take the regions that positions are looked up in; None: labels alone say the area."""
        self._regions = regions
        self._seen: tuple[Policy, Areas] | None = None

    def __call__(self, policy: Policy, alert: Change, now_ms: int) -> Decision:
        """Where an alert goes at this instant."""
        if self._seen is None or self._seen[0] is not policy:
            self._seen = (policy, Areas(policy.centres))
        return _decided(policy, self._seen[1], alert, now_ms, self._regions)


def decide(policy: Policy, alert: Change, now_ms: int, regions: Regions | None = None) -> Decision:
    """Where an alert goes at this instant.

    A function of the alert, the instant and the declarations alone; every alert gets one decision.

    Args:
        policy: What is declared.
        alert: The transition that is to be dealt with.
        now_ms: The desk's own time, UTC ms: branches may hold at some hours only.
        regions: The layer that positions are looked up in; without it labels alone say the area.

    """
    return Router(regions)(policy, alert, now_ms)


def _decided(
    policy: Policy, areas: Areas, alert: Change, now_ms: int, regions: Regions | None
) -> Decision:
    facts = facts_of(alert, areas, regions)
    why = [_where(facts, areas)]
    walk = _walk(policy.root, facts, now_ms, why)
    chain = walk.decides
    terms = _Terms(policy, facts, chain, why)
    lead = terms.office("lead", lambda branch: branch.lead)
    host = terms.office("host", lambda branch: branch.host) or lead
    assisting = terms.assisting(lead, host, walk.also)
    centre = terms.centre(areas)
    return Decision(
        route="/".join(branch.name for branch in chain[1:]) or chain[0].name,
        lead=lead,
        host=host,
        assisting=assisting,
        area=facts.area,
        centre=centre.area if centre is not None else "",
        tier=centre.tier if centre is not None else _said(chain, lambda one: one.tier, Tier.CITY),
        timing=policy.timings[terms.timing()],
        grouping=_said(chain, lambda branch: branch.grouping, Grouping()),
        proof=_said(chain, lambda branch: branch.proof, Proof()),
        dispatch=_said(chain, lambda branch: branch.dispatch, True),
        repeat_ms=_said(chain, lambda branch: branch.repeat_ms, 0),
        refer=_said(chain, lambda branch: branch.refer, ""),
        sinks=_sinks(walk),
        why=tuple(why),
    )


def _walk(branch: Branch, facts: Facts, now_ms: int, why: list[Reason]) -> Walk:
    """Walk down from a branch that matches; tells of each child why it did or did not."""
    also: list[Walk] = []
    for number, child in enumerate(branch.children):
        lacking = list(missed(child.match, facts, now_ms))
        if lacking:
            why += [_lacking(child, one) for one in lacking]
            continue
        name = "route-goes-on" if child.go_on else "route-matches"
        why.append(Reason(name, {"route": child.name}))
        below = _walk(child, facts, now_ms, why)
        if child.go_on:
            also.append(below)
            continue
        if later := branch.children[number + 1 :]:
            names = ", ".join(one.name for one in later)
            why.append(Reason("route-not-asked", {"routes": names}, taken=False))
        return Walk((branch, *below.decides), _chains(branch, also, below.also))
    if also:
        last = also.pop()
        return Walk((branch, *last.decides), _chains(branch, also, last.also))
    if branch.children:
        why.append(Reason("route-none-below", {"route": branch.name}))
    return Walk((branch,))


def _chains(branch: Branch, also: Sequence[Walk], inner: Sequence[Chain]) -> tuple[Chain, ...]:
    """Every chain that is told as well, each beginning at a branch."""
    chains = [chain for walk in also for chain in (walk.decides, *walk.also)]
    return tuple((branch, *chain) for chain in (*chains, *inner))


def _lacking(branch: Branch, one: Missed) -> Reason:
    """Why a branch did not match, as a step of the way."""
    part, _, label = one.part.partition(".")
    wanted, has = one.wanted, one.found
    if part == "min_severity":
        wanted, has = Term(wanted), Term(has)
    found = {"route": branch.name, "wanted": wanted, "found": has, "label": label}
    return Reason(f"route-missed-{part}" + ("" if one.found else "-none"), found, taken=False)


def _where(facts: Facts, areas: Areas) -> Reason:
    """Where an alert is, and what says so."""
    if not facts.area:
        return Reason("route-area-none")
    if areas.around(facts.area) is None:
        return Reason("route-area-strange", {"area": facts.area})
    if facts.area_from == "position":
        return Reason("route-area-position", {"area": facts.area})
    return Reason("route-area-label", {"area": facts.area, "label": facts.area_from})


def _from_inside(chain: Chain) -> Iterator[Branch]:
    """The branches of a chain from the innermost to the root."""
    return reversed(chain)


def _said(chain: Chain, of: Callable[[Branch], _Value | None], otherwise: _Value) -> _Value:
    """What the innermost branch that says something says."""
    return next(
        (value for branch in _from_inside(chain) if (value := of(branch)) is not None), otherwise
    )


def _sinks(walk: Walk) -> tuple[str, ...]:
    """The sinks of what decides, then of what is told as well, each once."""
    chains = (walk.decides, *walk.also)
    return tuple(
        dict.fromkeys(
            name for chain in chains for name in _said(chain, lambda one: one.sinks, _NONE)
        )
    )


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the branches that decide say about one alert; tells who said it."""

    policy: Policy
    facts: Facts
    chain: Chain
    why: list[Reason]

    def works(self, department: str) -> bool:
        """Whether a department works where the alert is; the unknown place is everybody's."""
        found = self.policy.departments.get(department)
        return found is None or not self.facts.area or same_areas(self.facts, found.areas)

    def office(self, role: str, of: Callable[[Branch], str | None]) -> str:
        """The department of a role; one that does not work in the area is passed over."""
        for branch in _from_inside(self.chain):
            name = of(branch)
            if name is None:
                continue
            found = {"department": name, "route": branch.name, "area": self.facts.area}
            if self.works(name):
                self.why.append(Reason(f"route-{role}", found))
                return name
            self.why.append(Reason("route-away", found, taken=False))
        return ""

    def assisting(self, lead: str, host: str, also: Sequence[Chain]) -> tuple[str, ...]:
        """Who helps: those the branches name, and everybody named by a branch that went on."""
        names = list(_said(self.chain, lambda branch: branch.assisting, _NONE))
        for chain in also:
            ends = (_said(chain[1:], lambda one: one.lead, ""), _said(chain[1:], _host, ""))
            names += [name for name in ends if name]
            names += _said(chain[1:], lambda branch: branch.assisting, _NONE)
        kept = [
            name for name in dict.fromkeys(names) if name not in {lead, host} and self.works(name)
        ]
        if kept:
            self.why.append(Reason("route-assisting", {"departments": ", ".join(kept)}))
        return tuple(kept)

    def centre(self, areas: Areas) -> Centre | None:
        """The centre that has the case, a tier higher where the severity asks for it."""
        tier = _said(self.chain, lambda branch: branch.tier, Tier.CITY)
        centre = areas.centre(self.facts.area, tier)
        if centre is None:
            self.why.append(Reason("route-no-centre", {"tier": Term(tier)}, taken=False))
            return None
        name = "route-centre" if centre.tier is tier else "route-centre-above"
        self.why.append(Reason(name, {"tier": Term(tier), "centre": centre.area}))
        lift_from = _said(self.chain, lambda branch: branch.lift_from, "")
        if lift_from and Severity(self.facts.severity).rank >= Severity(lift_from).rank:
            above = areas.above(centre)
            if above is not None:
                found = {"severity": Term(self.facts.severity), "centre": above.area}
                self.why.append(Reason("route-lifted", found))
                return above
        return centre

    def timing(self) -> str:
        """The name of the limits."""
        branch = next(one for one in _from_inside(self.chain) if one.timing is not None)
        assert branch.timing is not None  # noqa: S101 - the root has one, see `declared`
        self.why.append(Reason("route-timing", {"timing": branch.timing, "route": branch.name}))
        return branch.timing


def _host(branch: Branch) -> str | None:
    return branch.host
