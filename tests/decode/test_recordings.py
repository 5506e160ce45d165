"""Real recordings decode as their authors describe them (skipped where the folder is missing)."""

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest

from engine.decode.record import Bad, FeedDecoder
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType, HygieneSpec, PositionSpec, TimeSpec

DATA = Path(os.environ.get("FOREWARN_DATA", "../shared/data"))

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of recordings at {DATA}"),
]


def feed(key: str, time: TimeSpec, *fields: FieldSpec, **more: object) -> FeedSpec:
    named = {field.name: field for field in fields}
    return FeedSpec("recording", "feed.recording", "csv", (key,), time, named, **more)  # type: ignore[arg-type]


BUSES = feed(
    "vehicle_id",
    TimeSpec("timestamp", "iso8601"),
    FieldSpec("speed", FieldType.NUMBER, unit="m/s", optional=True),
    position=PositionSpec("longitude", "latitude", "wgs84"),
    hygiene=HygieneSpec(drop=frozenset({"null-island"})),
)
SHIPS = feed(
    "MMSI",
    TimeSpec("BaseDateTime", "iso8601", "UTC"),
    FieldSpec("SOG", FieldType.NUMBER, unit="kn"),
    FieldSpec("Status", FieldType.TEXT, optional=True),
    position=PositionSpec("LON", "LAT", "wgs84"),
)
CALLS = feed(
    "id",
    TimeSpec("created", "%m/%d/%Y %I:%M:%S %p", "America/New_York"),
    FieldSpec("id", FieldType.TEXT, wire="Unique Key"),
    FieldSpec("created", FieldType.TIME, wire="Created Date"),
    FieldSpec(
        "closed",
        FieldType.TIME,
        wire="Closed Date",
        optional=True,
        format="%m/%d/%Y %I:%M:%S %p",
        zone="America/New_York",
    ),
)


@pytest.mark.parametrize(
    ("file", "spec", "rows", "bad"),
    [
        pytest.param(
            "austin-bus-gps-2017-03-16", BUSES, 36_271, {"null-island": 2}, id="buses of a day"
        ),
        pytest.param("ny-harbor-ais-2020-06-30", SHIPS, 8_689, {}, id="ships of an hour"),
        pytest.param("nyc-311-two-types", CALLS, 5_895, {}, id="complaints of years"),
    ],
)
def test_recordings_decode(file: str, spec: FeedSpec, rows: int, bad: dict[str, int]) -> None:
    with gzip.open(DATA / f"{file}.csv.gz") as lines:
        decoder = FeedDecoder(spec).csv(next(lines))
        said = [decoder.decode(line) for line in lines]
    assert len(said) == rows
    assert Counter(answer.reason for answer in said if isinstance(answer, Bad)) == bad
