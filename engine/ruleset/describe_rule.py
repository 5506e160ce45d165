"""A rule in words: what it reads, when it fires, who hears of it, on which legal basis."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel

from engine.model.formats import format_distance, format_duration, format_speed
from engine.model.units import parse_distance, parse_duration, parse_speed
from engine.ruleset.describe_shared import overridden_lines
from engine.ruleset.json_schema import key_name
from engine.ruleset.sheet import Sheet
from engine.ruleset.spec import Basis, LevelSpec, Project, RuleSpec
from engine.ruleset.stages import read_rules
from engine.ruleset.uses import fields_of, layers_of, tables_of
from engine.ruleset.when.model import WhenModel
from engine.text import say


def rule_sheet(
    rule: RuleSpec, project: Project, lang: str, today: date | None, tests: Sequence[str]
) -> Sheet:
    """Everything about one rule."""
    sheet = Sheet("rule", rule.id, rule.title.get(lang, ""), lang)
    sheet.add("status", rule.status.value)
    sheet.add("severity", say(f"format-level-{rule.severity.value}", lang))
    sheet.add("owner", rule.owner)
    sheet.add("pack", rule.pack)
    sheet.add("file", rule.at.file)
    _reading(sheet, rule, project)
    sheet.add("fires", *_when(rule, lang))
    sheet.add("except", *(typed.text for typed in rule.excepts))
    sheet.add("for", format_duration(rule.for_ms, lang) if rule.for_ms else "")
    sheet.add("levels", *(_level(level, lang) for level in rule.levels))
    sheet.add("clear", rule.clear.text if rule.clear else "")
    keep = rule.keep_firing_ms
    sheet.add("keep", format_duration(keep, lang) if keep else "")
    sheet.add("cooldown", format_duration(rule.cooldown_ms, lang) if rule.cooldown_ms else "")
    if rule.flapping is not None:
        flaps, spans = rule.flapping, {}
        for name, span in (("within", flaps.within_ms), ("quiet", flaps.quiet_ms)):
            spans[name] = format_duration(span, lang)
        sheet.add("flapping", say("about-flapping-line", lang, times=flaps.times, **spans))
    sheet.add("schedule", *_schedule(rule))
    if rule.late_allow_ms or rule.late != "drop":
        sheet.add("late", f"{format_duration(rule.late_allow_ms, lang)}, {rule.late}")
    limits = rule.limits
    if limits.keys or limits.alerts_per_hour:
        counts = {"keys": limits.keys or "-", "alerts": limits.alerts_per_hour or "-"}
        sheet.add("limits", say("about-limits-line", lang, **counts))
    _told(sheet, rule, project)
    sheet.add("basis", *(basis_line(one, lang, today) for one in rule.basis))
    readers = [one.id for one in project.rules.values() if rule.id in _below(one, project)]
    sheet.add("readers", ", ".join(sorted(readers)))
    sheet.add("tests", *([say("about-count", lang, n=len(tests)), *tests] if tests else []))
    sheet.add("space", rule.space)
    sheet.add("hash", rule.hash)
    return sheet


def _below(rule: RuleSpec, project: Project) -> tuple[str, ...]:
    """The rules whose alerts a rule reads."""
    return read_rules(rule, project.rules.values())


def _reading(sheet: Sheet, rule: RuleSpec, project: Project) -> None:
    """The feeds, their fields, the key, and what is looked up."""
    reads = []
    for name in rule.feeds:
        feed = project.feeds.get(name) or project.alerts
        title = f" ({feed.title.get(sheet.lang, '')})" if feed else ""
        where = rule.where.get(name)
        only = say("about-where", sheet.lang, where=where.text) if where else ""
        reads.append(f"{name}{title}{only}")
    sheet.add("reads", *reads)
    sheet.add("of", ", ".join(_below(rule, project)))
    sheet.add("shared", ", ".join(rule.shared))
    sheet.add("variant-of", rule.variant_of)
    sheet.add("where-only", rule.only)
    variants = [one.id for one in project.rules.values() if one.variant_of == rule.id]
    sheet.add("variants", ", ".join(sorted(variants)))
    sheet.add("overridden", *overridden_lines(rule.overridden, sheet.lang))
    by = dict.fromkeys(" + ".join(rule.by[name]) for name in rule.feeds if name in rule.by)
    if len(by) > 1:
        sheet.add("by", *(f"{name}: {' + '.join(fields)}" for name, fields in rule.by.items()))
    else:
        sheet.add("by", *by)
    looked_up = []
    for lookup in rule.lookups:
        source = f"zone: {lookup.zone}" if lookup.zone else f"table: {lookup.table}"
        on = f", on: {', '.join(lookup.on)}" if lookup.on else ""
        valid = f", valid: {lookup.valid[0]}..{lookup.valid[1]}" if lookup.valid else ""
        looked_up.append(f"{lookup.name}: {{{source}{on}{valid}}}")
    sheet.add("lookup", *looked_up)
    sheet.add("tables", ", ".join(tables_of(rule)))
    sheet.add("layers", ", ".join(layers_of(rule, project)))
    fields = {name: fields_of(rule, name, project) for name in rule.feeds}
    sheet.add("fields", *(f"{name}: {', '.join(some)}" for name, some in fields.items() if some))


def _told(sheet: Sheet, rule: RuleSpec, project: Project) -> None:
    """Who hears of its alerts, and what they are told to do."""
    route = project.routes.get(rule.dispatch)
    if route is not None:
        least = say(f"format-level-{route.min_severity.value}", sheet.lang)
        words = {"route": route.name, "sinks": ", ".join(route.sinks), "severity": least}
        sheet.add("told", say("about-route-line", sheet.lang, **words))
    else:
        sheet.add("told", rule.dispatch or say("about-default-route", sheet.lang))
    playbook = project.playbooks.get(rule.playbook)
    if playbook is not None:
        sheet.add("playbook", f"{playbook.id}  {playbook.title.get(sheet.lang, '')}")
    summary = rule.summary.get(sheet.lang)
    sheet.add("summary", summary.text if summary else "")


def basis_line(basis: Basis, lang: str, today: date | None) -> str:
    """A legal ground with its days, and whether it is in force today."""
    article = say("about-article", lang, article=basis.article) if basis.article else ""
    days = f"  {basis.from_day}..{basis.to_day}" if basis.from_day or basis.to_day else ""
    line = f"{basis.title}{article}{days}"
    if today is None:
        return line
    day = today.isoformat()
    word = "in-force"
    if basis.from_day and day < basis.from_day:
        word = "not-yet"
    elif basis.to_day and day > basis.to_day:
        word = "no-longer"
    return f"{line}  ({say(f'about-{word}', lang)})"


def _level(level: LevelSpec, lang: str) -> str:
    """A severity and when the alert climbs to it."""
    name = say(f"format-level-{level.severity.value}", lang)
    if level.at_least_ms is not None:
        held = format_duration(level.at_least_ms, lang)
        return say("about-level-held", lang, level=name, held=held)
    if level.overdue is not None:
        return say("about-level-overdue", lang, level=name, overdue=level.overdue.text)
    when = level.when.text if level.when else ""
    return say("about-level-when", lang, level=name, when=when)


def _schedule(rule: RuleSpec) -> Iterator[str]:
    """The calendar and the hours of a rule that may not fire at all times."""
    schedule = rule.schedule
    if schedule is None:
        return
    spans = ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in schedule.hours)
    yield f"{schedule.calendar}  {spans}  {schedule.zone}"


def _clock(minutes: int) -> str:
    """Minutes after midnight as a clock shows them."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _when(rule: RuleSpec, lang: str) -> Iterator[str]:
    """The operator in a sentence, then every key that is declared with what it means."""
    declared = rule.source.get("when", {})
    name = next(iter(declared), "")
    model = _model_of(WhenModel.model_fields[name].annotation)
    if model is None:
        return
    yield f"{name}: {say(key_name(model), lang)}"
    body = declared[name]
    written = body if isinstance(body, Mapping) else {"condition": body}
    yield from _keys(model, written, "", lang)


def _keys(model: type[BaseModel], body: Mapping[str, Any], above: str, lang: str) -> Iterator[str]:
    """Every declared key below an operator, its value spelled out and its meaning."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in body.items():
        field = fields.get(key)
        path = f"{above}{key}"
        inner = None if field is None else _model_of(field.annotation)
        about = say(name, lang) if (name := key_name(model, key)) else ""
        if inner is None or not isinstance(value, Mapping | list):
            shown = _spelled(value, quantity_of(field), lang)
            yield say("about-key-line", lang, key=path, value=shown, about=about)
            continue
        yield say("about-key-group", lang, key=path, about=about)
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items, 1):
            step = f"  {path} {number} " if isinstance(value, list) else f"  {path} "
            if _named(item, inner):
                for name_, one in item.items():
                    yield from _keys(inner, one, f"{step}{name_} ", lang)
            elif isinstance(item, Mapping):
                yield from _keys(inner, item, step, lang)


def _named(item: Any, model: type[BaseModel]) -> bool:
    """Whether a mapping holds models under names of its own, such as signals or kinds."""
    known = {field.alias or name for name, field in model.model_fields.items()}
    return isinstance(item, Mapping) and all(
        isinstance(one, Mapping) and key not in known for key, one in item.items()
    )


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    parts = (_model_of(part) for part in get_args(annotation))
    return next((part for part in parts if part is not None), None)


def quantity_of(field: Any) -> str:
    """Which quantity a field of a model is (`duration`, `distance`, `speed`), or nothing."""
    if field is None:
        return ""
    marks = [*field.metadata, *_marks(field.annotation)]
    schemas = [getattr(mark, "json_schema", None) or {} for mark in marks]
    return next((str(one["x-type"]) for one in schemas if "x-type" in one), "")


def _marks(annotation: Any) -> Iterator[Any]:
    """What an annotation and its parts are marked with."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _marks(part)


def _spelled(value: Any, quantity: str, lang: str) -> str:
    """A declared value as people say it."""
    if isinstance(value, str):
        match quantity:
            case "duration":
                return format_duration(parse_duration(value), lang)
            case "distance":
                return format_distance(parse_distance(value), lang)
            case "speed":
                return format_speed(parse_speed(value), lang)
        return value
    if isinstance(value, bool):
        return say("format-true" if value else "format-false", lang)
    if isinstance(value, list):
        return ", ".join(_spelled(one, quantity, lang) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_spelled(one, '', lang)}" for key, one in value.items())
    return str(value)
