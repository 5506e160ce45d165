"""Everything a rule may refer to, by name, and the names its expressions may use."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.feeds.spec import FeedSpec
from engine.model.calendar import WorkCalendar
from engine.ruleset.expr.types import ALERT_EXTRAS, EXTRAS, RECORD, REGION, Scope, Type, field_type
from engine.ruleset.macros import Macro
from engine.ruleset.spec import ListSpec, LookupSpec, Playbook, RouteSpec, TableSpec

CALENDARS = frozenset({"cn", "all-days"})
"""Calendars every project has: Chinese working days, and every day."""

REGIONS = "regions"
"""The layer that `region` reads."""

_TEXT, _NUMBER, _BOOL = "text", "number", "bool"
OPEN = Type(_BOOL, nullable=True)
"""Of a zone with hours: whether it is open."""


@dataclass(slots=True)
class Known:
    """What all files of a project declare, apart from its rules.

    Attributes:
        layers: For each zone layer, the attributes of its zones and their types.
        lines: The same of layers of lines.
        zone_ids: Ids of all zones of all layers.
        lists: The lists by name.
        macros: The macros by name.
        shifts: The calendars by name, for the shifts they have.
        reads: For each rule, the rules whose alerts it reads.
        files: The file that declares a thing, by kind and name.

    """

    feeds: dict[str, FeedSpec] = field(default_factory=dict)
    tables: dict[str, TableSpec] = field(default_factory=dict)
    layers: dict[str, Mapping[str, Type]] = field(default_factory=dict)
    lines: dict[str, Mapping[str, Type]] = field(default_factory=dict)
    zone_ids: set[str] = field(default_factory=set)
    calendars: set[str] = field(default_factory=lambda: set(CALENDARS))
    shifts: dict[str, WorkCalendar] = field(default_factory=dict)
    playbooks: dict[str, Playbook] = field(default_factory=dict)
    routes: dict[str, RouteSpec] = field(default_factory=dict)
    lists: dict[str, ListSpec] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    files: dict[tuple[str, str], str] = field(default_factory=dict)
    reads: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def zones(self) -> Collection[str]:
        """Names that `inside` may be given: layers and zones."""
        return {*self.layers, *self.zone_ids}

    def shared(self) -> Collection[str]:
        """Names of lists and macros."""
        return {*self.lists, *self.macros}


def attributes_of(features: Sequence[Any]) -> Mapping[str, Type]:
    """The attributes of a layer's zones; where zones differ in the kind of one, it is left out."""
    kinds: dict[str, set[str]] = {}
    for feature in features:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        for name, value in (properties or {}).items() if isinstance(properties, dict) else ():
            kinds.setdefault(str(name), set()).add(_kind(value))
    found = {name: one - {""} for name, one in kinds.items()}
    return {
        name: Type(next(iter(one)), nullable=True) for name, one in found.items() if len(one) == 1
    }


def _kind(value: object) -> str:
    """The kind of one attribute; empty for null, which fits every kind."""
    match value:
        case None:
            return ""
        case bool():
            return _BOOL
        case int() | float():
            return _NUMBER
        case str():
            return _TEXT
        case _:
            return type(value).__name__


def common_scope(feeds: Sequence[FeedSpec], known: Known, lookups: Mapping[str, Type]) -> Scope:
    """The names a condition over several feeds may use: fields that all of them have alike."""
    types = [
        {
            name: field_type(spec.type, spec.unit, optional=spec.optional)
            for name, spec in feed.fields.items()
        }
        for feed in feeds
    ]
    first = types[0] if types else {}
    shared = {
        name: replace(kind, nullable=any(other[name].nullable for other in types))
        for name, kind in first.items()
        if all(
            name in other and (other[name].kind, other[name].unit) == (kind.kind, kind.unit)
            for other in types
        )
    }
    names = {**EXTRAS, **lookups, **shared}
    positions = {
        (feed.position.lon, feed.position.lat) if feed.position else None for feed in feeds
    }
    place = positions.pop() if len(positions) == 1 else None
    if place is None and not any(feed.position for feed in feeds):
        names.pop("position", None)
    elif place and all(name in shared for name in place):
        nullable = any(shared[name].nullable for name in place)
        names["position"] = replace(EXTRAS["position"], nullable=nullable)
    if "position" in names:
        names.setdefault("region", REGION)
    return Scope(
        names,
        frozenset(shared),
        place,
        known.zones(),
        known.calendars,
        known.shared(),
        known.lines,
    )


def alert_scope(scope: Scope, own: Mapping[str, Type]) -> Scope:
    """The same names, those of an alert (`anchor`, `held`, ...) and the operator's own."""
    return replace(scope, names={**ALERT_EXTRAS, **scope.names, **own})


def start_record(feed: FeedSpec | None, roster: TableSpec | None) -> Type:
    """What `start.<name>` may be: fields of the start event and columns of the roster, nullable."""
    fields: dict[str, Type] = {}
    for source in (roster, feed):
        if source is not None:
            fields |= {
                name: field_type(spec.type, spec.unit, optional=True)
                for name, spec in source.fields.items()
            }
    return Type(RECORD, nullable=True, fields=fields)


def lookup_type(lookup: LookupSpec, known: Known) -> Type:
    """The record a look-up gives; every column is null where no row is in force."""
    if lookup.zone:
        fields: Mapping[str, Type] = {
            **known.layers.get(lookup.zone, {}),
            "id": Type(_TEXT, nullable=True),
            "name": Type(_TEXT, nullable=True),
        }
    else:
        table = known.tables.get(lookup.table)
        fields = {
            name: field_type(spec.type, spec.unit, optional=True)
            for name, spec in (table.fields if table else {}).items()
        }
    return Type(RECORD, nullable=True, fields=fields)
