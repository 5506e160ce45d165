"""Which test holds which law of which operator, and with how many examples: the table in README.md.

`GOLDEN=write` writes the page; here it is compared with what the files of this folder say.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
LEAST = 500
LAWS = ("brute force", "restart", "order", "twice", "batches", "memory", "boundary")
STREAM = "test_the_laws_of_streaming_hold"
STREAMING = dict.fromkeys(
    ("restart", "order", "twice", "batches", "memory"), ("test_streaming_laws.py", STREAM)
)


def streams(file: str) -> dict[str, tuple[str, str]]:
    """The laws that `law_stage.Stage.hold` asserts, all of each world."""
    return dict.fromkeys(STREAMING, (file, STREAM))


Place = tuple[str, str]
TABLE: dict[str, dict[str, Place]] = {
    "match": {
        "brute force": ("test_match.py", "test_episodes_are_those_that_brute_force_finds"),
        "boundary": ("test_match.py", "test_an_episode_minute_by_minute"),
        **STREAMING,
    },
    "dwell": {
        "brute force": ("test_dwell.py", "test_stays_are_those_that_brute_force_finds"),
        "boundary": ("test_dwell.py", "test_a_stay_minute_by_minute"),
        **STREAMING,
    },
    "deadline": {
        "brute force": (
            "test_deadline.py",
            "test_single_deadlines_are_those_that_brute_force_finds",
        ),
        "boundary": ("test_deadline.py", "test_a_deposit_within_five_working_days"),
        **STREAMING,
    },
    "change": {
        "brute force": ("test_change.py", "test_changes_are_those_that_brute_force_finds"),
        "boundary": ("test_change.py", "test_changes_minute_by_minute"),
        **streams("test_change.py"),
    },
    "window": {
        "brute force": ("test_window.py", "test_windows_are_those_that_brute_force_finds"),
        "boundary": ("test_window.py", "test_tumbling_windows_minute_by_minute"),
        **streams("test_window.py"),
    },
    "cross": {
        "brute force": ("test_cross.py", "test_crossings_are_those_that_brute_force_finds"),
        "boundary": ("test_cross.py", "test_crossings_minute_by_minute"),
        **streams("test_cross.py"),
    },
    "near": {
        "brute force": ("test_near.py", "test_alerts_are_those_that_brute_force_finds"),
        "boundary": ("test_near.py", "test_when_a_gathering_fires"),
        **dict.fromkeys(
            ("restart", "order", "twice", "batches"),
            ("test_near.py", "test_order_of_arrival_repeats_batches_and_restarts_change_nothing"),
        ),
        "memory": ("test_near.py", "test_when_all_have_fallen_silent_nothing_is_remembered"),
    },
    "corridor": {
        "brute force": (
            "test_corridor.py",
            "test_every_departure_is_found_to_the_minute_and_no_other",
        ),
        "boundary": ("test_corridor.py", "test_a_metre_less_is_on_the_route"),
        **streams("test_corridor_streams.py"),
    },
    "silence": {
        "brute force": (
            "test_silence.py",
            "test_every_silence_is_found_to_the_minute_and_no_other",
        ),
        "boundary": ("test_silence.py", "test_an_event_exactly_at_the_due_instant_is_in_time"),
        **STREAMING,
    },
    "silence of a feed": {
        **dict.fromkeys(
            ("brute force", "restart", "order", "twice", "batches"),
            ("test_feed_silence.py", "test_it_is_told_as_a_watcher_of_all_events_would"),
        ),
        "memory": (
            "test_feed_silence.py",
            "test_one_row_is_all_that_is_remembered_however_many_keys_there_are",
        ),
        "boundary": (
            "test_feed_silence.py",
            "test_the_newest_time_is_known_to_the_end_of_its_tenth",
        ),
    },
    "sequence": {
        "brute force": ("test_sequence.py", "test_every_sequence_is_found_and_no_other"),
        "boundary": ("test_sequence.py", "test_a_sequence_as_people_say_it"),
        **streams("test_sequence_streams.py"),
    },
    "correlate by key": {
        "brute force": ("test_correlate.py", "test_every_coincidence_is_found_and_no_other"),
        "boundary": ("test_correlate.py", "test_a_signal_that_is_just_over_counts_no_more"),
        **STREAMING,
    },
    "correlate by place": {
        **dict.fromkeys(
            ("brute force", "restart", "order", "twice", "batches"),
            ("test_correlate_places.py", "test_it_is_told_as_a_watcher_of_the_whole_city_would"),
        ),
        "memory": (
            "test_correlate_places.py",
            "test_when_all_signals_are_over_nothing_is_remembered",
        ),
        "boundary": (
            "test_correlate_places.py",
            "test_signals_exactly_at_the_radius_are_near_and_a_little_further_are_not",
        ),
    },
    "cluster": {
        "brute force": ("test_cluster.py", "test_every_cluster_is_found_and_no_other"),
        "boundary": (
            "test_cluster.py",
            "test_a_record_exactly_as_long_after_the_first_is_too_late",
        ),
        **STREAMING,
    },
    "window, told late": {
        "brute force": (
            "test_window_told_late.py",
            "test_every_window_with_too_many_has_an_alert_whenever_its_samples_came",
        ),
        "restart": ("test_window_told_late.py", "test_a_restart_anywhere_changes_nothing"),
        "order": (
            "test_told_late_in_partitions.py",
            "test_what_begins_after_the_late_records_is_the_same_in_every_cut",
        ),
        "twice": (
            "test_told_late_in_partitions.py",
            "test_in_each_cut_what_is_told_again_changes_nothing",
        ),
        "batches": ("test_window_told_late.py", "test_any_cut_into_batches_changes_nothing"),
        "memory": ("test_window_told_late.py", "test_a_restart_anywhere_changes_nothing"),
        "boundary": ("test_window_told_late.py", "test_a_sample_told_too_late_changes_nothing"),
    },
    "silence, told late": {
        "order": (
            "test_silence.py",
            "test_a_report_told_late_leaves_the_alerts_that_it_would_have_left_in_time",
        ),
        "boundary": ("test_silence.py", "test_a_late_event_is_set_right_by_its_own_time"),
    },
    "deadline, told late": {
        "order": (
            "test_deadline_told_late.py",
            "test_monthly_deadlines_told_in_two_cuts_give_the_same_alerts",
        ),
        "twice": (
            "test_deadline_told_late.py",
            "test_a_payment_that_is_told_again_is_counted_once",
        ),
        "boundary": ("test_deadline_told_late.py", "test_what_is_told_late_is_dated_by_itself"),
    },
}
WHOLE = [name for name in TABLE if ", told late" not in name]
"""The twelve operators, two of them in two forms; the rest are what `late: retract` adds."""

FREQUENT = {
    "match": ("test_match.py", "test_episodes_are_those_that_brute_force_finds"),
    "dwell": ("test_dwell.py", "test_stays_are_those_that_brute_force_finds"),
    "deadline": ("test_deadline.py", "test_single_deadlines_are_those_that_brute_force_finds"),
    "change": ("test_change.py", "test_many_of_these_changes_fire"),
    "window": ("test_window.py", "test_many_of_these_windows_fire"),
    "cross": ("test_cross.py", "test_many_of_these_crossings_fire"),
    "near": ("test_near.py", "test_enough_of_the_examples_mean_something"),
    "corridor": ("test_corridor.py", "test_more_than_a_third_of_these_journeys_fire"),
    "silence": ("test_silence.py", "test_most_cases_of_these_laws_fire"),
    "silence of a feed": (
        "test_feed_silence.py",
        "test_most_of_these_stories_have_an_interruption",
    ),
    "sequence": ("test_sequence.py", "test_most_cases_of_these_laws_fire"),
    "correlate by key": ("test_correlate.py", "test_most_stories_of_these_laws_fire"),
    "correlate by place": ("test_correlate_places.py", "test_every_way_fires_often"),
    "cluster": ("test_cluster.py", "test_most_stories_of_these_laws_fire"),
}
"""Where it is asserted that at least three of ten examples fire."""


class Held(NamedTuple):
    """A test as its file has it: the examples of its property (0: none), times its parameters."""

    examples: int
    times: int
    asserts_share: bool


def found_in(file: str) -> dict[str, Held]:
    """The tests of a file by name; a law may be a function inside its test."""
    tree = ast.parse((HERE / file).read_text("utf-8"))
    known = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found: dict[str, Held] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            source = ast.unparse(node)
            share = "0.3 *" in source or "fires_often(" in source
            called = next((name for name in _called(node) if name in found), None)
            examples = max([0, *_examples(node)]) or (found[called].examples if called else 0)
            found[node.name] = Held(examples, _times(node, known), share)
    return found


def _called(node: ast.FunctionDef) -> Iterator[str]:
    """Functions of the file that a test calls, such as one that holds the law for two makes."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
            yield one.func.id


def _examples(node: ast.FunctionDef) -> Iterator[int]:
    for one in ast.walk(node):
        if isinstance(one, ast.keyword) and one.arg == "max_examples":
            assert isinstance(one.value, ast.Constant)
            assert isinstance(one.value.value, int)
            yield one.value.value


def _times(node: ast.FunctionDef, known: dict[str, ast.expr]) -> int:
    """How often a test runs by its parameters, where they stand in its file."""
    times = 1
    for one in node.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func).endswith("parametrize"):
            values: ast.expr | None = one.args[1]
            if isinstance(values, ast.Name):
                values = known.get(values.id)
            if isinstance(values, ast.List | ast.Tuple):
                times *= len(values.elts)
            elif isinstance(values, ast.Dict):
                times *= len(values.keys)
    return times


def held(place: Place) -> Held:
    """The test at a place; it must be there."""
    file, name = place
    found = found_in(file)
    assert name in found, f"{file} has no {name}"
    return found[name]


@pytest.mark.parametrize("operator", WHOLE)
def test_every_operator_has_a_test_of_every_law(operator: str) -> None:
    assert set(TABLE[operator]) == set(LAWS)
    assert held(FREQUENT[operator]).asserts_share, "it is asserted that many examples fire"


@pytest.mark.parametrize("operator", WHOLE)
@pytest.mark.parametrize("law", LAWS[:-1])
def test_every_law_has_five_hundred_examples(operator: str, law: str) -> None:
    test = held(TABLE[operator][law])
    shared = TABLE[operator][law] == STREAMING.get(law)
    assert test.examples * (1 if shared else test.times) >= LEAST


@pytest.mark.parametrize("operator", [name for name in TABLE if name not in WHOLE])
def test_what_takes_late_records_has_its_laws(operator: str) -> None:
    for place in TABLE[operator].values():
        held(place)
    assert held(TABLE[operator]["order"]).examples >= LEAST


def test_the_page_says_what_stands_where() -> None:
    lines = [
        "# Which law is held where",
        "",
        "Of each operator: the test, and how many examples it draws; at least three of ten fire",
        "(asserted where the last column says).",
        "",
        "- `brute force`: an oracle that keeps all events and imports nothing of the engine",
        "- `restart`: memory is lost anywhere",
        "- `order`: records come in any order within the lateness (told late: in any cut)",
        "- `twice`: records come again; `batches`: the input is cut anywhere",
        "- `memory`: it returns to nothing (of a feed's silence: to one row)",
        "- `boundary`: near misses at the exact limit",
        "",
        "Checked and written by `test_table.py`.",
        "",
        "| operator | " + " | ".join(LAWS) + " | many fire |",
        "|" + " --- |" * (len(LAWS) + 2),
    ]
    for operator, laws in TABLE.items():
        row = [operator]
        row += [_cell(laws[law], law, operator) if law in laws else "–" for law in LAWS]
        frequent = FREQUENT.get(operator)
        row.append("–" if frequent is None else f"`{frequent[0]}`")
        lines.append("| " + " | ".join(row) + " |")
    text = "\n".join(lines) + "\n"
    if os.environ.get("GOLDEN") == "write":
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text


def _cell(place: Place, law: str, operator: str) -> str:
    test = held(place)
    if not test.examples:
        return f"`{place[0]}`"
    shared = operator in WHOLE and place == STREAMING.get(law)
    return f"{test.examples * (1 if shared else test.times)} in `{place[0]}`"
