"""What happens in a case: tracks, series and single events, as readings in order of arrival."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Location
from engine.feeds.spec import FeedSpec, FieldType
from engine.model.units import UNITS, parse_distance
from engine.ruleset.document import Path
from engine.ruleset.spec import Project
from engine.ruletest.moments import Moments, Unreadable, span
from engine.ruletest.reader import Reader, nearest
from engine.ruletest.series import MISSING, parse_series
from engine.ruletest.track import Fix, fixes, parse_track

_STEP = "30s"
_EVENT = ("at", "feed", "set", "key", "position", "arrives", "every", "times")
_SPEED, _ACCURACY = "speed", "accuracy"
_HEADINGS = ("heading", "bearing", "course", "direction")
MOST_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class Given:
    """One reading of one feed, before it is encoded.

    Attributes:
        at_ms: Event time (UTC ms).
        values: What the author says about fields, by name.
        place: Longitude and latitude in WGS-84, or None.
        arrives_ms: When it comes in, if later than it should; None: in its turn.

    """

    at_ms: int
    feed: str
    values: Mapping[str, Any]
    place: tuple[float, float] | None = None
    arrives_ms: int | None = None


@dataclass(slots=True)
class Teller:
    """Turns the lines of a case into readings; `feeds` are those that may be meant."""

    reader: Reader
    project: Project
    feeds: tuple[str, ...]
    moments: Moments
    path: Path
    given: list[Given] = field(default_factory=list)

    def tell(self, body: Mapping[str, Any]) -> list[Given]:
        """All readings, in the order they arrive; equal instants keep the order of the file."""
        every = self._every(body)
        common = dict(self.reader.mapping(body.get("set", {}), (*self.path, "set")))
        if body.get("track"):
            self._tracks(body, every, common)
        if body.get("series"):
            self._series(body, every, common)
        events = self.reader.sequence(body.get("events", []), (*self.path, "events"))
        for index, value in enumerate(events):
            self._events(value, (*self.path, "events", index), common)
        return sorted(self.given, key=lambda given: given.arrives_ms or given.at_ms)

    def _every(self, body: Mapping[str, Any]) -> int:
        path = (*self.path, "every")
        try:
            step = span(self.reader.text(body.get("every", _STEP), path))
        except Unreadable as problem:
            self.reader.unreadable(path, problem)
            return 30_000
        if step <= 0:
            self.reader.blame(self.reader.at(path), "T127", found=body.get("every"))
        return max(step, 1)

    def _feed(self, name: object, at: Location) -> FeedSpec | None:
        if name is None:
            if len(self.feeds) == 1:
                return self.project.feeds[self.feeds[0]]
            if self.feeds:
                self.reader.blame(at, "T115", names=", ".join(self.feeds))
            return None
        spec = self.project.feeds.get(str(name))
        if spec is None:
            near = nearest(str(name), self.project.feeds)
            self.reader.blame(at, "T107", near, name=name)
        return spec

    def _tracks(self, body: Mapping[str, Any], every: int, common: Mapping[str, Any]) -> None:
        path = (*self.path, "track")
        spec = self._feed(None, self.reader.at(path))
        if spec is None:
            return
        if spec.position is None:
            self.reader.blame(self.reader.at(path), "T108", name=spec.name)
            return
        self._known(common, spec, (*self.path, "set"))
        jitter = self._jitter(body)
        for key, text in self.reader.mapping(body["track"], path).items():
            where = (*path, key)
            try:
                legs = parse_track(self.reader.text(text, where), every, jitter)
            except Unreadable as problem:
                self.reader.unreadable(where, problem)
                continue
            if legs and legs[-1].to_ms // every > MOST_EVENTS:
                self.reader.blame(self.reader.at(where), "T119", found=text, limit=MOST_EVENTS)
                continue
            names = _key_values(spec, key)
            for fix in fixes(legs, every):
                values = {**common, **names, **_motion(fix, spec, common)}
                at_ms = self.moments.start_ms + fix.after_ms
                self.given.append(Given(at_ms, spec.name, values, (fix.lon, fix.lat)))

    def _jitter(self, body: Mapping[str, Any]) -> float:
        path = (*self.path, "jitter")
        if "jitter" not in body:
            return 0.0
        try:
            return parse_distance(self.reader.text(body["jitter"], path))
        except ValueError:
            self.reader.blame(self.reader.at(path), "T106", found=body["jitter"])
            return 0.0

    def _series(self, body: Mapping[str, Any], every: int, common: Mapping[str, Any]) -> None:
        path = (*self.path, "series")
        spec = self._feed(None, self.reader.at(path))
        if spec is None:
            return
        self._known(common, spec, (*self.path, "set"))
        for key, columns in self.reader.mapping(body["series"], path).items():
            read = {}
            lines = self.reader.mapping(columns, (*path, key))
            self._known(lines, spec, (*path, key))
            for name, text in lines.items():
                where = (*path, key, name)
                if name not in spec.fields:
                    continue
                try:
                    read[name] = parse_series(self.reader.text(text, where), spec.fields[name])
                except Unreadable as problem:
                    self.reader.unreadable(where, problem)
            names = _key_values(spec, key)
            for step in range(max((len(values) for values in read.values()), default=0)):
                now = {name: values[step] for name, values in read.items() if step < len(values)}
                heard = {name: value for name, value in now.items() if value is not MISSING}
                if heard:
                    at_ms = self.moments.start_ms + step * every
                    self.given.append(Given(at_ms, spec.name, {**common, **names, **heard}))

    def _events(self, value: object, path: Path, common: Mapping[str, Any]) -> None:
        body = self.reader.mapping(value, path, _EVENT)
        spec = self._feed(body.get("feed"), self.reader.at(path))
        if spec is None:
            return
        said = self.reader.mapping(body.get("set", {}), (*path, "set"))
        self._known(said, spec, (*path, "set"))
        shared = {name: value for name, value in common.items() if name in spec.fields}
        named = _key_values(spec, str(body["key"])) if "key" in body else {}
        values = {**shared, **named, **said}
        place = self._place(body, path)
        arrives = self._instant(body["arrives"], (*path, "arrives")) if "arrives" in body else None
        for at_ms in self._instants(body, path):
            self.given.append(Given(at_ms, spec.name, values, place, arrives))

    def _instants(self, body: Mapping[str, Any], path: Path) -> Iterator[int]:
        first = self._instant(body.get("at", "0s"), (*path, "at"))
        if first is None:
            return
        times = self.reader.whole(body["times"], (*path, "times")) if "times" in body else 1
        step = 0
        if "every" in body:
            try:
                step = span(self.reader.text(body["every"], (*path, "every")))
            except Unreadable as problem:
                self.reader.unreadable((*path, "every"), problem)
        for count in range(min(times, MOST_EVENTS)):
            yield first + count * step

    def _instant(self, value: object, path: Path) -> int | None:
        try:
            return self.moments.at(self.reader.text(value, path))
        except Unreadable as problem:
            self.reader.unreadable(path, problem)
            return None

    def _place(self, body: Mapping[str, Any], path: Path) -> tuple[float, float] | None:
        if "position" not in body:
            return None
        where = (*path, "position")
        pair: Sequence[Any] = (
            body["position"].split(",") if isinstance(body["position"], str) else body["position"]
        )
        try:
            lon, lat = pair
            return float(lon), float(lat)
        except (TypeError, ValueError):
            self.reader.blame(self.reader.at(where), "T120", found=str(body["position"])[:60])
            return None

    def _known(self, values: Mapping[str, Any], spec: FeedSpec, path: Path) -> None:
        for name in values:
            if name not in spec.fields:
                place = self.reader.document.key((*path, name))
                near = nearest(name, spec.fields)
                self.reader.blame(place, "T109", near, name=name, feed=spec.name)


def _key_values(spec: FeedSpec, key: str) -> dict[str, Any]:
    """A key as the fields it is made of; several are parted by `/`."""
    if len(spec.key) == 1:
        return {spec.key[0]: key}
    return dict(zip(spec.key, key.split("/"), strict=False))


def _motion(fix: Fix, spec: FeedSpec, common: Mapping[str, Any]) -> dict[str, Any]:
    """What a receiver says of a fix, in the feed's own fields: speed, heading, accuracy.

    What `set` says wins, except for the speed of a drive: who drives is not at 0 km/h. The
    accuracy is the track's jitter.
    """
    said: dict[str, float] = {}
    if fix.speed_mps or _SPEED not in common:
        said[_SPEED] = fix.speed_mps
    if _ACCURACY not in common:
        said[_ACCURACY] = fix.accuracy_m
    for name in _HEADINGS:
        if name not in common:
            said[name] = round(fix.bearing, 1)
    values: dict[str, Any] = {}
    for name, value in said.items():
        field_ = spec.fields.get(name)
        if field_ is not None and field_.type is FieldType.NUMBER:
            values[name] = _in_unit(value, field_.unit)
        elif field_ is not None and field_.type is FieldType.INTEGER:
            values[name] = round(_in_unit(value, field_.unit))
    return values


def _in_unit(base: float, unit: str | None) -> float:
    """A number in base units (m/s, m) in the unit of a field; angles are degrees as they are."""
    factor = float(UNITS[unit].factor) if unit in UNITS else 1.0
    return round(base / factor, 3)
