"""Feeds, tables and zone layers in words, with the rules that read them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.feeds.spec import FeedSpec, FieldSpec, FieldType
from engine.model.formats import format_duration, format_number, format_speed
from engine.ruleset.sheet import Sheet
from engine.ruleset.spec import Project, TableSpec
from engine.ruleset.uses import layers_of, tables_of
from engine.text import say

if TYPE_CHECKING:
    from engine.geo.zones import ZoneSet

_SHOWN = 12


def feed_sheet(feed: FeedSpec, project: Project, lang: str) -> Sheet:
    """Everything about one feed."""
    sheet = Sheet("feed", feed.name, feed.title.get(lang, ""), lang)
    sheet.add("file", feed.at.file)
    sheet.add("topic", feed.topic)
    sheet.add("format", feed.format)
    sheet.add("by", " + ".join(feed.key))
    sheet.add("id", " + ".join(feed.id) or say("about-id-content", lang))
    sheet.add("time", f"{feed.time.field}  {feed.time.format}  {feed.time.zone}")
    sheet.add("lateness", format_duration(feed.lateness_ms, lang))
    sheet.add("idle", format_duration(feed.idle_after_ms, lang))
    sheet.add("ahead", format_duration(feed.ahead_ms, lang))
    if feed.position is not None:
        place = feed.position
        sheet.add("position", f"{place.lon}, {place.lat}  {place.datum}")
    sheet.add("fields", *(_field(one, lang) for one in feed.fields.values() if not one.implied))
    sheet.add("hygiene", *_hygiene(feed, lang))
    sheet.add("purpose", ", ".join(sorted(feed.purpose)))
    readers = [rule.id for rule in project.rules.values() if feed.name in rule.feeds]
    sheet.add("read-by", ", ".join(sorted(readers)) or say("about-nobody", lang))
    return sheet


def table_sheet(table: TableSpec, project: Project, lang: str) -> Sheet:
    """Everything about one look-up table."""
    sheet = Sheet("table", table.name, "", lang)
    sheet.add("file", table.at.file)
    sheet.add("rows-from", table.file)
    rows = project.tables.get(table.name)
    sheet.add("rows", format_number(len(rows.rows)) if rows is not None else "")
    sheet.add("by", " + ".join(table.key))
    sheet.add("valid", " .. ".join(table.valid) if table.valid else "")
    sheet.add("columns", *(_field(one, lang) for one in table.fields.values()))
    readers = [rule.id for rule in project.rules.values() if table.name in tables_of(rule)]
    sheet.add("read-by", ", ".join(sorted(readers)) or say("about-nobody", lang))
    return sheet


def zones_sheet(layer: "ZoneSet", project: Project, lang: str) -> Sheet:
    """Everything about one layer of zones or lines."""
    things: list[Any] = list(layer.lines) or list(layer)
    title = say("about-lines" if layer.lines else "about-areas", lang, n=len(things))
    sheet = Sheet("zones", layer.name, title, lang)
    ids = ", ".join(f"{one.id} ({one.name})" if one.name != one.id else one.id for one in things)
    short = ", ".join(one.id for one in things[:_SHOWN])
    sheet.add("ids", ids if len(things) <= _SHOWN else f"{short}, ...")
    attributes = sorted({name for one in things for name in one.attributes} - {"id", "name"})
    sheet.add("attributes", ", ".join(attributes))
    readers = [r.id for r in project.rules.values() if layer.name in layers_of(r, project)]
    sheet.add("read-by", ", ".join(sorted(readers)) or say("about-nobody-named", lang))
    return sheet


def _field(field: FieldSpec, lang: str) -> str:
    """A field with its type, unit, range, allowed texts, and what else holds."""
    words = [say(_TYPES[field.type], lang)]
    if field.unit:
        words.append(field.unit)
    if field.low is not None and field.high is not None:
        words.append(f"{field.low:g}..{field.high:g}")
    if field.values:
        words.append(" | ".join(field.values))
    if field.optional:
        words.append(say("about-optional", lang))
    if field.pii:
        words.append(say("about-pii", lang, pii=field.pii))
    wire = f" <- {field.wire}" if field.wire and field.wire != field.name else ""
    return f"{field.name}{wire}: {', '.join(words)}"


_TYPES = {
    FieldType.TEXT: "about-kind-text",
    FieldType.NUMBER: "about-kind-number",
    FieldType.INTEGER: "about-type-integer",
    FieldType.BOOL: "about-kind-bool",
    FieldType.TIME: "about-kind-time",
    FieldType.PLATE: "about-type-plate",
}


def _hygiene(feed: FeedSpec, lang: str) -> Iterator[str]:
    """Which positions of a feed are not believed."""
    hygiene = feed.hygiene
    if hygiene.max_jump_mps is not None:
        yield f"max_jump {format_speed(hygiene.max_jump_mps, lang)}"
    if hygiene.stuck_ms is not None:
        yield f"stuck {format_duration(hygiene.stuck_ms, lang)}"
    if hygiene.drop:
        yield f"drop {', '.join(sorted(hygiene.drop))}"
