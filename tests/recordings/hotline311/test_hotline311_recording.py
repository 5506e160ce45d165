"""Fifteen years of complaints: repeats at an address, clusters, overdue orders, against a scan."""

from collections import Counter
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import hotline311_scan as scan
import polars as pl
import pytest
from recorded import alerts_of, path_of, rows_of

FILE = "nyc-311-two-types.csv.gz"
PACK = Path(__file__).parent / "pack"
ZONE = ZoneInfo("America/New_York")
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
def scanned() -> pl.DataFrame:
    return scan.read(path_of(FILE))


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
    scanned: pl.DataFrame, alerts: list
) -> None:
    assert told(alerts, "repeats") == scan.repeats(scanned)


def test_orders_that_were_open_when_their_due_date_was_over(
    scanned: pl.DataFrame, alerts: list
) -> None:
    otherwise, expected = scan.overdue(scanned)
    assert otherwise == OTHERWISE
    found = [one for one in told(alerts, "overdue") if one[1] not in OTHERWISE]
    assert found == expected


def test_neighbourhoods_that_complain_of_the_same(scanned: pl.DataFrame, alerts: list) -> None:
    said = [one for one in alerts if one.rule == "clusters" and one.transition != "cleared"]
    found = [
        (one.at_ms, one.key, str(one.transition), one.evidence["operator"]["size"]) for one in said
    ]
    assert sorted(found) == scan.clusters(scanned)
