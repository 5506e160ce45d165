"""What a checked rule uses: fields of its feeds, tables, zone layers."""

from collections.abc import Iterator

from engine.ruleset.expr import Typed
from engine.ruleset.expr.tree import Checked
from engine.ruleset.spec import Project, RuleSpec


def expressions_of(rule: RuleSpec) -> Iterator[Typed]:
    """Every expression of a rule."""
    yield from rule.where.values()
    yield from rule.excepts
    if rule.clear is not None:
        yield rule.clear
    yield from (level.when for level in rule.levels if level.when is not None)
    for feed in rule.feeds:
        yield from _over(rule, feed)


def _over(rule: RuleSpec, feed: str) -> Iterator[Typed]:
    """The expressions of the operator over one feed's events."""
    yield from rule.when.expressions(feed)
    only = rule.feeds[0] if len(rule.feeds) == 1 else ""
    for _, typed, owner in rule.when.conditions(only):
        if owner in {"", feed}:
            yield typed


def fields_of(rule: RuleSpec, feed: str, project: Project) -> tuple[str, ...]:
    """The fields of a feed that a rule reads, sorted; none for alerts, which no file declares."""
    spec = project.feeds.get(feed)
    if spec is None:
        return ()
    names = {*rule.by.get(feed, ()), *rule.when.fields()}
    common = [*rule.excepts, *(level.when for level in rule.levels), rule.clear]
    for typed in (*common, rule.where.get(feed), *_over(rule, feed)):
        names.update(typed.names if typed is not None else ())
    for lookup in rule.lookups:
        names.update(lookup.on)
    for template in (*rule.labels.values(), *rule.summary.values()):
        names.update(template.names)
    place = spec.position
    if place is not None and "position" in names:
        names |= {place.lon, place.lat}
    return tuple(sorted(names & set(spec.fields)))


def tables_of(rule: RuleSpec) -> tuple[str, ...]:
    """The tables a rule reads, sorted."""
    looked_up = {lookup.table for lookup in rule.lookups}
    return tuple(sorted((looked_up | rule.when.tables()) - {""}))


def layers_of(rule: RuleSpec, project: Project) -> tuple[str, ...]:
    """The zone layers a rule reads by name, sorted; a name that data gives is not known here."""
    names = {lookup.zone for lookup in rule.lookups} | rule.when.layers()
    for typed in expressions_of(rule):
        names.update(_constants(typed.node))
    return tuple(sorted(names & set(project.zones)))


def asks_places(typed: Typed) -> bool:
    """Whether an expression asks if a position is in a zone, itself or by a macro it is made of."""
    return _asks(typed.node)


def _asks(node: Checked) -> bool:
    return (node.op == "call" and node.value == "inside") or any(map(_asks, node.args))


def _constants(node: Checked) -> Iterator[str]:
    """The texts that `inside` is given in quotes."""
    if node.op == "call" and node.value == "inside":
        last = node.args[-1]
        if last.op == "const" and isinstance(last.value, str):
            yield last.value
    for arg in node.args:
        yield from _constants(arg)
