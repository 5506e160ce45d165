"""One partition step by step: heartbeats, quiet sources, late records, failing rules, state."""

import orjson
import pytest
from small_world import FILES, MIN, T0, Line, compiled, fix, payment

from engine.errors import StateError
from engine.pipeline import Space
from engine.ports import Outcome, Record, SourceId, Write

GPS, PAID = SourceId("gps"), SourceId("paid")

ONLY_STAYS = {
    name: text for name, text in FILES.items() if "paid" not in name and "pays" not in name
}
STANDS = [fix(minute, "a", 0, 0) for minute in range(20)]

DIVIDES = """
rule: divides
title: {zh: 除零, en: Divides by zero}
status: stable
owner: tests
severity: blue
from: gps
by: car
when:
  match: 5 km/h / speed > 1
"""


def records(lines: list[Line], start: int = 0) -> list[Record]:
    return [Record(start + number, value) for number, (_, _, value) in enumerate(lines)]


def space_of(files: dict[str, str]) -> Space:
    space = Space(compiled(files).spaces["car"])
    for feed in space.program.feeds:
        space.announce(SourceId(feed))
    return space


def fired(outcome: Outcome) -> list[str]:
    return [change.rule for change in outcome.changes if change.transition == "fired"]


def test_an_announced_source_that_is_silent_holds_everything_back() -> None:
    space = space_of(FILES)
    space.ingest("gps", GPS, records(STANDS))
    assert fired(space.advance()) == []


def test_a_heartbeat_of_the_silent_source_lets_it_go() -> None:
    space = space_of(FILES)
    space.ingest("gps", GPS, records(STANDS))
    beat = orjson.dumps({"$watermark": T0 + 60 * MIN})
    space.ingest("paid", PAID, [Record(0, beat)])
    outcome = space.advance()
    assert fired(outcome) == ["stays"]
    assert outcome.rejected == []


def test_an_idle_source_holds_nothing_back_until_it_speaks_again() -> None:
    space = space_of(FILES)
    space.ingest("gps", GPS, records(STANDS))
    space.idle(PAID)
    assert fired(space.advance()) == ["stays"]
    space.ingest("paid", PAID, records([payment(0, "a", 100)]))
    outcome = space.advance()
    assert outcome.counts["late", "paid"] == 1


def test_when_all_are_quiet_elapsed_time_fires_timers() -> None:
    space = space_of(ONLY_STAYS)
    space.ingest("gps", GPS, records(STANDS[:9]))
    assert fired(space.advance()) == []
    space.idle(GPS)
    space.tick(8 * MIN)
    assert fired(space.advance()) == ["stays"]


def test_a_record_behind_the_lateness_is_counted_and_dropped() -> None:
    space = space_of(ONLY_STAYS)
    space.ingest("gps", GPS, records([fix(10, "a", 0, 0), fix(4, "a", 0, 0), fix(5, "a", 0, 0)]))
    outcome = space.advance()
    assert outcome.counts["late", "gps"] == 1
    assert outcome.positions["gps"].frontier == 3


def test_a_rule_that_divides_by_zero_is_taken_out_and_the_others_go_on() -> None:
    space = space_of(ONLY_STAYS | {"small/divides.yaml": DIVIDES})
    space.ingest("gps", GPS, records(STANDS))
    outcome = space.advance(T0 + 30 * MIN)
    assert fired(outcome) == ["stays"]
    kinds = [(trouble.kind, trouble.rule) for trouble in outcome.troubles]
    assert kinds == [("rule-error", "divides"), ("rule-quarantined", "divides")]
    assert "ZeroDivisionError" in outcome.troubles[0].detail


def test_a_quarantine_outlives_a_restart() -> None:
    files = ONLY_STAYS | {"small/divides.yaml": DIVIDES}
    space = space_of(files)
    space.ingest("gps", GPS, records(STANDS))
    first = space.advance(T0 + 30 * MIN)
    again = space_of(files)
    again.restore(first.meta, first.writes)
    again.ingest("gps", GPS, records([fix(m, "b", 0, 0) for m in range(40, 60)], start=20))
    assert again.advance(T0 + 60 * MIN).troubles == []


def test_an_alert_budget_quiets_the_rule_and_tells() -> None:
    tight = ONLY_STAYS["small/stays.yaml"] + "limits: {alerts_per_hour: 2}\n"
    space = space_of(ONLY_STAYS | {"small/stays.yaml": tight})
    lines = [fix(minute, car, 0, 0) for minute in range(15) for car in "abcde"]
    space.ingest("gps", GPS, records(lines))
    outcome = space.advance(T0 + 16 * MIN)
    assert len(fired(outcome)) == 2
    assert [trouble.kind for trouble in outcome.troubles] == ["too-many-alerts"]


def test_a_key_budget_takes_no_new_keys_and_tells() -> None:
    tight = ONLY_STAYS["small/stays.yaml"] + "limits: {keys: 2}\n"
    space = space_of(ONLY_STAYS | {"small/stays.yaml": tight})
    lines = [fix(minute, car, 0, 0) for minute in range(15) for car in "abcde"]
    space.ingest("gps", GPS, records(lines))
    outcome = space.advance(T0 + 16 * MIN)
    assert sorted(change.key for change in outcome.changes) == ["a", "b"]
    assert [(trouble.kind, trouble.detail) for trouble in outcome.troubles] == [
        ("too-many-keys", "2")
    ]


def test_a_repeated_id_without_time_is_one_event() -> None:
    space = space_of(FILES)
    _, _, paid = payment(1, "a", 60)
    later = orjson.dumps(orjson.loads(paid) | {"at": T0 + 2 * MIN})
    space.ingest("gps", GPS, records([fix(0, "a", 0, 95)]))
    space.ingest("paid", PAID, [Record(0, paid), Record(1, later)])
    outcome = space.advance(T0 + 60 * MIN)
    assert outcome.counts["duplicates", "paid"] == 1
    assert fired(outcome) == ["pays"]


def edited(extra: str = "") -> dict[str, str]:
    text = ONLY_STAYS["small/stays.yaml"].replace("at_least: 10m", "at_least: 12m")
    return ONLY_STAYS | {"small/stays.yaml": text + extra}


def saved_by_the_first_version() -> Outcome:
    space = space_of(ONLY_STAYS)
    space.ingest("gps", GPS, records(STANDS))
    outcome = space.advance()
    assert outcome.writes
    return outcome


def test_an_edited_rule_refuses_old_state_until_it_says_what_to_do() -> None:
    saved = saved_by_the_first_version()
    with pytest.raises(StateError, match="stays"):
        space_of(edited()).restore(saved.meta, saved.writes)


@pytest.mark.parametrize(("do", "remembered"), [("keep", 1), ("migrate", 1), ("reset", 0)])
def test_an_edited_rule_keeps_or_drops_its_state_as_it_says(do: str, remembered: int) -> None:
    saved = saved_by_the_first_version()
    old = compiled(ONLY_STAYS).rules["stays"].spec.hash
    space = space_of(edited(f"on_change: {{from: {old[:6]}, do: {do}}}\n"))
    space.restore(saved.meta, saved.writes)
    assert space.sizes()["stays"] == remembered


def test_a_rule_that_was_taken_out_leaves_nothing_in_the_way() -> None:
    saved = saved_by_the_first_version()
    space = space_of({name: text for name, text in ONLY_STAYS.items() if "stays" not in name})
    space.restore(saved.meta, [Write("stays", "a", saved.writes[0].value)])
    assert space.sizes() == {"races": 0}


def test_how_many_events_each_rule_wanted_is_counted() -> None:
    space = space_of(FILES)
    space.ingest("gps", GPS, records([*STANDS, fix(30, "a", 90, 95), fix(60, "a", 95, 0)]))
    space.idle(PAID)
    counts = space.advance(T0 + 60 * MIN).counts
    assert {rule: counts["matches", rule] for rule in ("stays", "races", "pays")} == {
        "stays": 22, "races": 22, "pays": 22,
    }  # fmt: skip


COUNTS = """
rule: counts
title: {zh: 计数, en: Counts}
status: stable
owner: tests
severity: blue
from: gps
by: car
when:
  window: {aggregate: count, over: 10m, every: 10m, above: 9}
late: {allow: 1d, then: retract}
"""


def test_a_late_record_takes_the_place_of_no_other() -> None:
    # Its place in the order is the heartbeat's instant, at which another fix of the car lies.
    needed = {name: text for name, text in ONLY_STAYS.items() if "stays" not in name}
    space = space_of({**needed, "small/counts.yaml": COUNTS})
    beat = orjson.dumps({"$watermark": T0 + 5 * MIN})
    late = [fix(minute, "a", 0, 0)[2] for minute in (-60, -50)]
    on_time = [fix(minute, "a", 0, 0)[2] for minute in range(10)]
    end = orjson.dumps({"$watermark": T0 + 30 * MIN})
    told = [*on_time[:5], beat, *late, *on_time[5:], end]
    space.ingest("gps", GPS, [Record(number, value) for number, value in enumerate(told)])
    outcome = space.advance()
    assert fired(outcome) == ["counts"]
    assert outcome.changes[0].evidence["operator"]["size"] == 10
