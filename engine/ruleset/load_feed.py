"""A feed as declared into the feed the engine reads by."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.errors import Location
from engine.feeds.alerts import ALERTS
from engine.feeds.spec import (
    FeedSpec,
    FieldSpec,
    FieldType,
    HygieneSpec,
    PositionSpec,
    TimeSpec,
)
from engine.ruleset.notes import Notes
from engine.ruleset.schema_feed import FeedModel, FieldModel

_NUMBERS = (FieldType.NUMBER, FieldType.INTEGER)
_FORMATS = frozenset({"iso8601", "epoch-ms", "epoch-s"})
_LON, _LAT = 180.0, 90.0
_ACCURACY = "accuracy"


def build_feed(model: FeedModel, notes: Notes) -> FeedSpec:
    """The feed, with the fields that its clock and position imply, and all that is wrong noted.

    The time field and the two position fields need no line under `fields`; a feed with a position
    also has an optional `accuracy` in metres, the radius the receiver gives its fix.
    """
    fields = {name: build_field(name, field) for name, field in model.fields.items()}
    for name, implied in _implied(model).items():
        fields.setdefault(name, implied)  # behind the declared ones: their order is that of a CSV
    feed = FeedSpec(
        name=model.feed,
        topic=model.topic or f"feed.{model.feed}",
        format=model.format,
        key=tuple(model.key),
        id=tuple(model.id or ()),
        time=TimeSpec(model.time.field, model.time.format, model.time.zone),
        fields=fields,
        title=model.title.plain(),
        null_texts=frozenset({"", *(model.nulls or ())}),
        lateness_ms=model.lateness,
        idle_after_ms=model.idle_after,
        ahead_ms=model.ahead,
        position=_position(model),
        hygiene=_hygiene(model),
        purpose=frozenset(model.purpose or ()),
        at=Location(notes.document.file),
    )
    if feed.name == ALERTS:
        notes.add(("feed",), "R564", name=feed.name)
    _check_names(feed, notes)
    _check_types(feed, notes)
    check_formats(model.fields, notes)
    return feed


def build_field(name: str, model: FieldModel) -> FieldSpec:
    """One field or column."""
    low, high = model.range or (None, None)
    spec = FieldSpec(
        name=name,
        type=FieldType(model.type),
        wire=model.from_ or name,
        unit=model.unit,
        optional=model.optional,
        pii=model.pii,
        low=low,
        high=high,
        values=tuple(model.values or ()),
        format=model.format or "iso8601",
        zone=model.zone or "Asia/Shanghai",
    )
    if model.max_length is None:
        return spec
    return replace(spec, max_length=model.max_length)


def _implied(model: FeedModel) -> dict[str, FieldSpec]:
    """The fields that the clock and the position need."""
    time = model.time
    fields = [FieldSpec(time.field, FieldType.TIME, time.field, format=time.format, zone=time.zone)]
    if model.position:
        lon, lat = model.position.lon, model.position.lat
        fields += [
            FieldSpec(lon, FieldType.NUMBER, lon, unit="deg", low=-_LON, high=_LON),
            FieldSpec(lat, FieldType.NUMBER, lat, unit="deg", low=-_LAT, high=_LAT),
            FieldSpec(
                _ACCURACY, FieldType.NUMBER, _ACCURACY, unit="m", optional=True, implied=True
            ),
        ]
    return {field.name: field for field in fields if field.name.isidentifier()}


def _position(model: FeedModel) -> PositionSpec | None:
    if model.position is None:
        return None
    return PositionSpec(model.position.lon, model.position.lat, model.position.datum)


def _hygiene(model: FeedModel) -> HygieneSpec:
    declared = model.hygiene
    return HygieneSpec(
        max_jump_mps=declared.max_jump,
        stuck_ms=declared.stuck,
        drop=frozenset(declared.drop),
        located=declared.located or "",
    )


def _check_names(feed: FeedSpec, notes: Notes) -> None:
    """Every field that another line names must exist."""
    for index, name in enumerate(feed.key):
        if notes.known(name, feed.fields, "R202", ("key", index), feed=feed.name):
            _must_be_there(feed, name, ("key", index), notes)
    for index, name in enumerate(feed.id):
        notes.known(name, feed.fields, "R202", ("id", index), feed=feed.name)
    if feed.time.field not in feed.fields:
        notes.add(("time", "field"), "R131", text=feed.time.field[:60])
    located = feed.hygiene.located
    if located and notes.known(
        located, feed.fields, "R202", ("hygiene", "located"), feed=feed.name
    ):
        _must_be(feed, located, (FieldType.BOOL,), ("hygiene", "located"), notes)
    if feed.position is None and (feed.hygiene.max_jump_mps or feed.hygiene.stuck_ms or located):
        notes.add(("hygiene",), "R221", feed=feed.name, text="hygiene")


def _check_types(feed: FeedSpec, notes: Notes) -> None:
    """The clock is a time, the position two numbers."""
    if feed.time.field in feed.fields:
        _must_be(feed, feed.time.field, (FieldType.TIME,), ("time", "field"), notes)
        _must_be_there(feed, feed.time.field, ("time", "field"), notes)
    _check_format(feed.time.format, ("time", "format"), notes)
    if feed.position is None:
        return
    if feed.position.lon == feed.position.lat:
        notes.add(("position", "lat"), "R138", item=feed.position.lat)
    for end, name in (("lon", feed.position.lon), ("lat", feed.position.lat)):
        if not name.isidentifier():
            notes.add(("position", end), "R131", text=name)
        elif name in feed.fields:
            _must_be(feed, name, _NUMBERS, ("position", end), notes)


def _must_be(
    feed: FeedSpec, name: str, types: Iterable[FieldType], path: tuple[str, ...], notes: Notes
) -> None:
    """Note a field that another line uses as a type it does not have."""
    wanted = list(types)
    if feed.fields[name].type not in wanted:
        notes.add(
            path, "R429", name=name, type=feed.fields[name].type.value, wanted=wanted[0].value
        )


def _must_be_there(feed: FeedSpec, name: str, path: tuple[str | int, ...], notes: Notes) -> None:
    """Note an optional field where every record needs a value."""
    if feed.fields[name].optional:
        notes.add(path, "R434", name=name)


def check_formats(fields: Mapping[str, FieldModel], notes: Notes) -> None:
    """Every time field says how its times are written in a way that can be read."""
    for name, field in fields.items():
        if field.type == "time" and field.format is not None:
            _check_format(field.format, ("fields", name, "format"), notes)


def _check_format(text: str, path: tuple[str, ...], notes: Notes) -> None:
    """A named format, or a pattern that holds at least year or day and no unknown sign."""
    if text in _FORMATS:
        return
    signs = [text[index + 1 : index + 2] for index, char in enumerate(text) if char == "%"]
    plain = text.replace("%%", "")
    known = all(sign in set("YymdHIMSfzZpbBjaA%T") for sign in signs)
    if "%" not in plain or not known or not {"Y", "y"} & set(signs):
        notes.add(path, "R430", text=text[:60])
