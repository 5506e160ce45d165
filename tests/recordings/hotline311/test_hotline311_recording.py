"""Fifteen years of complaints: repeats at an address, clusters, overdue orders, against a scan."""

from collections import Counter
from datetime import datetime, timedelta
from math import asin, cos, isfinite, radians, sin, sqrt
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from recorded import alerts_of, rows_of

FILE = "nyc-311-two-types.csv.gz"
PACK = Path(__file__).parent / "pack"
ZONE = ZoneInfo("America/New_York")
DAY = 86_400_000
STANDARD = -5 * 3_600_000  # windows end by standard time, summer and winter
EXPECTED = {
    ("clusters", "cleared"): 15,
    ("clusters", "fired"): 15,
    ("clusters", "updated"): 8,
    ("overdue", "cleared"): 170,
    ("overdue", "fired"): 2230,
    ("overdue", "raised"): 2086,
    ("repeats", "cleared"): 203,
    ("repeats", "fired"): 203,
    ("repeats", "raised"): 48,
}
OTHERWISE = {"18487582", "23606523", "23746771", "25120742", "25522961"}
"""Orders whose due date is not thirty days after they were taken in."""


class Order(NamedTuple):
    """One complaint as it was recorded."""

    name: str
    opened: datetime
    closed: datetime | None
    due: datetime | None
    about: str
    address: str
    place: tuple[float, float]


def read(text: str) -> datetime | None:
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=ZONE) if text else None


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@pytest.fixture(scope="module")
def orders() -> list[Order]:
    found = []
    for row in rows_of(FILE):
        opened = read(row["Created Date"])
        assert opened is not None
        place = (float(row["Longitude"] or "nan"), float(row["Latitude"] or "nan"))
        found.append(
            Order(
                row["Unique Key"], opened, read(row["Closed Date"]), read(row["Due Date"]),
                row["Descriptor"], row["Incident Address"], place,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (ms(one.opened), one.name))


@pytest.fixture(scope="module")
def alerts(orders: list[Order]) -> list:
    told = []
    for one in orders:
        for state, at in (("opened", one.opened), ("closed", one.closed)):
            if at is not None:
                words: dict[str, object] = {
                    "order": one.name, "state": state, "at": text(at), "opened": text(one.opened),
                    "due": None if one.due is None else text(one.due), "about": one.about,
                    "address": one.address,
                }  # fmt: skip
                if isfinite(one.place[0]):
                    words |= {"lon": one.place[0], "lat": one.place[1]}
                told.append((ms(at), words))
    told.sort(key=lambda item: item[0])
    return alerts_of(PACK, "orders", [words for _, words in told])


def text(at: datetime) -> str:
    return at.strftime("%m/%d/%Y %I:%M:%S %p")


def far(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres between two places, by the haversine formula."""
    lon, lat, to_lon, to_lat = map(radians, (*one, *other))
    half = sin((to_lat - lat) / 2) ** 2 + cos(lat) * cos(to_lat) * sin((to_lon - lon) / 2) ** 2
    return 2 * 6_371_008.8 * asin(sqrt(half))


def told(alerts: list, rule: str) -> list[tuple]:
    """(instant, key, transition, severity) of a rule, in that order."""
    found = [(one.at_ms, one.key, str(one.transition), str(one.severity)) for one in alerts
             if one.rule == rule]  # fmt: skip
    return sorted(found)


def test_the_recording_is_the_one_that_was_counted(orders: list[Order]) -> None:
    assert len(orders) == len({one.name for one in orders}) == 5_895
    assert sum(one.due is not None for one in orders) == 2_793
    assert sum(one.closed is None for one in orders) == 3_431
    assert sum(one.closed is not None and one.closed < one.opened for one in orders) == 2
    assert max(Counter(one.address for one in orders if one.address).values()) == 24


def test_counts(alerts: list) -> None:
    assert Counter((one.rule, str(one.transition)) for one in alerts) == EXPECTED


def test_the_same_complaint_about_one_address_within_thirty_days(
    orders: list[Order], alerts: list
) -> None:
    ranks = {"blue": 3, "yellow": 5, "orange": 8}
    days: dict[str, list[int]] = {}
    for one in orders:
        if one.address:
            day = (ms(one.opened) + STANDARD) // DAY
            days.setdefault(f"{one.about}|{one.address}", []).append(day)
    last = (max(ms(one.opened) for one in orders) + STANDARD) // DAY
    expected = []
    for key, seen in days.items():
        level = ""
        for edge in range(seen[0] + 1, last + 1):
            count = sum(edge - 30 <= day < edge for day in seen)
            reached = [name for name, least in ranks.items() if count >= least]
            if reached and (not level or ranks[reached[-1]] > ranks[level]):
                expected.append((edge, key, "raised" if level else "fired", reached[-1]))
                level = reached[-1]
            elif level and not reached:
                expected.append((edge, key, "cleared", level))
                level = ""
    at_edges = [(edge * DAY - STANDARD, *rest) for edge, *rest in sorted(expected)]
    assert told(alerts, "repeats") == at_edges


def test_orders_that_were_open_when_their_due_date_was_over(
    orders: list[Order], alerts: list
) -> None:
    last = max(ms(at) for one in orders for at in (one.opened, one.closed) if at is not None)
    expected, otherwise = [], set()
    for one in orders:
        if one.due is None:
            continue
        if one.due.date() != one.opened.date() + timedelta(days=30):
            otherwise.add(one.name)
            continue
        closed = ms(one.closed) if one.closed and one.closed >= one.opened else last + 1
        level = ""
        for days, transition, reached in ((1, "fired", "yellow"), (31, "raised", "orange")):
            day = one.due.date() + timedelta(days=days)
            end = ms(datetime(day.year, day.month, day.day, tzinfo=ZONE))
            if end <= last and closed > end:
                level = reached
                expected.append((end, one.name, transition, level))
        if level and closed <= last:
            expected.append((closed, one.name, "cleared", level))
    assert otherwise == OTHERWISE
    found = [one for one in told(alerts, "overdue") if one[1] not in OTHERWISE]
    assert found == sorted(expected)


def test_neighbourhoods_that_complain_of_the_same(orders: list[Order], alerts: list) -> None:
    expected = []
    for about in sorted({one.about for one in orders}):
        some = [one for one in orders if one.about == about and one.address]
        some = [one for one in some if isfinite(one.place[0])]
        expected += [(at, about, *rest) for at, *rest in clusters(some)]
    told = [one for one in alerts if one.rule == "clusters" and one.transition != "cleared"]
    found = [
        (one.at_ms, one.key, str(one.transition), one.evidence["operator"]["size"]) for one in told
    ]
    assert sorted(found) == sorted(expected)


def clusters(orders: list[Order], at_least: int = 4, metres: float = 800) -> list[tuple]:
    """(instant, transition, size) of clusters among complaints about one thing, in their order.

    Each keeps to its first complaint: a later one joins the oldest cluster whose first is near.
    """
    said: list[tuple] = []
    open_ones: list[dict] = []
    free: list[Order] = []
    for one in orders:
        now, since = ms(one.opened), ms(one.opened) - 21 * DAY
        open_ones = [group for group in open_ones if group["last"] > since]
        free = [other for other in free if ms(other.opened) > since] + [one]
        home = next((g for g in open_ones if far(g["first"].place, one.place) <= metres), None)
        if home is not None:
            free.pop()
            home["last"] = now
            if one.address not in home["addresses"]:
                home["addresses"].add(one.address)
                if len(home["addresses"]) in (6, 8):
                    said.append((now, "updated", len(home["addresses"])))
            continue
        for first in [other for other in free if far(other.place, one.place) <= metres]:
            members = [other for other in free if far(first.place, other.place) <= metres]
            addresses = {other.address for other in members}
            if len(addresses) >= at_least:
                open_ones.append({"first": first, "last": now, "addresses": addresses})
                free = [other for other in free if other not in members]
                said.append((now, "fired", len(addresses)))
                break
    return said
