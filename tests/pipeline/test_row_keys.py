"""Rows of one owner share its partition; what they are about names their alerts."""

from dataclasses import replace

from near_world import PLAIN, Run, letter, program
from small_world import MIN, T0

from engine.model.row_keys import owner_of, parts_of, row_key, subject_of
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import SpaceProgram
from engine.ruleset.spec import OnChange
from engine.state.codec import unpack_row
from engine.state.portable import key_of


def test_a_row_goes_where_its_owner_is() -> None:
    row = row_key("15/4", "car-7")
    assert (owner_of(row), subject_of(row), parts_of(row)) == ("15/4", "car-7", ("15/4", "car-7"))
    assert (owner_of("car-7"), subject_of("car-7")) == ("car-7", "car-7")
    assert key_of(Write("company/cells", row, b"")) == "15/4"


def test_an_alert_over_a_place_is_closed_under_the_key_that_it_was_raised_for() -> None:
    fixes = [(m * MIN, f"a{n}", n * 90.0, 0.0, "a", True) for m in range(12) for n in range(3)]
    run = Run(program(PLAIN))
    run.take([letter(fix) for fix in fixes])
    run.finish(T0 + 12 * MIN)
    (fired,) = run.changes
    rows = [Write(rule, key, value) for (space, rule, key), value in run.rows().items()
            if space == "ground"]  # fmt: skip
    ground: SpaceProgram = program(PLAIN, "keep_firing_for: 1m").spaces["ground"]
    reset = Space(_resetting(ground, rows))
    reset.restore(run.meta["ground"], rows)
    adopted = reset.adopted()
    assert adopted is not None
    (dropped,) = adopted.changes
    assert (dropped.transition, dropped.key) == ("dropped", fired.key)
    assert dropped.episode_id == fired.episode_id


def _resetting(ground: SpaceProgram, rows: list[Write]) -> SpaceProgram:
    """The key space after an edit that forgets what was remembered."""
    (rule,) = ground.rules
    old = unpack_row(rows[0].value or b"")[0]
    spec = replace(rule.spec, on_change=OnChange(old, "reset"))
    words = replace(rule.words, spec=spec)
    return replace(ground, rules=(replace(rule, spec=spec, words=words),))
