"""The wage stories against limits counted anew from the records, day by day."""

import json
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from typing import Any

import chinese_calendar
import pytest

from simulators.payroll import Payroll

CITY = timezone(timedelta(hours=8))
DAY = timedelta(days=1)


def ms(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=CITY).timestamp() * 1000)


def city_day(at_ms):
    return datetime.fromtimestamp(at_ms / 1000, CITY).date()


def end_of_workdays(day, count):
    """24:00 of the count-th working day after `day`."""
    days = (day + DAY * step for step in range(1, 90))
    working = [one for one in days if not chinese_calendar.is_holiday(one)]
    return ms(working[count - 1] + DAY)


def end_of_days(day, count):
    last = day + DAY * count
    while chinese_calendar.is_holiday(last):
        last += DAY
    return ms(last + DAY)


def same_day(day, months):
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    for number in (day.day, 30, 29, 28):
        try:
            return date(year, month, min(number, day.day))
        except ValueError:
            continue
    raise AssertionError


def read(world):
    """Records by project and feed, with `t` (event time) and `filed` (arrival)."""
    books: dict[str, Any] = defaultdict(lambda: defaultdict(list))
    for item in world.items():
        if item.key:
            record = json.loads(item.value)
            record["t"], record["filed"] = item.time_ms, item.arrival_ms
            books[record["project"]][item.feed].append(record)
    return books


def covered(bookings, reach, due):
    """Whether enough is both booked and filed by `due`."""
    known = [one for one in bookings if one["filed"] <= due]
    return sum(one["amount"] for one in known) >= reach - 1e-6


@pytest.fixture(scope="module", params=[5, 6], ids=["seed-5", "seed-6"])
def world(request):
    return Payroll(seed=request.param, projects=120, days=200)


def fired(world, rule):
    return {
        (s.key, s.since_ms, s.fire_ms)
        for s in world.stories()
        if s.rule == rule and s.fire_ms is not None
    }


def ended(book):
    return min(
        (r["t"] for r in book["permits"] if r["stage"] in {"completed", "withdrawn"}),
        default=10**15,
    )


def test_deposits_are_judged_on_the_twentieth_working_day(world):
    found = set()
    for project, book in read(world).items():
        for permit in (r for r in book["permits"] if r["stage"] == "permitted"):
            due = end_of_workdays(city_day(permit["t"]), 20)
            reach = permit["contract_sum"] * permit["deposit_rate"]
            owed = not permit["deposit_exempt"] and not covered(book["deposits"], reach, due)
            if owed and due < min(ended(book), world.end_ms):
                found.add((project, permit["t"], due))
    assert len(found) > 20
    assert found == fired(world, "wage-deposit-missing")


def test_accounts_are_judged_on_the_thirtieth_day(world):
    found = set()
    for project, book in read(world).items():
        for contract in (r for r in book["permits"] if r["stage"] == "signed"):
            due = end_of_days(city_day(contract["t"]), 30)
            opened = any(r["filed"] <= due for r in book["accounts"])
            if not opened and due < min(ended(book), world.end_ms):
                found.add((project, contract["t"], due))
    assert len(found) > 20
    assert found == fired(world, "wage-account-missing")


def test_labour_cost_is_judged_month_by_month(world):
    found = set()
    for project, book in read(world).items():
        permit = next((r for r in book["permits"] if r["stage"] == "permitted"), None)
        if permit is None:
            continue
        begun, begin, arrears = city_day(permit["t"]), permit["t"], list(book["payments"])
        for number in range(12):
            last = same_day(begun, number + 1)
            end, due = ms(last + DAY), end_of_workdays(last, 5)
            if due >= min(ended(book), world.end_ms):
                break
            worked = any(begin <= r["t"] < end and r["workers"] > 0 for r in book["attendance"])
            if worked:
                reach = permit["monthly_labour_cost"] * 0.8
                mine: list[dict[str, Any]] = []
                while arrears and sum(one["amount"] for one in mine) < reach - 1e-6:
                    mine.append(arrears.pop(0))
                if not covered(mine, reach, due):
                    found.add((project, begin, due))
            begin = end
    assert len(found) > 20
    assert found == fired(world, "labour-cost-unpaid")


def test_gates_report_each_working_day_and_nobody_while_work_stands_still(world):
    for book in read(world).values():
        days = {city_day(r["t"]) for r in book["attendance"]}
        assert not any(chinese_calendar.is_holiday(day) and day.weekday() == 6 for day in days)
        paused = [r["t"] for r in book["permits"] if r["stage"] == "paused"]
        resumed = [r["t"] for r in book["permits"] if r["stage"] == "resumed"]
        for begin, end in zip(sorted(paused), sorted(resumed), strict=False):
            assert not any(begin < r["t"] < end and r["workers"] for r in book["attendance"])
