"""What a department, a centre, a set of limits or a route is, as a sheet of labelled lines."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from engine.cases.clocks import is_exact
from engine.cases.policy import Branch, Centre, Department, Limit, Match, Policy, Rung, Timing
from engine.ruleset.sheet import Sheet
from engine.text import say
from engine.text.terms import Term

KINDS = ("departments", "centres", "timings", "routes")
"""What of a desk can be listed."""


def listed(kind: str, policy: Policy, lang: str) -> list[tuple[str, str]]:
    """All things of a kind, each with a few words about it."""
    match kind:
        case "departments":
            return [(name, _title(one.title, lang)) for name, one in policy.departments.items()]
        case "centres":
            return [(code, _title(one.title, lang)) for code, one in policy.centres.items()]
        case "timings":
            return [(name, one.source) for name, one in policy.timings.items()]
        case "routes":
            routes = _routes(policy.root)
            return [(name, _lead(policy, whole, lang)) for name, _, whole in routes]
    return []


def names(policy: Policy) -> set[str]:
    """Everything that can be described."""
    return {name for kind in KINDS for name, _ in listed(kind, policy, "en")}


def described(name: str, policy: Policy, lang: str) -> list[Sheet]:
    """Everything of this name that a desk declares; a route also with those above it."""
    found: list[Sheet] = []
    if (department := policy.departments.get(name)) is not None:
        found.append(_department(department, policy, lang))
    for code, centre in policy.centres.items():
        if name in {code, *centre.also}:
            found.append(_centre(centre, policy, lang))
    if (timing := policy.timings.get(name)) is not None:
        found.append(_timing(timing, policy, lang))
    for path, branch, whole in _routes(policy.root):
        if name in {path, branch.name}:
            found.append(_route(path, branch, whole, policy, lang))
    return found


def _department(one: Department, policy: Policy, lang: str) -> Sheet:
    sheet = Sheet("desk-department", one.id, _title(one.title, lang), lang)
    sheet.add("file", str(one.at))
    sheet.add("desk-sinks", ", ".join(one.sinks))
    sheet.add("desk-areas", ", ".join(one.areas) or say("about-desk-everywhere", lang))
    sheet.add("desk-person", one.person)
    sheet.add("desk-next", one.next)
    part = [
        f"{path}: {', '.join(say(f'route-as-{role}', lang) for role in roles)}"
        for path, _, whole in _routes(policy.root)
        if (roles := [role for role, offices in _offices(whole) if one.id in offices])
    ]
    sheet.add("desk-routes", *part)
    return sheet


def _centre(one: Centre, policy: Policy, lang: str) -> Sheet:
    sheet = Sheet("desk-centre", one.area, _title(one.title, lang), lang)
    sheet.add("file", str(one.at))
    sheet.add("desk-tier", format(Term(one.tier), lang))
    sheet.add("desk-also", ", ".join(one.also))
    sheet.add("desk-above", one.above)
    sheet.add("desk-sinks", ", ".join(one.sinks))
    below = [code for code in policy.centres if code != one.area and code.startswith(one.area)]
    sheet.add("desk-below", str(len(below)) if below else "")
    return sheet


def _timing(one: Timing, policy: Policy, lang: str) -> Sheet:
    sheet = Sheet("desk-timing", one.name, one.source, lang)
    sheet.add("file", str(one.at))
    sheet.add("status", one.status)
    for stage, limit in one.limits.items():
        steps = _ladder(one.ladder.get(stage, ()), lang)
        sheet.add(f"desk-limit-{stage}", _limit(limit, lang), *steps)
    used = [path for path, _, whole in _routes(policy.root) if whole.timing == one.name]
    sheet.add("desk-routes", *used)
    return sheet


def _limit(limit: Limit, lang: str) -> str:
    words = [say("about-desk-within", lang, within=limit.period.text)]
    if limit.hours is not None and is_exact(limit.period):
        words.append(say("about-desk-hours", lang))
    if limit.warn is not None:
        words.append(say("about-desk-warn", lang, warn=limit.warn.text))
    if limit.extend is not None:
        words.append(say("about-desk-extend", lang, extend=limit.extend.text))
    if not limit.pausable:
        words.append(say("about-desk-unpaused", lang))
    return say("case-list-comma", lang).join(words)


def _ladder(ladder: tuple[Rung, ...], lang: str) -> Iterator[str]:
    for rung in ladder:
        step = say(f"about-desk-step-{rung.do}", lang)
        names = ", ".join((*((rung.to,) if rung.to else ()), *rung.sinks))
        to = f" ({names})" if names else ""
        yield say("about-desk-rung", lang, after=rung.after.text, step=step, to=to)


def _route(path: str, branch: Branch, whole: Branch, policy: Policy, lang: str) -> Sheet:
    sheet = Sheet("desk-route", path, _lead(policy, whole, lang), lang)
    sheet.add("file", str(branch.at))
    sheet.add("desk-when", *_match(branch.match))
    for role, offices in _offices(whole):
        sheet.add(f"desk-{role}", ", ".join(offices))
    sheet.add("desk-tier", format(Term(whole.tier), lang) if whole.tier else "")
    sheet.add("desk-lift-from", whole.lift_from or "")
    sheet.add("desk-limits", whole.timing or "")
    if whole.grouping is not None:
        sheet.add("desk-group", ", ".join(str(one) for one in whole.grouping.by))
    if whole.proof is not None:
        asked = ("stream", "receipt", "call_back")
        sheet.add("desk-proof", ", ".join(one for one in asked if getattr(whole.proof, one)))
    by_hand = whole.dispatch is False
    sheet.add("desk-dispatch", say(f"route-dispatch-{'by-hand' if by_hand else 'at-once'}", lang))
    sheet.add("desk-refer", whole.refer or "")
    sheet.add("desk-sinks", ", ".join(whole.sinks or ()))
    sheet.add("desk-go-on", say("about-desk-goes-on", lang) if branch.go_on else "")
    return sheet


def _match(match: Match) -> Iterator[str]:
    """What an alert must be, as the file says it."""
    for name, values in match.labels.items():
        yield f"labels.{name}: {', '.join(sorted(values))}"
    for key in ("rules", "keys", "areas", "packs", "dispatch"):
        if values := getattr(match, key):
            yield f"{key}: {', '.join(values)}"
    if match.min_severity:
        yield f"min_severity: {match.min_severity}"


def _routes(root: Branch, above: str = "") -> Iterator[tuple[str, Branch, Branch]]:
    """Every branch with its way from the root, as it is, and with what it takes from above."""
    yield root.name, root, root
    yield from _below(root, root, above)


def _below(branch: Branch, whole: Branch, above: str) -> Iterator[tuple[str, Branch, Branch]]:
    for child in branch.children:
        path = f"{above}/{child.name}" if above else child.name
        full = _filled(child, whole)
        yield path, child, full
        yield from _below(child, full, path)


def _filled(branch: Branch, above: Branch) -> Branch:
    """A branch with what it leaves open said by the one above it."""
    left = [
        name
        for name in Branch.__dataclass_fields__
        if getattr(branch, name) is None and name not in {"children", "match"}
    ]
    taken = {name: getattr(above, name) for name in left}
    return replace(branch, **taken)


def _offices(whole: Branch) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "lead", (whole.lead,) if whole.lead else ()
    yield "host", (whole.host,) if whole.host else ()
    yield "assisting", whole.assisting or ()


def _lead(policy: Policy, whole: Branch, lang: str) -> str:
    department = policy.departments.get(whole.lead or "")
    return _title(department.title, lang) if department is not None else whole.lead or ""


def _title(title: Mapping[str, str], lang: str) -> str:
    return title.get(lang) or next(iter(title.values()), "")
