"""The names a rule may use besides the event's own fields, worked out when they are asked for."""

from collections.abc import Mapping
from typing import Any

from engine.alerts.lifecycle import Episode
from engine.geo.opening import HOURS, is_open
from engine.geo.regions import Regions
from engine.geo.zones import Zone, ZoneSet
from engine.model.calendar import WorkCalendar
from engine.ruleset.spec import LookupSpec, Severity
from engine.state.tables import Table

REGIONS = "regions"
"""The layer in which `region` is looked up for every rule."""

_BY_RANK = tuple(Severity)


class Surroundings:
    """What a rule looks things up in: its tables and zones, by the names it gave them.

    One per rule and program; shared by all partitions.
    """

    def __init__(
        self,
        lookups: tuple[LookupSpec, ...],
        tables: Mapping[str, Table],
        zones: Mapping[str, ZoneSet],
        axes: tuple[str, str] | None,
        calendars: Mapping[str, WorkCalendar] | None = None,
    ) -> None:
        self.lookups = {lookup.name: lookup for lookup in lookups}
        self.tables = tables
        self.zones = zones
        self.axes = axes
        self.calendars = calendars or {}
        self.regions = Regions(zones[REGIONS]) if REGIONS in zones else None

    def look_up(self, name: str, event: Any, at_ms: int) -> Mapping[str, Any] | None:
        """The row or zone that a look-up finds for an event at an instant, or None."""
        lookup = self.lookups[name]
        if lookup.zone:
            where = self.position(event)
            zone = None if where is None else self.zones[lookup.zone].at(*where)
            return None if zone is None else self._zone_record(zone, at_ms)
        if event is None:
            return None
        key = tuple(getattr(event, field) for field in lookup.on)
        return self.tables[lookup.table].at(key, at_ms)

    def position(self, event: Any) -> tuple[float, float] | None:
        """Where the event is (WGS-84 lon, lat), if it says."""
        if event is None or self.axes is None:
            return None
        # An event of another feed of the rule may have no position at all.
        lon, lat = getattr(event, self.axes[0], None), getattr(event, self.axes[1], None)
        return None if lon is None or lat is None else (lon, lat)

    def region(self, where: tuple[float, float] | None) -> Mapping[str, Any] | None:
        """City, county and town of a position, from the layer `regions` if there is one."""
        return None if self.regions is None or where is None else self.regions.at(*where)

    def _zone_record(self, zone: Zone, at_ms: int) -> dict[str, Any]:
        """A zone as a record: its attributes, id and name, and whether it is open."""
        record = {**zone.attributes, "id": zone.id, "name": zone.name}
        if HOURS in zone.attributes:
            record["open"] = is_open(zone.attributes, self.calendars, at_ms)
        return record


class Names(dict[str, Any]):
    """The extra names of one rule at one moment about one key.

    Values are worked out on first use: most conditions never ask for the waybill.

    Attributes:
        used: Look-ups that were asked for, with what they found; part of the evidence.

    """

    __slots__ = ("at_ms", "episode", "event", "severity", "surroundings")

    def __init__(
        self,
        surroundings: Surroundings,
        key: str,
        event: Any,
        at_ms: int,
        episode: Episode | None = None,
        severity: str = "",
    ) -> None:
        super().__init__(event_time=at_ms, key=key)
        self.surroundings = surroundings
        self.event = event
        self.at_ms = at_ms
        self.episode = episode
        self.severity = severity

    def __missing__(self, name: str) -> Any:
        value = self[name] = self._find(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As `[]`; every name has a value, if only null."""
        value = self[name]
        return default if value is None else value

    def _find(self, name: str) -> Any:
        if name in self.surroundings.lookups:
            return self.surroundings.look_up(name, self.event, self.at_ms)
        if name == "position":
            return self.surroundings.position(self.event)
        if name == "severity":
            return self.severity or None
        if name == "region":
            return self.surroundings.region(self["anchor"] or self["position"])
        if name == "place":
            return self._place()
        episode = self.episode
        if episode is None:
            return None
        if name == "held":
            return self.at_ms - episode.since
        if name == "since":
            return episode.since
        if name == "left":
            due = episode.facts.get("due")
            return None if due is None else due - self.at_ms
        if name == "anchor":
            anchor = episode.facts.get("anchor")
            return None if anchor is None else (anchor[0], anchor[1])
        if name in episode.facts:
            return episode.facts[name]
        for step in episode.facts.get("steps", ()):
            if step["step"] == name:
                return {**step["fields"], "event_time": step["at"]}
        return getattr(self.event, name, None)

    def _place(self) -> str | None:
        """The name of the place, as far as the zones know one, and its coordinates."""
        where = self["anchor"] or self["position"]
        if where is None:
            return None
        region = self["region"]
        name = "" if region is None else str(region.get("town") or region.get("name") or "")
        return f"{name} ({where[0]:.5f}, {where[1]:.5f})".strip()


def severity_of(rank: int) -> Severity:
    """The severity of a rank, 1 blue to 4 red."""
    return _BY_RANK[rank - 1]
