"""What an edit of a rule does to its state: keep, migrate, reset, or a refusal that says why."""

from collections.abc import Mapping

import pytest
from small_world import FILES, MIN, T0, Line, Saved, compiled, fix, payment

from engine.errors import StateError
from engine.model.change import Change, Transition
from engine.pipeline import Engine, Space
from engine.ports import Outcome, Record, SourceId, Write
from engine.ruleset.compile import Program
from engine.state.codec import unpack_meta, unpack_row

STAYS = "small/stays.yaml"


class Life:
    """One key space over several versions of its rules."""

    def __init__(self, files: Mapping[str, str] = FILES) -> None:
        self.files = dict(files)
        self.saved = Saved()
        self.logs: dict[str, list[Record]] = {"gps": [], "paid": []}
        self.space = self.begin()

    def begin(self) -> Space:
        """Start, as a daemon does, on what is saved."""
        program = compiled(self.files)
        space = Engine(program).spaces["car"]
        for feed in program.spaces["car"].feeds:
            space.announce(SourceId(feed))
        rows = [Write(*key, value) for key, value in self.saved.rows.get("car", {}).items()]
        meta = self.saved.meta.get("car")
        if meta is not None:
            space.restore(meta, rows)
            if (adopted := space.adopted()) is not None:
                self.saved.keep("car", adopted)
        return space

    def edit(self, file: str, old: str, new: str, do: str = "") -> None:
        """Change a rule, with a word about its state, and start again."""
        assert old in self.files[file]
        before = hashes(compiled(self.files))
        rule = file.split("/")[1].removesuffix(".yaml")
        word = f"on_change: {{from: {before[rule][:6]}, do: {do}}}\n" if do else ""
        lines = [x for x in self.files[file].splitlines() if not x.startswith("on_change")]
        self.files[file] = "\n".join(lines).replace(old, new) + "\n" + word
        self.space = self.begin()

    def feed(self, *lines: Line, until: float) -> Outcome:
        """Take records in; then both feeds say that nothing older than `until` follows."""
        for _, feed, value in lines:
            self.logs[feed].append(Record(len(self.logs[feed]), value))
        for feed, records in self.logs.items():
            place = self.space.log(feed)
            self.space.ingest(feed, SourceId(feed), records[place.next :])
            self.space.mark(SourceId(feed), T0 + round(until * MIN))
        outcome = self.space.advance()
        self.saved.keep("car", outcome)
        return outcome

    def rows(self, rule: str) -> dict[str, tuple[str, object]]:
        return {
            key: unpack_row(value)
            for (of, key), value in self.saved.rows["car"].items()
            if of == rule
        }


def hashes(program: Program) -> dict[str, str]:
    return {name: rule.spec.hash for name, rule in program.rules.items()}


def stand(start: float, end: float, car: str = "a") -> list[Line]:
    """A car that stands, a fix a minute."""
    return [fix(start + n, car, 0, 0.0) for n in range(int(end - start) + 1)]


def said(changes: list[Change]) -> list[tuple[str, str, float]]:
    return [(c.rule, str(c.transition), (c.at_ms - T0) / MIN) for c in changes]


def test_keep_goes_on_with_the_rows_as_they_are_and_stamps_them() -> None:
    life = Life()
    life.feed(*stand(0, 5), until=5)
    life.edit(STAYS, "at_least: 10m", "at_least: 12m", "keep")
    assert {row[0] for row in life.rows("stays").values()} == {
        hashes(compiled(life.files))["stays"]
    }
    life.feed(*stand(6, 16), until=16)
    assert ("stays", "fired", 12.0) in said(life.saved.changes)
    life.edit(STAYS, "at_least: 12m", "at_least: 14m", "keep")


def test_migrate_fires_at_the_new_limit_without_another_event() -> None:
    """Kept, the timer would stay at ten minutes; migrated, it is armed anew from the anchor."""
    life = Life()
    life.feed(*stand(0, 5), until=5)
    life.edit(STAYS, "at_least: 10m", "at_least: 8m", "migrate")
    life.feed(until=8.5)
    assert said(life.saved.changes) == [("stays", "fired", 8.0)]


def test_migrate_fires_at_once_where_the_new_limit_has_passed() -> None:
    life = Life()
    life.feed(*stand(0, 7), until=7)
    life.edit(STAYS, "at_least: 10m", "at_least: 4m", "migrate")
    life.feed(until=7.5)
    (fired,) = life.saved.changes
    assert (fired.at_ms - T0, fired.since_ms - T0) == (7 * MIN, 0)


def test_migrate_asks_the_kept_fixes_again_when_the_place_is_smaller() -> None:
    """The anchor does not hold every later fix any more; the stay begins at the first that does."""
    life = Life()
    lines = [*stand(0, 3), *(fix(4 + n, "a", 1, 0.0) for n in range(4))]  # a step is 47 m
    life.feed(*lines, until=7)
    life.edit(STAYS, "radius: 100 meters", "radius: 20 meters", "migrate")
    life.feed(*(fix(8 + n, "a", 1, 0.0) for n in range(8)), until=15)
    assert ("stays", "fired", 14.0) in said(life.saved.changes)


def test_migrate_climbs_by_the_new_levels_and_clears_by_the_new_patience() -> None:
    life = Life()
    life.feed(*stand(0, 12), until=12)
    life.edit(STAYS, "orange: {at_least: 20m}", "orange: {at_least: 11m}", "migrate")
    life.feed(until=12.5)
    assert said(life.saved.changes)[-1] == ("stays", "raised", 12.0)
    life.feed(fix(13, "a", 50, 60.0), until=13.5)
    life.edit(STAYS, "keep_firing_for: 3m", "keep_firing_for: 1m", "migrate")
    life.feed(until=14.5)
    assert said(life.saved.changes)[-1] == ("stays", "cleared", 14.0)


def test_migrate_works_a_deadline_out_anew_from_its_start() -> None:
    life = Life()
    life.feed(fix(0, "a", 0, 90.0), payment(1, "a", 40.0), until=2)
    life.edit("small/pays.yaml", "within: 15m", "within: 5m", "migrate")
    life.feed(until=6)
    assert ("pays", "fired", 5.0) in said(life.saved.changes)
    life = Life()
    life.feed(fix(0, "a", 0, 90.0), until=10)
    life.edit("small/pays.yaml", "within: 15m", "within: 5m", "migrate")
    life.feed(until=11)
    assert ("pays", "fired", 10.0) in said(life.saved.changes)


def test_migrate_does_not_raise_an_ended_deadline_again() -> None:
    life = Life()
    life.feed(fix(0, "a", 0, 90.0), until=16)
    life.feed(payment(16, "a", 100.0), until=18)
    before = said(life.saved.changes)
    assert [one[1] for one in before if one[0] == "pays"] == ["fired", "cleared"]
    life.edit("small/pays.yaml", "within: 15m", "within: 5m", "migrate")
    life.feed(until=40)
    assert said(life.saved.changes) == before


def test_migrate_counts_kept_hits_by_the_new_period() -> None:
    life = Life()
    life.feed(fix(0, "a", 0, 90.0), until=4)
    life.edit("small/races.yaml", "within: 6m", "within: 3m", "migrate")
    life.feed(fix(5, "a", 0, 90.0), until=5.5)
    assert [one for one in said(life.saved.changes) if one[0] == "races"] == []
    life.feed(fix(6, "a", 0, 90.0), until=6.5)
    assert ("races", "fired", 6.0) in said(life.saved.changes)


def test_what_cannot_be_migrated_is_refused_with_the_reason_and_nothing_changes() -> None:
    life = Life()
    life.feed(*stand(0, 5), until=5)
    rows, meta = dict(life.saved.rows["car"]), dict(life.saved.meta)
    match = "match: {condition: speed < 5 km/h, times: {count: 2, within: 6m}, quiet: 5m}"
    old = life.files[STAYS].split("when:\n")[1].split("levels")[0].strip()
    with pytest.raises(StateError, match="another operator wrote it") as caught:
        life.edit(STAYS, old, match, "migrate")
    assert "另" in caught.value.said("zh") or "其他" in caught.value.said("zh")
    assert (life.saved.rows["car"], life.saved.meta) == (rows, meta)


@pytest.mark.parametrize("how", ["reset", "gone"])
def test_what_is_forgotten_closes_its_alerts_with_a_word_of_its_own(how: str) -> None:
    life = Life()
    life.feed(*stand(0, 12), *stand(0, 5, "b"), until=12)
    fired = life.saved.changes[-1]
    if how == "reset":
        life.edit(STAYS, "at_least: 10m", "at_least: 12m", "reset")
    else:
        del life.files[STAYS]
        life.space = life.begin()
    closed = life.saved.changes[-1]
    assert (closed.transition, closed.episode_id) == (Transition.DROPPED, fired.episode_id)
    assert (closed.at_ms, closed.ordinal) == (T0 + 12 * MIN, fired.ordinal + 1)
    assert life.rows("stays") == {}
    again = life.begin()
    assert again.adopted() is None, "a second start closes nothing again"


def test_after_a_reset_rows_of_the_new_version_survive_the_next_start() -> None:
    """The word is about the old version's rows only, as long as it stays in the rule."""
    life = Life()
    life.feed(*stand(0, 5), until=5)
    life.edit(STAYS, "at_least: 10m", "at_least: 12m", "reset")
    life.feed(*stand(6, 9), until=9)
    kept = life.rows("stays")
    assert kept
    life.space = life.begin()
    assert life.rows("stays") == kept
    assert life.space.sizes()["stays"] == 1


def test_the_rule_sets_that_worked_on_a_partition_are_remembered_in_order() -> None:
    life = Life()
    life.space.restore(None, ())
    life.feed(*stand(0, 5), until=5)
    first = unpack_meta(life.saved.meta["car"]).rulesets
    life.edit(STAYS, "at_least: 10m", "at_least: 12m", "keep")
    both = unpack_meta(life.saved.meta["car"]).rulesets
    assert both[:-1] == first
    assert len(set(both)) == 2
