"""Tables, zones and calendars that change under a running daemon: checked, swapped in, or not."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from reload_stage import AREA, FEED, LIMITS, TABLE, City, a_city, rule

FIRED = "fired"


def with_table(city: City, source: str) -> City:
    (city.rules / "tables").mkdir()
    (city.rules / "tables/limits.yaml").write_text(TABLE + source, "utf-8")
    city.edit("over-limit", LIMITS)
    city.edit("too-hot", rule("too-hot", 1000))
    return city


def put(path: Path, text: str) -> None:
    """Write a file in another's place, as editors do."""
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    beside.replace(path)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with a_city(tmp_path) as one:
        yield one


def test_an_edited_csv_is_live_and_a_broken_one_never_is(city: City) -> None:
    with_table(city, "file: limits.csv\n")
    rows = city.rules / "tables/limits.csv"
    rows.write_text("sensor,most\ns1,50\ns2,50\ns3,50\n", "utf-8")
    city.start()
    city.hot("s1", 40)
    city.hot("s1", 60)
    city.await_told(("over-limit", "s1", FIRED))
    seen = len(city.log())
    put(rows, "sensor,most\ns1,50\ns2,30\ns3,50\n")
    city.await_event("reloaded", seen)
    city.hot("s2", 40)
    city.await_told(("over-limit", "s2", FIRED))
    seen = len(city.log())
    put(rows, "sensor,most\ns1,50\ns2,thirty\ns3,30\n")
    told = city.await_event("reload-problem", seen)
    assert "limits.csv:3" in told["problem"]
    assert city.figure("forewarn_reload_refused") == 1
    city.hot("s3", 40)
    city.hot("s2", 60)
    city.hot("s1", 10)
    city.until(lambda: city.query("SELECT count(*) FROM changes") != [(0,)])
    assert ("over-limit", "s3", FIRED) not in city.told()
    refused = [line for line in city.log() if line["event"] == "reload-problem"]
    assert len(refused) == 1
    seen = len(city.log())
    put(rows, "sensor,most\ns1,50\ns2,30\ns3,30\n")
    city.await_event("reloaded", seen)
    assert city.figure("forewarn_reload_refused") == 0
    city.hot("s3", 41)
    city.await_told(("over-limit", "s3", FIRED))


def test_another_answer_of_a_database_is_live_and_a_restart_without_it_comes_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "register.db"
    link = sqlite3.connect(path)
    link.execute("CREATE TABLE limits (sensor text, most real)")
    link.execute("INSERT INTO limits VALUES ('s1', 50), ('s2', 50)")
    link.commit()
    databases = {"register": {"url": "sqlite:///register.db"}}
    with a_city(tmp_path, databases=databases) as city:
        with_table(city, 'sql: {database: register, query: "SELECT * FROM limits", refresh: 1s}\n')
        city.start()
        city.hot("s1", 60)
        city.await_told(("over-limit", "s1", FIRED))
        seen = len(city.log())
        link.execute("UPDATE limits SET most = 30 WHERE sensor = 's2'")
        link.commit()
        link.close()
        told = city.await_event("reloaded", seen)
        assert told["why"] == "answered"
        city.hot("s2", 40)
        city.await_told(("over-limit", "s2", FIRED))
        seen = len(city.log())
        path.rename(tmp_path / "away.db")
        city.await_event("table-not-answered", seen)
        city.stop()
        city.start()
        city.hot("s2", 10)
        city.hot("s3", 90)
        city.hot("s1", -1)
        city.await_told(("over-limit", "s1", "cleared"))
        assert ("over-limit", "s3", FIRED) not in city.told()


def yards(*ids: str, at: float = 120.0) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"id": one},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y] for x, y in square(at + number)]],
            },
        }
        for number, one in enumerate(ids)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def square(west: float) -> list[tuple[float, float]]:
    south, size = 32.0, 0.1
    return [
        (west, south), (west + size, south), (west + size, south + size),
        (west, south + size), (west, south),
    ]  # fmt: skip


def test_a_zone_that_is_moved_away_ends_the_stays_in_it(city: City) -> None:
    feed = FEED.replace("  temp: number", "  temp: number\n  lon: number\n  lat: number")
    feed = feed.replace("fields:", "position: {lon: lon, lat: lat, datum: wgs84}\nfields:")
    (city.rules / "feeds/sensors.yaml").write_text(feed, "utf-8")
    (city.rules / "zones").mkdir()
    layer = city.rules / "zones/yards.geojson"
    layer.write_text(yards("a"), "utf-8")
    city.edit("in-yard", AREA)
    city.start()
    at = 1_772_413_200_000

    def fixes(sensor: str, begin: int, end: int) -> None:
        lines = [
            json.dumps({"sensor": who, "t": at + 60_000 * n, "temp": 0, "lon": lon, "lat": 32.05})
            for n in range(begin, end)
            for who, lon in ((sensor, 120.05), ("clock", 10.0))
        ]
        with (city.folder / "in.jsonl").open("a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    fixes("s1", 0, 6)
    city.await_told(("in-yard", "s1", FIRED))
    seen = len(city.log())
    put(layer, yards("a", at=125.0))
    city.await_event("reloaded", seen)
    fixes("s1", 6, 10)
    city.await_told(("in-yard", "s1", "cleared"))
    seen = len(city.log())
    put(layer, yards("b", "a"))
    city.await_event("reloaded", seen)
    fixes("s2", 10, 16)
    city.await_told(("in-yard", "s2", FIRED))
