"""Hours on the first and the last day a calendar knows: only days that matter are asked for."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.geo.opening import is_open
from engine.model.calendar import CalendarEnd, WorkCalendar
from engine.model.worktime import WorkTime

CHINA = WorkCalendar.china()
FIRST, LAST = CHINA.first.isoformat(), CHINA.until.isoformat()
AFTER = f"{CHINA.until.year + 1}-01-01"
DAY, NIGHT = ((480, 720), (840, 1080)), ((1320, 360),)
OFFICE = WorkTime(WorkCalendar("office", CHINA.first, CHINA.until, weekends=False), DAY)


def ms(day: str, hour: str) -> int:
    at = datetime.fromisoformat(f"{day} {hour}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    return round(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("day", "hour", "counts"),
    [
        (FIRST, "00:00", False), (FIRST, "07:59", False), (FIRST, "08:00", True),
        (LAST, "12:00", False), (LAST, "17:59", True), (LAST, "18:00", False),
        (LAST, "23:59", False),
    ],
)  # fmt: skip
def test_office_hours_need_no_day_but_their_own(day: str, hour: str, *, counts: bool) -> None:
    assert OFFICE.counts(ms(day, hour)) is counts
    assert (OFFICE.ends(ms(day, hour)) is not None) is counts


def test_a_night_that_begins_on_the_last_day_is_known_to_its_end() -> None:
    night = WorkTime(OFFICE.calendar, NIGHT)
    assert night.ends(ms(LAST, "23:00")) == ms(AFTER, "06:00")
    assert night.ends(ms(AFTER, "05:59")) == ms(AFTER, "06:00")
    with pytest.raises(CalendarEnd):
        night.ends(ms(AFTER, "06:00"))


@pytest.mark.parametrize("hour", ["00:00", "09:00", "23:00"])
def test_a_day_past_the_end_is_loud_at_every_hour(hour: str) -> None:
    with pytest.raises(CalendarEnd):
        OFFICE.counts(ms(AFTER, hour))


def test_a_gate_that_is_closed_on_the_last_evening_says_so() -> None:
    gate: dict[str, Any] = {"hours": "08:00-12:00", "calendar": "cn"}
    assert is_open(gate, {"cn": CHINA}, ms(LAST, "20:00")) is False
