"""City, county and town around a position, by outline and by parent; when a zone is open."""

import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geo.opening import is_open, spans_of
from engine.geo.regions import LEVELS, Regions, region_problems
from engine.geo.zones import ZoneSet
from engine.model.calendar import WorkCalendar

DATA = Path(os.environ.get("FOREWARN_DATA", Path(__file__).parents[3] / "shared" / "data"))


def feature(id_: str, shape: shapely.Geometry, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"id": id_, **properties},
        "geometry": json.loads(shapely.to_geojson(shape)),
    }


def layer(*features: dict[str, Any]) -> ZoneSet:
    zones, problems = ZoneSet.from_geojson(
        "regions", {"type": "FeatureCollection", "features": list(features)}
    )
    assert zones is not None, problems
    return zones


CITY = feature("32", shapely.box(120, 32, 124, 36), name="City", level="city")
EAST = feature("3201", shapely.box(122, 32, 124, 36), name="East", level="county", parent="32")
PORT = feature("320101", shapely.box(123, 33, 124, 34), name="Port", level="town", parent="3201")


def test_the_narrowest_region_counts_and_tells_what_it_lies_in() -> None:
    at = Regions(layer(CITY, EAST, PORT)).at(123.5, 33.5)
    assert at is not None
    told = {name: at[name] for name in ("code", "name", "city", "county", "town", "county_code")}
    assert told == {
        "code": "320101", "name": "Port", "city": "City", "county": "East", "town": "Port",
        "county_code": "3201",
    }  # fmt: skip


def test_a_county_without_towns_has_no_town() -> None:
    at = Regions(layer(CITY, EAST, PORT)).at(122.5, 35.0)
    assert at is not None
    assert (at["name"], at.get("town"), at["city"]) == ("East", None, "City")


def test_outside_everything_there_is_no_region() -> None:
    assert Regions(layer(CITY, EAST, PORT)).at(10.0, 10.0) is None


def test_a_parent_wins_over_an_outline() -> None:
    west = feature("3202", shapely.box(120, 32, 124, 36), name="West", level="county", parent="32")
    at = Regions(layer(CITY, EAST, west, PORT)).at(123.5, 33.5)
    assert at is not None
    assert at["county"] == "East"


def test_without_parents_the_outlines_tell() -> None:
    town = feature("9", shapely.box(123, 33, 124, 34), name="Port", level="town")
    at = Regions(layer(CITY, EAST, town)).at(123.5, 33.5)
    assert at is not None
    assert (at["county"], at["city"]) == ("East", "City")


def test_a_flat_layer_says_itself_what_it_lies_in() -> None:
    flat = feature("9", shapely.box(0, 0, 1, 1), name="Port", county="East", town="Port")
    at = Regions(layer(flat)).at(0.5, 0.5)
    assert at is not None
    assert (at["county"], at["town"], at["code"]) == ("East", "Port", "9")


STEP = 0.01
boxes = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 6), st.sampled_from(LEVELS))
positions = st.tuples(st.integers(0, 28), st.integers(0, 28)).map(
    lambda one: (one[0] / 2 + 0.25, one[1] / 2 + 0.25)
)


@settings(max_examples=500, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=7), positions)
def test_every_level_is_a_region_that_holds_the_position(
    shapes: list[tuple[int, int, int, str]], where: tuple[float, float]
) -> None:
    zones = layer(
        *(
            feature(
                str(n),
                shapely.box(x * STEP, y * STEP, (x + size) * STEP, (y + size) * STEP),
                name=f"z{n}",
                level=level,
            )
            for n, (x, y, size, level) in enumerate(shapes)
        )
    )
    holding = {
        f"z{n}": level
        for n, (x, y, size, level) in enumerate(shapes)
        if x < where[0] < x + size and y < where[1] < y + size
    }
    at = Regions(zones).at(where[0] * STEP, where[1] * STEP)
    if not holding:
        assert at is None
        return
    assert at is not None
    narrowest = max(LEVELS.index(level) for level in holding.values())
    assert LEVELS.index(holding[at["name"]]) == narrowest
    for number, level in enumerate(LEVELS):
        of_level = {name for name, one in holding.items() if one == level}
        if number <= narrowest:
            assert at.get(level) in of_level or (not of_level and level not in at)
        else:
            assert level not in at


def test_levels_and_parents_that_do_not_fit_are_told() -> None:
    wrong = layer(
        CITY,
        feature("1", shapely.box(120, 32, 121, 33), level="contry"),
        feature("2", shapely.box(120, 32, 121, 33), level="county", parent="33"),
        feature("3", shapely.box(120, 32, 121, 33), level="county", parent="2"),
        feature("4", shapely.box(0, 0, 1, 1), level="county", parent="32"),
    )
    found = [(one.code, one.nearest) for one in region_problems(wrong, "regions.geojson")]
    assert found == [("R640", "county"), ("R641", "3"), ("R642", ""), ("W272", "")]


@pytest.mark.skipif(not DATA.is_dir(), reason="no recordings (FOREWARN_DATA)")
def test_the_outlines_of_nantong_in_three_levels() -> None:
    outlines = json.loads((DATA / "nantong-counties-2019.geojson").read_text("utf-8"))
    counties = {
        one["properties"]["id"]: (
            one["properties"]["name"],
            shapely.make_valid(shapely.from_geojson(json.dumps(one["geometry"]))),
        )
        for one in outlines["features"]
    }
    whole = shapely.union_all([shape for _, shape in counties.values()])
    features = [feature("3206", whole, name="南通市", level="city")]
    features += [
        feature(code, shape, name=name, level="county", parent="3206")
        for code, (name, shape) in counties.items()
    ]
    with (DATA / "nantong-streets.csv").open(encoding="utf-8-sig") as file:
        towns = list(csv.DictReader(file))
    centres = {}
    for code in ("320623", "320681", "320682"):  # their codes have not changed since
        name, shape = counties[code]
        centre = shapely.point_on_surface(shape)
        first = next(one for one in towns if one["areaCode"] == code)
        spot = shapely.intersection(centre.buffer(0.01), shape)
        features.append(feature(first["code"], spot, name=first["name"], level="town", parent=code))
        centres[name, first["name"]] = (centre.x, centre.y)
    regions = Regions(layer(*features))
    assert region_problems(layer(*features), "regions.geojson") == []
    for (county, town), where in centres.items():
        at = regions.at(*where)
        assert at is not None
        assert (at["city"], at["county"], at["town"]) == ("南通市", county, town)
    for code, (name, shape) in counties.items():
        spot = shapely.point_on_surface(shape)
        at = regions.at(spot.x, spot.y)
        assert at is not None
        assert (at["city"], at["county"], at["county_code"]) == ("南通市", name, code)


def at_ms(text: str) -> int:
    return round(datetime.fromisoformat(text + "+08:00").astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "calendar", "moment", "open_"),
    [
        ("08:00-12:00, 14:00-18:00", "cn", "2026-03-02 08:00", True),
        ("08:00-12:00, 14:00-18:00", "cn", "2026-03-02 07:59:59", False),
        ("08:00-12:00, 14:00-18:00", "cn", "2026-03-02 12:00", False),
        ("08:00-12:00, 14:00-18:00", "cn", "2026-03-02 17:59:59", True),
        ("08:00-18:00", "cn", "2026-03-01 10:00", False),
        ("08:00-18:00", "cn", "2026-02-28 10:00", True),
        ("22:00-06:00", "all-days", "2026-03-01 05:59:59", True),
        ("22:00-06:00", "all-days", "2026-03-01 06:00", False),
        ("00:00-24:00", "all-days", "2026-03-01 23:59:59", True),
    ],
    ids=str,
)
def test_a_zone_is_open_in_its_hours_on_the_days_of_its_calendar(
    hours: str, calendar: str, moment: str, open_: bool
) -> None:
    calendars = {"cn": WorkCalendar.china(), "all-days": WorkCalendar.every_day()}
    attributes = {"hours": hours, "calendar": calendar}
    assert is_open(attributes, calendars, at_ms(moment)) is open_


def test_a_zone_without_hours_is_neither_open_nor_shut() -> None:
    assert is_open({}, {}, 0) is None


@pytest.mark.parametrize("text", ["8-12", "08:00", "24:00-25:00", "08:00-08:00", "", 8, None])
def test_hours_that_are_none(text: object) -> None:
    assert spans_of(text) is None
