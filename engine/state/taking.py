"""What becomes of each saved row at a start: taken up, converted, or forgotten.

row --hash of the rule as it is--> taken up, at the latest when its key is touched
--another hash, `keep`-------> taken up as it is, written anew under the new hash
--another hash, `migrate`----> converted by its operator, then the same
--another hash, `reset`------> forgotten; an alert that was announced is closed: `dropped`
--its rule was taken out-----> the same
--another hash, no word------> nothing happens at all: the start is refused
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify
from typing import TYPE_CHECKING, Any

from engine.alerts.context import severity_of
from engine.alerts.episode import SAVED as EPISODE
from engine.alerts.lifecycle import Episode, Phase
from engine.errors import NAMED, StateError
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.model.row_keys import owner_of, subject_of
from engine.operators.dormancy import dormancy
from engine.operators.migrate import Unconvertible, Why
from engine.operators.migrate_marked import migration
from engine.ports import Record, SourceId, Write
from engine.state.codec import (
    OWN,
    WAITING,
    Fate,
    fate_of,
    pack_row,
    unpack_moved,
    unpack_row,
)
from engine.state.dormant import Timer
from engine.state.log import Log
from engine.state.rows import by_rule
from engine.state.watermark import NEVER

if TYPE_CHECKING:
    from engine.pipeline import Space

Floors = dict[str, dict[str, int]]
"""For each rule, by id, the keys that are complete up to a later instant than the partition."""


def take_up(space: "Space", rows: Sequence[Write]) -> list[tuple[int, str]]:
    """Give every row to the rule, or the feed's cleaning, that wrote it.

    Rows that are forgotten leave their deletion in `space.pending`, and their alerts a change in
    the next outcome.

    Returns:
        Keys (rule number, key) that must be written anew because their rule was edited.

    Raises:
        StateError: An edited rule says nothing about its rows, or they cannot be read by it.

    """
    taken = _Taken(space)
    waiting: list[Write] = []
    for rule, group in by_rule(rows).items():
        if rule == WAITING:
            waiting = [Write(rule, key, value) for key, value in group.items()]
        elif rule.startswith(OWN):
            taken.clean(rule, group)
        else:
            taken.rule(rule, group)
    space.timers += taken.timers
    heapify(space.timers)
    _forget(space, sorted(taken.gone, key=lambda one: one[0][:2]), taken.numbers)
    space.dormant.guard(space.handlers.rows, len(space.logics))
    guard(space, taken.floors)
    _put_back(space, waiting)
    return taken.anew


class _Taken:
    """What was found while the rows of a partition were taken up.

    Attributes:
        gone: Rows that are forgotten, with the hash and the payload they had.
        anew: Keys (rule number, key) that must be written anew.
        floors: Keys that are further on than the partition.
        timers: What the dormant rows ask for.

    """

    def __init__(self, space: "Space") -> None:
        self.space = space
        self.numbers = {rule.spec.id: number for number, rule in enumerate(space.program.rules)}
        self.gone: list[tuple[Write, str, Any]] = []
        self.anew: list[tuple[int, str]] = []
        self.floors: Floors = {}
        self.timers: list[Timer] = []

    def clean(self, rule: str, rows: Mapping[str, bytes]) -> None:
        """Give rows to the feed's cleaning that wrote them, if it is still there."""
        space = self.space
        for cleaning in space.cleaning.values():
            if cleaning.rule == rule:
                for key, value in rows.items():
                    _, payload, floor = unpack_moved(value)
                    cleaning.load(key, payload)
                    if floor is not None and floor > space.progress.watermark:
                        cleaning.floors[key] = floor

    def rule(self, rule: str, rows: dict[str, bytes]) -> None:
        """Give rows to their rule, or leave them dormant.

        Raises:
            StateError: An edited rule says nothing about its rows, or they cannot be read by it.

        """
        space, number = self.space, self.numbers.get(rule, -1)
        spec = None if number < 0 else space.program.rules[number].spec
        way = None if spec is None or spec.limits.keys else dormancy(space.logics[number])
        if spec is not None and way is not None:
            rows, timers = space.dormant.lay(number, way, spec.hash, rows)
            self.timers += timers
        fates: dict[str, Fate] = {}
        for key, value in rows.items():
            row = Write(rule, key, value)
            old, payload, floor = unpack_moved(value)
            fate = fates.get(old)
            if fate is None:
                fate = fates[old] = fate_of(spec, old)
            if fate is Fate.REFUSED:
                raise StateError(rule)
            if fate in (Fate.RESET, Fate.ORPHAN):
                self.gone.append((row, old, payload))
                continue
            if fate is not Fate.FITS:
                self.anew.append((number, key))
            load_row(space, number, row, payload, fate)
            if floor is not None and floor > space.progress.watermark:
                self.floors.setdefault(rule, {})[owner_of(key)] = floor


def load_row(space: "Space", number: int, row: Write, payload: Any, fate: Fate) -> None:
    """Give a row to its rule, converted if the rule says so.

    Raises:
        StateError: The rule as it is now cannot read it.

    """
    logic = space.logics[number]
    if fate is Fate.FITS:
        logic.load(row.key, payload)
        return
    try:
        if fate is Fate.MIGRATE:
            convert = migration(logic)
            if convert is None:
                raise Unconvertible(Why.NEVER)  # noqa: TRY301 - told with the others
            payload = convert(payload, max(space.progress.watermark, 0))
        if payload is not None:
            logic.load(row.key, payload)
    except Unconvertible as error:
        words = {"rule": row.rule, "key": row.key, "why": f"{NAMED}{error.why}"}
        raise StateError(name="state-migrate-refused", **words) from error
    except Exception as error:
        words = {"rule": row.rule, "key": row.key, "why": f"{type(error).__name__}: {error}"}
        raise StateError(name="state-unreadable", **words) from error


def _forget(
    space: "Space", gone: Sequence[tuple[Write, str, Any]], numbers: dict[str, int]
) -> None:
    """Forget rows; receivers hear that their alerts are closed."""
    for row, old, payload in gone:
        space.pending.add((row.rule, row.key))
        key = subject_of(row.key)
        number = numbers.get(row.rule)
        for plain in _announced_ones(payload):
            at_ms = max(plain[9], space.progress.watermark)
            if number is None or not _in_words(space, number, key, plain, at_ms):
                space.outcome.changes.append(_bare(row, old, plain, at_ms))


def closings(row: Write, watermark: int) -> list[Change]:
    """The changes that close the alerts of a row whose rule is gone for good."""
    if row.value is None:
        return []
    old, payload, _ = unpack_moved(row.value)
    found = _announced_ones(payload)
    return [_bare(row, old, plain, max(plain[9], watermark)) for plain in found]


def _announced_ones(payload: Any) -> list[list[Any]]:
    """The open episodes of which receivers have heard."""
    return [
        plain
        for plain in episodes_of(payload)
        if plain[4] != Phase.PENDING and not plain[11].get("quiet")
    ]


def episodes_of(payload: Any) -> list[list[Any]]:
    """The open episodes in a row; every operator saves them last."""
    last = payload[-1] if isinstance(payload, list) and payload else None
    if not isinstance(last, list):
        return []
    return [one for one in last if isinstance(one, list) and len(one) == EPISODE]


def _in_words(space: "Space", number: int, key: str, plain: list[Any], at_ms: int) -> bool:
    """Whether the rule as it is now could put the end of the alert into its own words."""
    try:
        episode = Episode.load(plain, space.program.codec)
        judge = space.logics[number].life.judge
        judge.announce(key, episode, Transition.DROPPED, at_ms, None)
    except Exception:  # noqa: BLE001 - its words may need what the old version did not keep
        return False
    return True


def _bare(row: Write, old: str, plain: list[Any], at_ms: int) -> Change:
    """The end of an alert whose rule cannot speak any more."""
    key = subject_of(row.key)
    episode = episode_id(row.rule, key, plain[1], plain[0])
    return Change(
        delivery_id=delivery_id(episode, Transition.DROPPED, plain[8]),
        episode_id=episode,
        rule=row.rule,
        rule_hash=old,
        key=key,
        transition=Transition.DROPPED,
        ordinal=plain[8],
        at_ms=at_ms,
        since_ms=plain[1],
        severity=severity_of(plain[7]),
        held_ms=at_ms - plain[1],
    )


def guard(space: "Space", floors: Floors) -> None:
    """Let keys that are further on than their partition pass over what they had already."""
    count = len(space.logics)
    for number, rule in enumerate(space.program.rules):
        keys = floors.get(rule.spec.id)
        if not keys:
            continue
        space.floors[rule.spec.id] = keys
        for row in space.handlers.rows:
            for place in (number, number + count):
                row[place] = _above(keys, row[place])


def _above(keys: dict[str, int], take: Callable[..., None]) -> Callable[..., None]:
    def handle(key: str, event: Any, at_ms: int) -> None:
        if at_ms >= keys.get(key, NEVER):
            take(key, event, at_ms)

    return handle


def waiting_row(key: str, feed: str, partition: int, record: Record) -> Write:
    """A record that waits for its turn, as a row that moves with the state."""
    value = pack_row("", [feed, partition, *record, key])
    own = hashlib.sha256(value).hexdigest()[:8]
    return Write(WAITING, f"{feed}/{partition}@{record.offset}#{own}", value)


def read_waiting(value: bytes) -> tuple[str, SourceId, Record]:
    """The key (empty if it has none), source and record of a row that `waiting_row` made."""
    feed, partition, offset, raw, arrived_ms, before_ms, key = unpack_row(value)[1]
    return key, SourceId(feed, partition), Record(offset, raw, arrived_ms, before_ms)


def _put_back(space: "Space", rows: Sequence[Write]) -> None:
    """Put records that waited when the state was moved into the buffer again."""
    places: dict[SourceId, Log] = {}
    found = [(row.key, *read_waiting(row.value or b"")) for row in rows]
    for name, _, source, record in sorted(found, key=lambda one: (one[2], one[3].offset)):
        order = NEVER
        if source.feed in space.intakes:
            place = places.get(source)
            if place is None:
                place = places[source] = Log(WAITING, len(space.log_names))
                space.log_names.append(WAITING)
            held = len(space.buffer.waiting)
            space._take_singly(place, source, [record], NEVER)  # noqa: SLF001 - the careful way
            if len(space.buffer.waiting) > held:
                order = space.buffer.waiting[-1][0]
        space.carried.append((order, name))


def passed(space: "Space") -> list[Write]:
    """Deletions of the moved records that have had their turn."""
    watermark = space.progress.watermark
    done = [name for order, name in space.carried if order < watermark]
    if done:
        space.carried = [one for one in space.carried if one[0] >= watermark]
    return [Write(WAITING, name, None) for name in done]
