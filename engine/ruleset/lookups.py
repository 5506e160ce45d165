"""The look-ups of a rule: which table row or zone a name stands for."""

from collections.abc import Mapping

from engine.feeds.spec import FieldType
from engine.ruleset.expr.types import Scope, Type, field_type
from engine.ruleset.known import Known, lookup_type
from engine.ruleset.notes import Notes
from engine.ruleset.schema import LookupModel, RuleModel
from engine.ruleset.spec import LookupSpec


def build_lookups(
    model: RuleModel, notes: Notes, known: Known, scope: Scope
) -> tuple[LookupSpec, ...]:
    """Every look-up, with its table, columns and key fields checked."""
    found, fields = [], scope.names
    for name, lookup in model.lookup.items():
        if name in fields:
            notes.add(("lookup", name), "R223", name=name, at_key=True)
        found.append(_lookup(name, lookup, notes, known, fields))
    return tuple(found)


def lookup_types(lookups: tuple[LookupSpec, ...], known: Known) -> dict[str, Type]:
    """The record each look-up gives, by its name."""
    return {lookup.name: lookup_type(lookup, known) for lookup in lookups}


def _lookup(
    name: str, lookup: LookupModel, notes: Notes, known: Known, fields: Mapping[str, Type]
) -> LookupSpec:
    """One look-up."""
    path = ("lookup", name)
    if lookup.zone is not None:
        if (
            notes.known(lookup.zone, known.layers, "R204", (*path, "zone"))
            and "position" not in fields
        ):
            notes.add((*path, "zone"), "R221", feed=name, text="lookup")
        return LookupSpec(name, zone=lookup.zone)
    table_name, on = lookup.table or "", tuple(lookup.on or ())
    valid = (lookup.valid[0], lookup.valid[1]) if lookup.valid else None
    if notes.known(table_name, known.tables, "R203", (*path, "table")):
        table = known.tables[table_name]
        valid = valid or table.valid
        if len(on) != len(table.key):
            key = ", ".join(table.key)
            notes.add((*path, "on"), "R213", count=len(on), table=table_name, key=key)
        for index, column in enumerate(lookup.valid or ()):
            _column(column, (*path, "valid", index), table_name, notes, known)
        for index, (field, column) in enumerate(zip(on, table.key, strict=False)):
            _matched(field, column, table_name, (*path, "on", index), notes, known, fields)
    return LookupSpec(name, table=table_name, on=on, valid=valid)


def _column(
    column: str, path: tuple[str | int, ...], table_name: str, notes: Notes, known: Known
) -> None:
    """A column of validity must exist and be a time."""
    table = known.tables[table_name]
    if notes.known(column, table.fields, "R214", path, table=table_name):
        declared = table.fields[column].type
        if declared is not FieldType.TIME:
            notes.add(path, "R429", name=column, type=declared.value, wanted="time")


def _matched(
    field: str,
    column: str,
    table_name: str,
    path: tuple[str | int, ...],
    notes: Notes,
    known: Known,
    fields: Mapping[str, Type],
) -> None:
    """A field that is matched with a key column must exist and be of the same kind."""
    if not notes.known(field, fields, "R202", path, feed=", ".join(known_feeds(notes))):
        return
    spec = known.tables[table_name].fields.get(column)
    if spec is not None and field_type(spec.type).kind != fields[field].kind:
        notes.add(path, "R427", name=field, column=column, type=spec.type.value)


def known_feeds(notes: Notes) -> list[str]:
    """The feeds a rule names, as written."""
    declared = notes.document.value.get("from") if isinstance(notes.document.value, dict) else None
    if isinstance(declared, str):
        return [declared]
    return [str(name) for name in declared] if isinstance(declared, list) else ["start"]
