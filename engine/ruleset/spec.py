"""What a checked project says: rules, tables, zones, routes as plain frozen values.

`load.py` makes these from YAML and nothing else does; `compile.py` turns them into a program.
Durations are milliseconds, distances metres, speeds metres a second, money the feed's own unit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from engine.alerts.rest import Flapping as Flapping  # noqa: PLC0414 - readable from here too
from engine.errors import Location
from engine.feeds.spec import FeedSpec
from engine.model.period import Period as Period  # noqa: PLC0414 - readable from here too
from engine.model.severity import Severity as Severity  # noqa: PLC0414
from engine.operators.specs.base import OperatorSpec

if TYPE_CHECKING:
    from engine.geo.zones import ZoneSet
    from engine.model.calendar import WorkCalendar
    from engine.ruleset.expr import Typed
    from engine.ruleset.layered import Overridden
    from engine.ruleset.macros import Macro
    from engine.ruleset.templates import Template
    from engine.state.tables import Table

NOWHERE = Location("")
"""The place of a value that no file declares."""

Words = Mapping[str, str]
"""One text in several languages: `{"zh": ..., "en": ...}`."""


class Status(StrEnum):
    """How far a rule has come. Shadow runs and keeps its alerts but sends none."""

    DRAFT = "draft"
    SHADOW = "shadow"
    STABLE = "stable"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Basis:
    """The legal ground of a rule and the days (ISO) between which it is in force."""

    title: str
    article: str = ""
    from_day: str = ""
    to_day: str = ""
    version: str = ""
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class LookupSpec:
    """A name under which a rule reads a table row or the zone at the event's position.

    For a table: `on` are the event's fields matched with the table's key, `valid` the two columns
    between which a row is in force. For a zone: the layer's name.
    """

    name: str
    table: str = ""
    on: tuple[str, ...] = ()
    valid: tuple[str, str] | None = None
    zone: str = ""


@dataclass(frozen=True, slots=True)
class LevelSpec:
    """A higher severity: held for `at_least_ms`, overdue by `overdue`, or when `when` holds."""

    severity: Severity
    at_least_ms: int | None = None
    overdue: Period | None = None
    when: "Typed | None" = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule may fire, in event time: a calendar and daily hours in a zone."""

    calendar: str = "all-days"
    hours: tuple[tuple[int, int], ...] = ((0, 1440),)
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of a rule in one partition; 0 means no limit. Overflow quiets the rule and tells."""

    keys: int = 0
    alerts_per_hour: int = 0
    overflow: str = "quiet-and-tell"


@dataclass(frozen=True, slots=True)
class OnChange:
    """What an edit does with saved state: keep, migrate or reset, approving the old hash."""

    from_hash: str
    do: str


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One declared concern, checked.

    Attributes:
        feeds: Names of the feeds it reads; `alerts` for those of other rules.
        of: Of which rules it reads alerts; empty for all that read none themselves.
        by: For each feed, the fields that make up the key.
        space: Name of the key space: rules with equal `by` names share it.
        where: For each feed, the condition an event must meet to be seen by the operator.
        late: `drop`, `side` or `retract`; `late_allow_ms` counts after the watermark.
        hash: First 12 hex digits of the SHA-256 over everything that decides alerts.
        shared: Names of the lists and macros it uses.
        variant_of: The rule it is for the places where an override holds; empty for a rule that
            is declared as such.
        only: Where it holds, as the override says it.
        overridden: Every value that an override changed.

    """

    id: str
    title: Words
    severity: Severity
    feeds: tuple[str, ...]
    by: Mapping[str, tuple[str, ...]]
    space: str
    when: OperatorSpec
    of: tuple[str, ...] = ()
    where: Mapping[str, "Typed"] = field(default_factory=dict)
    lookups: tuple[LookupSpec, ...] = ()
    excepts: tuple["Typed", ...] = ()
    levels: tuple[LevelSpec, ...] = ()
    for_ms: int = 0
    clear: "Typed | None" = None
    keep_firing_ms: int = 0
    cooldown_ms: int = 0
    flapping: Flapping | None = None
    schedule: Schedule | None = None
    late: str = "drop"
    late_allow_ms: int = 0
    limits: Limits = Limits()
    labels: Mapping[str, "Template"] = field(default_factory=dict)
    summary: Mapping[str, "Template"] = field(default_factory=dict)
    status: Status = Status.STABLE
    owner: str = ""
    basis: tuple[Basis, ...] = ()
    playbook: str = ""
    dispatch: str = ""
    verify: str = ""
    verify_if: "Typed | None" = None
    verify_ms: int = 0
    on_change: OnChange | None = None
    pack: str = ""
    at: Location = NOWHERE
    hash: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    variant_of: str = ""
    only: str = ""
    overridden: "tuple[Overridden, ...]" = ()


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A look-up table: its columns, its key, the file its rows come from."""

    name: str
    key: tuple[str, ...]
    fields: Mapping[str, Any]
    file: str = ""
    valid: tuple[str, str] | None = None
    zone: str = "Asia/Shanghai"
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class ListSpec:
    """A named set of values that rules share; `variants` are those of overrides with `only`."""

    name: str
    values: tuple[str, ...]
    title: Words = field(default_factory=dict)
    at: Location = NOWHERE
    variants: "tuple[tuple[Macro, tuple[str, ...]], ...]" = ()
    overridden: "tuple[Overridden, ...]" = ()


@dataclass(frozen=True, slots=True)
class Playbook:
    """What officers check on site, who is responsible, which offence and penalty may apply."""

    id: str
    title: Words
    check: Sequence[Words] = ()
    units: Sequence[str] = ()
    offences: Sequence[Words] = ()
    basis: tuple[Basis, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """Who hears about alerts that name this route: the sinks, from a severity up."""

    name: str
    sinks: tuple[str, ...]
    min_severity: Severity = Severity.BLUE
    labels: Mapping[str, str] = field(default_factory=dict)
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class PackSpec:
    """A folder of rules about one domain."""

    name: str
    title: Words
    owner: str
    version: str
    folder: str = ""
    basis: tuple[Basis, ...] = ()
    at: Location = NOWHERE


def variants(rules: Iterable[RuleSpec]) -> Mapping[str, list[str]]:
    """The rules that overrides made of others for some places, sorted, by those others."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        if rule.variant_of:
            found.setdefault(rule.variant_of, []).append(rule.id)
    return {name: sorted(ids) for name, ids in found.items()}


@dataclass(frozen=True, slots=True)
class SharedAs:
    """Lists with other values than declared, and which overrides hold; None for all of them."""

    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    overrides: tuple[str, ...] | None = None


AS_DECLARED = SharedAs()


@dataclass(frozen=True, slots=True)
class Project:
    """Everything declared, read and checked, ready to be compiled.

    Attributes:
        alerts: The feed of alerts, where a rule reads it.
        overrides: Name and title of every override.
        otherwise: Makes the same project with other lists or overrides; None if they do not fit.

    """

    packs: Mapping[str, PackSpec] = field(default_factory=dict)
    feeds: Mapping[str, FeedSpec] = field(default_factory=dict)
    rules: Mapping[str, RuleSpec] = field(default_factory=dict)
    table_specs: Mapping[str, TableSpec] = field(default_factory=dict)
    tables: Mapping[str, "Table"] = field(default_factory=dict)
    zones: Mapping[str, "ZoneSet"] = field(default_factory=dict)
    calendars: Mapping[str, "WorkCalendar"] = field(default_factory=dict)
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    routes: Mapping[str, RouteSpec] = field(default_factory=dict)
    tests: Mapping[str, Any] = field(default_factory=dict)
    alerts: FeedSpec | None = None
    lists: Mapping[str, ListSpec] = field(default_factory=dict)
    macros: Mapping[str, "Macro"] = field(default_factory=dict)
    overrides: Mapping[str, Words] = field(default_factory=dict)
    otherwise: "Callable[[SharedAs], Project | None] | None" = field(default=None, compare=False)
