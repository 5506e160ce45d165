"""The sizing page holds what the committed reports hold, and nothing else."""

import re

import pytest

from benchmarks import sizing
from benchmarks.report import ROOT

REPORT = """\
# Title

| what | value |
| --- | --- |
| command | `x` |

## One core

| contender | fixes/s | peak RSS MB |
| --- | --- | --- |
| bare | 9 | 1 |
| ours | 1,234 | 55 |

## Others

| contender | fixes/s |
| --- | --- |
| ours | 7 |
"""


def test_the_page_is_what_the_reports_say():
    assert sizing.PAGE.read_text("utf-8") == sizing.page()


@pytest.mark.parametrize(("section", "found"), [("One core", "1,234"), ("Others", "7")])
def test_a_figure_is_found_by_section_row_and_column(section, found):
    wanted = sizing.Figure("", "", "r", section, "ours", "fixes/s")
    assert sizing.look_up(REPORT, wanted) == found


def test_a_figure_that_a_report_lost_is_an_error():
    wanted = sizing.Figure("", "", "r", "Others", "ours", "peak RSS MB")
    with pytest.raises(LookupError, match="peak RSS MB"):
        sizing.look_up(REPORT, wanted)


def test_every_command_is_a_proof_that_the_makefile_knows_or_will_know_by_its_program():
    for one in sizing.FIGURES:
        name = one.command.removeprefix("make prove-").replace("-", "_")
        programs = {f"prove_{name}.py", f"{name}.py"}
        assert any((ROOT / "benchmarks" / program).exists() for program in programs)


def test_the_tail_has_no_figures_of_speed_or_memory():
    assert not re.search(r"\d[\d,.]* ?(MB|GB|records/s|ms|bytes)", sizing.TAIL)
