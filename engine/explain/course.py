"""A rule watched while it runs over recorded feeds: what it saw of a key, and how near it came.

It is the core that runs live, fed with the same records; it is only looked at before and after
each event of the key, so nothing of what it does is changed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.alerts.context import Names, Surroundings
from engine.decode.record import FeedDecoder
from engine.explain.conditions import Asked, holds
from engine.explain.funnel import Funnel, Intake, Part, Told
from engine.explain.proofs import Proving
from engine.explain.words import values_of
from engine.feeds.alerts import ALERTS
from engine.model.change import Change, Transition
from engine.model.progress import Note, Progress, Step, nearest
from engine.model.row_keys import subject_of
from engine.operators.base import Logic
from engine.operators.correlate_places import PlacesLogic
from engine.operators.near_ground import GroundLogic
from engine.operators.towards.ask import progress_of
from engine.operators.towards.base import NO_SIGHT, Sight
from engine.pipeline import Space
from engine.ports import Batch
from engine.ruleset.compile import Program
from engine.ruleset.expr import Tools
from engine.ruleset.spec import Project

_ALWAYS = frozenset(
    {"cross-counts", "cross-settled", "cross-while", "sequence-wait", "sequence-absent"}
)
"""What is of interest though it is not a matter of more or less."""
_INSTANT = frozenset(
    {
        "change-becomes", "change-falls", "change-jump", "change-rises", "change-share",
        "change-unseen", "change-was",
    }
)  # fmt: skip
"""What is decided by one event: each that does not pass is a try of its own."""
_LEAST = 0.1
"""A try that came less far is of no interest."""

MISSES = 3
"""So many near tries are kept, those that came nearest."""
_TOLD = 6


@dataclass(slots=True)
class Course:
    """One key of one rule, watched over a run.

    Attributes:
        keys: How many events of each key of the rule were seen; for those who mistype a key.
        misses: Tries that ended without firing, nearest first.
        nearly: The newest records that met all conditions but one.

    """

    program: Program
    rule: str
    key: str
    intakes: dict[str, Intake] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    told: list[Change] = field(default_factory=list)
    misses: list[Note] = field(default_factory=list)
    errors: list[Note] = field(default_factory=list)
    nearly: list[Note] = field(default_factory=list)
    _parts: list[tuple[Space, int]] = field(default_factory=list)
    _eyes: dict[str, "_Eye"] = field(default_factory=dict)
    _proving: Proving | None = None
    _fired: int = 0

    def watch(self, spaces: Mapping[str, Space]) -> None:
        """Look at every event and timer of the key, in every key space where the rule works."""
        for space in spaces.values():
            for number, rule in enumerate(space.program.rules):
                if rule.spec.id == self.rule:
                    self._watch(space, number)
                    self._prove(space, number)
                if rule.spec.id.partition("/")[0] == self.rule:
                    self._parts.append((space, number))

    def take(self, batch: Batch, until_ms: int | None) -> Batch:
        """Count what a batch holds of the key; answers it without what lies after the instant."""
        feed = batch.source.feed
        eye = self._eye(feed)
        if eye is None:
            decoder = FeedDecoder(self.program.feeds[feed].spec)
            times = [time_of(decoder, one.value, one.arrived_ms) for one in batch.records]
        else:
            times = [eye.see(one.value, one.arrived_ms, until_ms, self) for one in batch.records]
        records = [
            record
            for record, at_ms in zip(batch.records, times, strict=True)
            if at_ms is None or until_ms is None or at_ms <= until_ms
        ]
        return batch._replace(records=records)

    def note(self, changes: Sequence[Change]) -> None:
        """Keep what became of the key's alerts."""
        self.told += [one for one in changes if (one.rule, one.key) == (self.rule, self.key)]

    def funnel(self, at_ms: int) -> Funnel:
        """The answer, at an instant up to which everything has happened."""
        spec = self.program.project.rules[self.rule]
        zone = zone_of(self.program.project, spec.feeds)
        return Funnel(
            rule=self.rule,
            key=self.key,
            at_ms=at_ms,
            title=dict(spec.title),
            rule_hash=spec.hash,
            operator=operator_of(spec.when),
            status=str(spec.status),
            zone=zone,
            intakes=[self.intakes[name] for name in spec.feeds if name in self.intakes],
            tries=self.tries(at_ms),
            fired=[told(change) for change in self.told[-_TOLD:]],
            misses=sorted(
                [*self.errors[-MISSES:], *self.nearly, *self.misses], key=lambda one: one.at_ms
            ),
            verify=spec.verify,
            proofs=[]
            if self._proving is None
            else self._proving.told(at_ms, looked=bool(self.intakes)),
        )

    def tries(self, at_ms: int) -> list[Progress]:
        """How far the key is, asked of every part of the rule that works on it."""
        found: list[Progress] = []
        before: tuple[Step, ...] = ()
        for space, number in self._parts:
            some = progress_of(space.logics[number], self.key, at_ms)
            found = [Progress(one.part, (*before, *one.steps)) for one in some] or found
            before = found[0].steps if found else ()
        return found

    def _prove(self, space: Space, number: int) -> None:
        """Look at what the rule's `verify` is asked, where it has one."""
        project = self.program.project
        spec, logic = project.rules[self.rule], space.logics[number]
        if spec.verify_if is None or logic.life.proofs is None:
            return
        zone = zone_of(project, spec.feeds)
        tools = Tools(zones=project.zones, calendars=project.calendars, zone=zone)
        asked = Asked(spec.verify_if, tools, zone)
        self._proving = Proving(logic, space.hosts[number], self.key, asked)

    def _watch(self, space: Space, number: int) -> None:
        """Put ourselves before and behind the rule's handlers and timers."""
        logic = space.logics[number]
        for feed, row in zip(space.program.feeds, space.handlers.rows, strict=True):
            if feed in space.program.rules[number].spec.feeds:
                row[number] = self._between(row[number], logic, feed)
        timer = logic.on_timer
        logic.on_timer = self._between_timer(timer, logic)  # type: ignore[method-assign,assignment]
        space.notebook.explain = self._counting(space.notebook.explain)  # type: ignore[method-assign,assignment]

    def _counting(self, explain: Callable[[Change], None]) -> Callable[[Change], None]:
        def counted(change: Change) -> None:
            explain(change)
            if (change.rule, change.key) == (self.rule, self.key):
                self._fired += change.transition is Transition.FIRED

        return counted

    def _between(self, take: Callable[..., None], logic: Logic, feed: str) -> Callable[..., None]:
        def handle(key: str, event: Any, at_ms: int) -> None:
            about = getattr(event, "near_who", key)
            if self.key not in {about, about.partition(" ")[2]}:  # of an alert: episode, key
                take(key, event, at_ms)
                return
            sight = Sight(event, feed)
            self._around(lambda: take(key, event, at_ms), logic, at_ms, sight)

        return handle

    def _between_timer(
        self, on_timer: Callable[[str, int], None], logic: Logic
    ) -> Callable[[str, int], None]:
        def handle(key: str, at_ms: int) -> None:
            if self.key not in {key, subject_of(key)} and not isinstance(
                logic, GroundLogic | PlacesLogic
            ):
                on_timer(key, at_ms)
                return
            self._around(lambda: on_timer(key, at_ms), logic, at_ms, NO_SIGHT)

        return handle

    def _around(self, act: Callable[[], None], logic: Logic, at_ms: int, sight: Sight) -> None:
        """Act, and note how near a try had come if that ended it without an alert."""
        fired = self._fired
        before = nearest(progress_of(logic, self.key, at_ms, sight))
        # What expires at this very instant is told as it was just before.
        still = nearest(progress_of(logic, self.key, at_ms - 1))
        try:
            act()
        except Exception as error:
            detail = f"{type(error).__name__}: {error}".removesuffix(": ")
            self.errors.append(Note("error", self.rule, self.key, at_ms, detail=detail))
            raise
        if before is None or still is None or self._fired > fired or still.unmet is None:
            return
        if self.key in logic.life.open:
            return  # it goes on: its alert waits, or is there
        after = nearest(progress_of(logic, self.key, at_ms))
        falls = after is None or after.share < still.share
        shown = before if _tells(before) else still
        instant = before.unmet is not None and before.unmet.name in _INSTANT
        if _tells(shown) and (falls or instant):
            self._miss(Note("near-miss", self.rule, self.key, at_ms, shown, detail=sight.feed))

    def _miss(self, note: Note) -> None:
        """Keep those that came nearest."""
        self.misses = sorted(
            [*self.misses, note], key=lambda one: (-one.progress.share, one.at_ms)
        )[:MISSES]

    def _eye(self, feed: str) -> "_Eye | None":
        spec = self.program.project.rules[self.rule]
        if feed not in spec.feeds or feed == ALERTS:
            return None
        if feed not in self._eyes:
            self.intakes[feed] = Intake(feed, missing={}, rejected={}, last=[])
            self._eyes[feed] = _Eye(self.program, self.rule, self.intakes[feed])
        return self._eyes[feed]


class _Eye:
    """Looks at the records of one feed as the rule's admission does, part by part."""

    def __init__(self, program: Program, rule: str, intake: Intake) -> None:
        spec = program.project.rules[rule]
        feed = program.feeds[intake.feed].spec
        self.intake = intake
        self.spec = spec
        self.decoder = FeedDecoder(feed)
        self.key_of = self.decoder.key_of(spec.by[intake.feed])
        self.around = _surroundings(program, rule)
        project = program.project
        tools = Tools(zones=project.zones, calendars=project.calendars, zone=feed.time.zone)
        where = spec.where.get(intake.feed)
        only = spec.feeds[0] if len(spec.feeds) == 1 else ""
        # What only the operator knows (a zone, a step before) cannot be asked of a record alone.
        known = {*feed.fields, *self.around.lookups, "position", "event_time", "key", "region"}
        own = [
            typed
            for _, typed, owner in spec.when.conditions(only)
            if owner in {"", intake.feed} and known.issuperset(typed.names)
        ]
        zone = feed.time.zone
        self.where = None if where is None else Asked(where, tools, zone)
        # Of several roles (steps, needs) a record plays one, so their conditions are no funnel.
        self.own = [Asked(typed, tools, zone) for typed in own] if len(own) == 1 else []
        intake.has_where = where is not None
        read = {
            name for typed in (*own, *([] if where is None else [where])) for name in typed.names
        }
        self.fields = sorted(read & set(feed.fields))

    def see(
        self, value: bytes, arrived_ms: int | None, until_ms: int | None, at: Course
    ) -> int | None:
        """Count one record; answers its event time, or None if it has none."""
        intake = self.intake
        seen = self.decoder.decode(value, arrived_ms)
        if isinstance(seen[0], str):
            complete_ms = self.decoder.watermark(value)
            if complete_ms is None:
                intake.rejected[seen[0]] = intake.rejected.get(seen[0], 0) + 1
            return complete_ms
        at_ms, event = seen
        if until_ms is not None and at_ms > until_ms:
            return at_ms
        intake.all_records += 1
        key = self.key_of(event)
        at.keys[key] = at.keys.get(key, 0) + 1
        if key == at.key:
            self._count(event, at_ms, at)
        return at_ms

    def _count(self, event: Any, at_ms: int, at: Course) -> None:
        intake = self.intake
        intake.records += 1
        for name in self.fields:
            if getattr(event, name) is None:
                intake.missing[name] = intake.missing.get(name, 0) + 1
        names = Names(self.around, at.key, event, at_ms)
        parts = [] if self.where is None else self.where.told(event, names)
        own = [part for one in self.own for part in one.told(event, names)]
        answer = holds(parts)
        intake.admitted += answer is True
        intake.unknown += answer is None
        if len(parts) + len(own) > 1:
            self._nearly([*parts, *own], at_ms, at)
        if intake.last_ms is None or at_ms >= intake.last_ms:
            intake.last_ms = at_ms
            intake.last_admitted = answer is True
            intake.last, intake.asked = parts, own

    def _nearly(self, parts: list[Part], at_ms: int, at: Course) -> None:
        """Keep the newest records that met all conditions but one."""
        if sum(part.value is True for part in parts) != len(parts) - 1:
            return
        steps = tuple(
            Step(
                "condition",
                part.value is True,
                found={"text": part.text, "values": values_of(part)},
            )
            for part in sorted(parts, key=lambda part: part.value is not True)
        )
        note = Note("near-miss", self.spec.id, at.key, at_ms, Progress(self.intake.feed, steps))
        at.nearly = [*at.nearly, note][-MISSES:]


def time_of(decoder: FeedDecoder, value: bytes, arrived_ms: int | None) -> int | None:
    """Of when a record is: its event time, or up to when a heartbeat says that all is there."""
    at_ms = decoder.decode(value, arrived_ms)[0]
    return decoder.watermark(value) if isinstance(at_ms, str) else at_ms


def _tells(progress: Progress) -> bool:
    """Whether a try that ends is worth telling: it was under way, and something was missing."""
    unmet = progress.unmet
    if unmet is None:
        return False
    if unmet.name.startswith("alert-") or unmet.name in _ALWAYS:
        return True
    goal = [step for step in progress.steps if not step.name.startswith("alert-")][-1]
    return not goal.met and goal.share >= _LEAST


def _surroundings(program: Program, rule: str) -> Surroundings:
    """What the part of a rule that reads its feeds looks things up in."""
    first = program.rules.get(f"{rule}/keys") or program.rules[rule]
    return first.words.surroundings


def told(change: Change) -> Told:
    """A transition as the funnel tells it."""
    return Told(
        str(change.transition), change.at_ms, change.severity, change.episode_id, change.summary
    )


def zone_of(project: Project, feeds: Collection[str]) -> str:
    """The time zone in which the first of some feeds tells its times."""
    found = (feed.time.zone for name, feed in project.feeds.items() if name in feeds)
    return next(found, "Asia/Shanghai")


def operator_of(when: object) -> str:
    """The name of the operator that a specification belongs to."""
    return type(when).__name__.removesuffix("Spec").lower()
