"""Shifts of a calendar: one at most works at a time, and past midnight it is yesterday's."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.edge.files import read_project
from engine.model.calendar import CalendarEnd, WorkCalendar
from engine.ruleset.load import DeclaredFile, Loaded, load_project

PLANT = replace(
    WorkCalendar.every_day("plant"),
    shifts=(
        ("early", ((360, 840),)), ("late", ((840, 1320),)), ("night", ((1320, 360),)),
    ),
)  # fmt: skip
OFFICE = replace(
    WorkCalendar.china("office"),
    shifts=(("day", ((480, 720), (840, 1080))), ("watch", ((1200, 120),))),
)


@pytest.mark.parametrize(
    ("at", "shift"),
    [
        ("2026-03-02 05:59:59", "night"), ("2026-03-02 06:00:00", "early"),
        ("2026-03-02 13:59:59", "early"), ("2026-03-02 14:00:00", "late"),
        ("2026-03-02 22:00:00", "night"), ("2026-03-03 00:00:00", "night"),
    ],
)  # fmt: skip
def test_a_plant_that_never_rests(at: str, shift: str) -> None:
    assert PLANT.shift_at(datetime.fromisoformat(at)) == shift


@pytest.mark.parametrize(
    ("at", "shift"),
    [
        ("2026-03-02 08:00", "day"), ("2026-03-02 12:00", None), ("2026-03-02 14:00", "day"),
        ("2026-02-28 10:00", "day"),  # a Saturday that is worked
        ("2026-03-01 10:00", None), ("2026-03-01 01:00", "watch"), ("2026-03-02 01:00", None),
        ("2026-02-17 10:00", None),  # Spring Festival
    ],
)  # fmt: skip
def test_an_office_with_days_of_rest(at: str, shift: str | None) -> None:
    assert OFFICE.shift_at(datetime.fromisoformat(at)) == shift


minutes = st.integers(0, 1439)


@settings(max_examples=500, deadline=None)
@given(st.lists(minutes, min_size=2, max_size=6, unique=True), minutes, st.integers(0, 20))
def test_a_shift_works_from_its_begin_to_its_end_on_working_days(
    marks: list[int], minute: int, day: int
) -> None:
    edges = sorted(marks)[: len(marks) // 2 * 2]
    spans = [(edges[n], edges[n + 1]) for n in range(1, len(edges) - 2, 2)]
    spans.append((edges[-1], edges[0]))  # the last goes past midnight
    calendar = replace(OFFICE, shifts=tuple((f"s{n}", (span,)) for n, span in enumerate(spans)))
    at = datetime(2026, 2, 10) + timedelta(days=day, minutes=minute)  # noqa: DTZ001 - local
    wanted = None
    for back in (0, 1):
        begun = at.date() - timedelta(days=back)
        for number, (begin, end) in enumerate(spans):
            start = datetime(begun.year, begun.month, begun.day) + timedelta(minutes=begin)  # noqa: DTZ001
            length = (end - begin) % 1440
            if calendar.is_workday(begun) and start <= at < start + timedelta(minutes=length):
                wanted = f"s{number}"
    assert calendar.shift_at(at) == wanted


def test_past_its_end_a_calendar_does_not_guess() -> None:
    after = OFFICE.until + timedelta(days=1)
    with pytest.raises(CalendarEnd):
        OFFICE.shift_at(datetime(after.year, after.month, after.day, 10))  # noqa: DTZ001 - local
    first = date(OFFICE.first.year, 1, 1)
    assert OFFICE.shift_at(datetime(first.year, 1, 1, 1)) is None  # noqa: DTZ001 - local


RIVER = Path(__file__).parents[1] / "ruleset/bases/river"


def loaded(calendar: str, schedule: str) -> Loaded:
    files = {f.path.split("bases/")[-1]: f.raw for f in read_project([RIVER])}
    files["river/calendars/plant.yaml"] = calendar.encode()
    rule = files["river/flood-level.yaml"].decode()
    rule = rule.replace("schedule: {calendar: flood-season}", f"schedule: {schedule}")
    files["river/flood-level.yaml"] = rule.encode()
    return load_project([DeclaredFile(path, raw) for path, raw in files.items()])


def test_a_schedule_by_shifts_is_one_by_their_hours() -> None:
    text = (
        "calendar: plant\nbase: all-days\n"
        'shifts: {early: "06:00-14:00", late: "14:00-22:00", night: "22:00-06:00"}\n'
    )
    found = loaded(text, "{calendar: plant, shift: [early, night]}")
    assert found.project is not None, found.report()
    schedule = found.project.rules["flood-level"].schedule
    assert schedule is not None
    assert schedule.hours == ((0, 360), (360, 840), (1320, 1440))
