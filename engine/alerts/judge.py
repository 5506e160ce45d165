"""A rule's own words about its alerts, compiled: exceptions, levels, clear, schedule and texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.alerts.budget import Budget
from engine.alerts.context import Names, Surroundings, severity_of
from engine.alerts.lifecycle import Episode
from engine.alerts.schedule import opens_at
from engine.feeds.derived import origin_of
from engine.model.calendar import WorkCalendar
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.model.formats import format_duration
from engine.ruleset.spec import RuleSpec
from engine.ruleset.templates import Template
from engine.text import LANGUAGES, say

Function = Callable[[Any, Any], Any]
Emit = Callable[[Change], None]
Describe = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Words:
    """Everything of a rule that is the same in all partitions, compiled once.

    Attributes:
        excepts: (text, function) of the exceptions.
        levels: (function, rank) of the levels that an expression raises.
        traces: What each part of the rule's conditions answered; belongs into the evidence.
        describe: An event's fields as plain values.
        check: What to look at on site; with `units` in charge and `offences`, from the playbook.
        personal: Fields whose values are personal data, with its kind.

    """

    spec: RuleSpec
    surroundings: Surroundings
    excepts: Sequence[tuple[str, Function]] = ()
    levels: Sequence[tuple[Function, int]] = ()
    clear: Function | None = None
    verify: Function | None = None
    traces: Sequence[Callable[[Any, Names], Sequence[tuple[str, Any]]]] = ()
    labels: Mapping[str, Template] = field(default_factory=dict)
    summary: Mapping[str, Template] = field(default_factory=dict)
    calendar: WorkCalendar | None = None
    describe: Describe = dict
    check: list[dict[str, str]] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    offences: list[dict[str, str]] = field(default_factory=list)
    personal: dict[str, str] = field(default_factory=dict)


_JUDGED = frozenset({Transition.FIRED, Transition.RAISED})


class RuleJudge:
    """Judges the episodes of one rule in one partition (see `lifecycle.Judge`)."""

    def __init__(self, words: Words, emit: Emit, overflow: Callable[[str, int], None]) -> None:
        spec = words.spec
        self.words = words
        self.spec = spec
        self.for_ms = spec.for_ms
        self.keep_ms = spec.keep_firing_ms
        self.has_clear = words.clear is not None
        self.asks = bool(words.levels)
        self.base_rank = spec.severity.rank
        self.steps = tuple(
            (level.at_least_ms, level.severity.rank)
            for level in spec.levels
            if level.at_least_ms is not None
        )
        self.cooldown_ms = spec.cooldown_ms
        self.flapping = spec.flapping
        proves = words.verify is not None and spec.when.of_keys()
        self.verify_ms = spec.verify_ms if proves else None
        self.by_part = spec.when.by_part()
        self.budget = Budget(spec.limits.alerts_per_hour)
        self._emit = emit
        self._overflow = overflow

    def speak_for(self, other: "RuleJudge") -> None:
        """Hand out from now on where the other judge would, in whose partition this one is now."""
        self._emit, self._overflow = other._emit, other._overflow  # noqa: SLF001 - one of us

    def names(self, key: str, event: Any, at_ms: int, episode: Episode | None = None) -> Names:
        """The names beyond the event's fields, at one moment."""
        severity = severity_of(episode.rank) if episode is not None and episode.rank else ""
        return Names(self.words.surroundings, key, event, at_ms, episode, severity)

    def closed_until(self, at_ms: int) -> int:
        """When the schedule opens again; 0 where it is open now."""
        schedule = self.spec.schedule
        return 0 if schedule is None else opens_at(schedule, self.words.calendar, at_ms)

    def excepted(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool:
        """Whether an exception keeps this quiet now."""
        if not self.words.excepts:
            return False
        known = event if event is not None else episode.event
        names = self.names(key, known, at_ms, episode)
        return any(test(known, names) is True for _, test in self.words.excepts)

    def level(self, key: str, episode: Episode, event: Any, at_ms: int) -> int:
        """The highest rank that a level expression asks for now, or 0."""
        if not self.words.levels:
            return 0
        names = self.names(key, event, at_ms, episode)
        return max(
            (rank for test, rank in self.words.levels if test(event, names) is True), default=0
        )

    def cleared(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool:
        """Whether the rule's `clear` holds now."""
        clear = self.words.clear
        return clear is not None and clear(event, self.names(key, event, at_ms, episode)) is True

    def verified(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool | None:
        """Whether the rule's `verify` holds now; None where it cannot be told."""
        verify = self.words.verify
        if verify is None:
            return None
        found = verify(event, self.names(key, event, at_ms, episode))
        return found if isinstance(found, bool) else None

    def announce(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, event: Any
    ) -> None:
        """Put the transition into words and hand it out, unless the hour's budget is used up.

        Only new alerts are held back; what was announced is also ended.
        """
        if transition is Transition.FIRED and not self.budget.spend(at_ms):
            if not self.budget.told:
                self.budget.told = True
                self._overflow(self.spec.id, at_ms)
            episode.facts["quiet"] = True
        if episode.facts.get("quiet"):
            return
        self._emit(self._change(key, episode, transition, at_ms, event))

    def _change(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, event: Any
    ) -> Change:
        spec, words = self.spec, self.words
        known = event if event is not None else episode.event
        names = self.names(key, known, at_ms, episode)
        where = names["anchor"] or names["position"]
        whole = episode.id = episode.id or episode_id(spec.id, key, episode.since, episode.part)
        values = _Sight(known, names)
        judged = transition in _JUDGED
        return Change(
            delivery_id=delivery_id(whole, transition, episode.ordinal),
            episode_id=whole,
            rule=spec.id,
            rule_hash=spec.hash,
            key=key,
            transition=transition,
            ordinal=episode.ordinal,
            at_ms=at_ms,
            since_ms=episode.since,
            severity=severity_of(episode.rank),
            status=spec.status,
            title=dict(spec.title),
            summary=self._summary(values, episode, transition),
            labels={name: text.render(values, "en") for name, text in words.labels.items()},
            place=names["place"],
            lon=None if where is None else where[0],
            lat=None if where is None else where[1],
            held_ms=at_ms - episode.since,
            evidence=self._evidence(known, names, episode, judged),
            basis=[_basis(ground) for ground in spec.basis],
            playbook=spec.playbook,
            check=words.check if judged else [],
            units=words.units if judged else [],
            offences=words.offences if judged else [],
            dispatch=spec.dispatch,
            owner=spec.owner,
            pack=spec.pack,
            personal=words.personal,
        )

    def _summary(
        self, values: Mapping[str, Any], episode: Episode, transition: Transition
    ) -> dict[str, str]:
        """The rule's text; the alert that begins to flap says so, once."""
        texts = {lang: text.render(values, lang) for lang, text in self.words.summary.items()}
        flapping, times = self.flapping, episode.facts.get("flapping")
        if flapping is None or not times or transition is not Transition.FIRED:
            return texts
        for lang in LANGUAGES:
            within = format_duration(flapping.within_ms, lang)
            note = say("alert-flaps", lang, times=times, within=within)
            texts[lang] = f"{texts[lang]} {note}" if lang in texts else note
        return texts

    def _evidence(self, event: Any, names: Names, episode: Episode, judged: bool) -> dict[str, Any]:
        """The event and the look-ups behind a transition, and what each condition answered.

        The answers belong to what fires or climbs; an end is not brought about by them.
        """
        words = self.words
        facts = {
            name: value for name, value in episode.facts.items() if name not in {"start", "feed"}
        }
        evidence: dict[str, Any] = {"operator": {"since": episode.since, **facts}}
        if event is not None:
            evidence["events"] = [
                {"feed": origin_of(episode.facts.get("feed", "")), "fields": words.describe(event)}
            ]
        if event is not None and judged:
            parts = {text: value for trace in words.traces for text, value in trace(event, names)}
            evidence["values"] = [
                {"text": text, "value": _plain(value)} for text, value in parts.items()
            ]
        if episode.facts.get("start") is not None:
            evidence["start"] = _plain(episode.facts["start"])
        found = {name: _plain(names[name]) for name in words.surroundings.lookups}
        if found:
            evidence["lookups"] = found
        return evidence


class _Sight(Mapping[str, Any]):
    """What a template may see: the event's fields first, then the extra names."""

    def __init__(self, event: Any, names: Names) -> None:
        self._event = event
        self._names = names

    def __getitem__(self, name: str) -> Any:
        value = getattr(self._event, name, None)
        return self._names[name] if value is None else value

    def __iter__(self) -> Any:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


def _basis(ground: Any) -> dict[str, str]:
    plain = {"title": ground.title, "article": ground.article, "version": ground.version}
    return {name: value for name, value in plain.items() if value}


def _plain(value: Any) -> Any:
    """A value as it can be written as JSON and saved as state."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
