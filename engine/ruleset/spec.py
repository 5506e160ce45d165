"""What a checked project says: rules, tables, zones, routes as plain frozen values.

`load.py` makes these from YAML and nothing else does; `compile.py` turns them into a program.
Durations are milliseconds, distances metres, speeds metres a second, money the feed's own unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from engine.errors import Location
from engine.feeds.spec import FeedSpec
from engine.model.period import Period as Period  # noqa: PLC0414 - readable from here too
from engine.model.period import PeriodUnit as PeriodUnit  # noqa: PLC0414

if TYPE_CHECKING:
    from engine.geo.zones import ZoneSet
    from engine.model.calendar import WorkCalendar
    from engine.ruleset.expr import Typed
    from engine.ruleset.templates import Template
    from engine.state.tables import Table

NOWHERE = Location("")
"""The place of a value that no file declares."""

Words = Mapping[str, str]
"""One text in several languages: `{"zh": ..., "en": ...}`."""


class Severity(StrEnum):
    """The four warning levels of the Emergency Response Law (2024) art. 63, blue the lowest."""

    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"

    @property
    def rank(self) -> int:
        """1 for blue to 4 for red."""
        return list(Severity).index(self) + 1


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
class MatchSpec:
    """An event satisfies the condition, or N events within T do.

    The episode ends with the rule's `clear`, or when nothing matched for `quiet_ms`.
    """

    condition: "Typed"
    count: int = 1
    within_ms: int = 0
    quiet_ms: int = 0


@dataclass(frozen=True, slots=True)
class DwellSpec:
    """A key stays within `radius_m` of one fix (or inside one zone of `zones`) for `at_least_ms`.

    Attributes:
        radius_m: The circle around the stay's first fix; None when `zones` is given.
        zones: Layer inside one zone of which the key stays; empty when `radius_m` is given.
        at_least_ms: How long a stay must last.
        slower_than_mps: A fix at or above this speed ends the stay; None for no limit.
        speed_field: The feed's field that holds the speed, when `slower_than_mps` is given.
        speed_scale: Metres a second per unit of that field.
        only_while: A fix for which this is false ends the stay; None for no such condition.
        outside_ms: How long the key may be outside before the stay ends.
        silent_ms: How long after its last fix a key is believed to stay; None: nothing is
            presumed, only fixes prove a stay and no gap ends it.
        gap_counts: Whether a silence longer than `silent_ms` that ends inside the circle counts.

    """

    at_least_ms: int
    radius_m: float | None = None
    zones: str = ""
    slower_than_mps: float | None = None
    speed_field: str = ""
    speed_scale: float = 1.0
    only_while: "Typed | None" = None
    outside_ms: int = 0
    silent_ms: int | None = None
    gap_counts: bool = False


@dataclass(frozen=True, slots=True)
class EventTest:
    """Events of one feed that satisfy a condition; `where` None means all of them."""

    feed: str
    where: "Typed | None" = None


@dataclass(frozen=True, slots=True)
class Need:
    """What must happen before a deadline: an event, or a sum that reaches a limit.

    With `sum_of` the values of that expression over matching events are added and must reach
    `reach`; without it one matching event meets the need. `last_of` compares the newest value
    instead of the sum (a balance, a status).
    """

    test: EventTest
    sum_of: "Typed | None" = None
    reach: "Typed | None" = None
    name: str = "need"


@dataclass(frozen=True, slots=True)
class Roster:
    """A table of keys that must start even if no start event is ever seen.

    `start` is the column with the instant at which the clock of a row starts; a row acts from
    that instant on. All columns are readable as `start.<column>`.
    """

    table: str
    start: str


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - `Warning` is the builtin
    """A lower level announced when only `left` of the limit remains."""

    left: Period
    severity: Severity


@dataclass(frozen=True, slots=True)
class DeadlineSpec:
    """After a start, every need must be met within a period; once, or every cycle.

    Attributes:
        start: The event that starts the clock of a key; None with a roster only.
        within: The limit, counted from the start day (or the cycle's start day).
        needs: All must be met.
        every: Cycle length; the n-th cycle starts at start + n cycles and is due `within` later.
        while_: Only cycles in which this many events were seen are judged (attendance > 0).
        warnings: Lower levels before the deadline.
        pause, resume: Events between which the clock of exact and working time stands still.
        cancel: An event after which nothing is due any more.
        roster: Keys that must start though no event starts them.
        retract: A late record that met the need in time withdraws the alert.
        zone: Time zone of the days.
        calendar: Working-day calendar.

    """

    within: Period
    needs: tuple[Need, ...]
    start: EventTest | None = None
    every: Period | None = None
    while_: EventTest | None = None
    while_count: int = 1
    warnings: tuple[Warning_, ...] = ()
    pause: EventTest | None = None
    resume: EventTest | None = None
    cancel: EventTest | None = None
    roster: Roster | None = None
    retract: bool = False
    zone: str = "Asia/Shanghai"
    calendar: str = "cn"


OperatorSpec = MatchSpec | DwellSpec | DeadlineSpec


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
        feeds: Names of the feeds it reads.
        by: For each feed, the fields that make up the key.
        space: Name of the key space: rules with equal `by` names share it.
        where: For each feed, the condition an event must meet to be seen by the operator.
        late: `drop`, `side` or `retract`; `late_allow_ms` counts after the watermark.
        hash: First 12 hex digits of the SHA-256 over everything that decides alerts.

    """

    id: str
    title: Words
    severity: Severity
    feeds: tuple[str, ...]
    by: Mapping[str, tuple[str, ...]]
    space: str
    when: OperatorSpec
    where: Mapping[str, "Typed"] = field(default_factory=dict)
    lookups: tuple[LookupSpec, ...] = ()
    excepts: tuple["Typed", ...] = ()
    levels: tuple[LevelSpec, ...] = ()
    for_ms: int = 0
    clear: "Typed | None" = None
    keep_firing_ms: int = 0
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
    on_change: OnChange | None = None
    pack: str = ""
    at: Location = NOWHERE
    hash: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Project:
    """Everything declared, read and checked, ready to be compiled."""

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
