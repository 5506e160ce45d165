"""What an expression can be about: kinds, units and nullability, and the names in reach."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from engine.feeds.spec import FeedSpec, FieldType
from engine.model.unit_table import UNITS

NUMBER, TEXT, BOOL, TIME = "number", "text", "bool", "time"
POSITION, RECORD, LIST, NULL = "position", "record", "list", "null"
UNKNOWN = "?"
"""Kind of a part that was already reported, so that nothing more is said about it."""


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is.

    Attributes:
        kind: `number`, `text`, `bool`, `time` (UTC ms), `position` ((lon, lat) in WGS-84 degrees),
            `record`, `list` or `null`.
        nullable: May be missing.
        unit: Unit of a number in a spelling of `UNITS`, or None for a bare number. Durations are
            numbers with the unit `ms`.
        fields: Columns of a record. Every record also answers `.exists`.
        item: What a list holds.

    """

    kind: str
    nullable: bool = False
    unit: str | None = None
    fields: "Mapping[str, Type] | None" = None
    item: "Type | None" = None

    @property
    def measures(self) -> str | None:
        """The dimension of the unit, or None."""
        return UNITS[self.unit].dimension if self.unit in UNITS else None

    def maybe(self, nullable: bool = True) -> "Type":
        """The same type, nullable if `nullable` or if it already was."""
        return self if self.nullable or not nullable else replace(self, nullable=True)


EXTRAS: Mapping[str, Type] = {
    "event_time": Type(TIME),
    "position": Type(POSITION, nullable=True),
    "key": Type(TEXT),
}
"""Names every expression of a rule may use besides fields and look-ups."""

REGION = Type(
    RECORD,
    nullable=True,
    fields={
        name: Type(TEXT, nullable=True)
        for name in (
            *("code", "name", "level", "city", "county", "town"),
            *("city_code", "county_code", "town_code"),
        )
    },
)
"""City, county and town around a position."""

ALERT_EXTRAS: Mapping[str, Type] = {
    "anchor": Type(POSITION, nullable=True),
    "held": Type(NUMBER, nullable=True, unit="ms"),
    "left": Type(NUMBER, nullable=True, unit="ms"),
    "value": Type(NUMBER, nullable=True),
    "reach": Type(NUMBER, nullable=True),
    "due": Type(TIME, nullable=True),
    "size": Type(NUMBER, nullable=True),
    "place": Type(TEXT, nullable=True),
    "since": Type(TIME, nullable=True),
    "severity": Type(TEXT, nullable=True),
    "region": REGION,
}
"""Names that `except`, `clear`, `levels` and templates may use besides."""

_EXTRA_NAMES = frozenset(EXTRAS) | frozenset(ALERT_EXTRAS)
_KINDS = {
    FieldType.TEXT: TEXT,
    FieldType.PLATE: TEXT,
    FieldType.NUMBER: NUMBER,
    FieldType.INTEGER: NUMBER,
    FieldType.BOOL: BOOL,
    FieldType.TIME: TIME,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression may use.

    Attributes:
        names: Each name with its type.
        event: Which of them are attributes of the decoded event; None means every name that is
            neither a record nor one of the engine's own (`event_time`, `anchor`, ...).
        position: The event's attributes (lon, lat) that make `position`; None if it is handed in.
        zones: Known layers and zone ids, to check constants against; None if not known here.
        calendars: Known calendars, likewise.
        shared: Names of lists and macros, for hints.
        lines: Layers of lines, which have no inside.

    """

    names: Mapping[str, Type]
    event: Collection[str] | None = None
    position: tuple[str, str] | None = None
    zones: Collection[str] | None = None
    calendars: Collection[str] | None = None
    shared: Collection[str] = ()
    lines: Collection[str] = ()

    def in_event(self, name: str) -> bool:
        """Whether the name is an attribute of the event."""
        if self.event is not None:
            return name in self.event
        return name not in _EXTRA_NAMES and self.names[name].kind not in {RECORD, POSITION}


def field_type(kind: FieldType, unit: str | None = None, *, optional: bool = False) -> Type:
    """The type of a declared field or column."""
    return Type(_KINDS[kind], nullable=optional, unit=unit if unit in UNITS else None)


def scope_for(
    feed: FeedSpec | None,
    extras: Mapping[str, Type] = EXTRAS,
    zones: Collection[str] | None = None,
    calendars: Collection[str] | None = None,
) -> Scope:
    """The scope of a rule on one feed: the feed's fields, and `extras` (look-ups, `held`, ...).

    A field hides an extra of the same name.
    """
    if feed is None:
        return Scope(dict(extras), frozenset(), None, zones, calendars)
    fields = {
        name: field_type(spec.type, spec.unit, optional=spec.optional)
        for name, spec in feed.fields.items()
    }
    names = dict(extras) | fields
    lonlat = (feed.position.lon, feed.position.lat) if feed.position else None
    if lonlat and "position" in extras and "position" not in fields:
        known = all(name in fields and not fields[name].nullable for name in lonlat)
        names["position"] = Type(POSITION, nullable=not known)
    return Scope(names, frozenset(fields), lonlat, zones, calendars)
