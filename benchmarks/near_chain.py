"""How many fixes a `near` rule takes on one core, through all its parts.

    python -m benchmarks.near_chain [--vehicles 2000] [--minutes 25] [--seed 1]

Vehicles stand or drive at random in 30 x 30 km, one fix a minute each, standing ones with a jitter
of 10 m. The rule asks for three within 200 m for 20 minutes, slower than 5 km/h.
"""

import argparse
import random
import time
from math import cos, radians

import orjson

from engine.chain import Chain
from engine.geo.distance import M_PER_DEGREE
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import DeclaredFile, LoadOptions, load_project

T0, LAT, HALF_M, BATCH = 1_772_413_200_000, 32.0, 15_000.0, 5_000
FILES = {
    "n/pack.yaml": "pack: near\ntitle: {zh: 近, en: Near}\nowner: o\nversion: '1.0'\n",
    "n/feeds/gps.yaml": """
feed: gps
title: {zh: 定位, en: Positions}
topic: feed.gps
format: json
key: car
id: [car, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 2m
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  car: text
  at: {type: time, format: epoch-ms}
  speed: {type: number, unit: km/h}
  lon: number
  lat: number
purpose: [speed]
""",
    "n/company.yaml": """
rule: company
title: {zh: 聚集, en: Company}
owner: o
severity: yellow
from: gps
by: car
when:
  near: {radius: 200 meters, count: 3, at_least: 20m, slower_than: 5 km/h,
         tolerate: {silent: 10m, outside: 2m}}
""",
}


def program() -> Program:
    declared = [DeclaredFile(path, text.encode()) for path, text in FILES.items()]
    loaded = load_project(declared, LoadOptions(lint=False))
    assert loaded.project is not None
    return compile_project(loaded.project)


def story(vehicles: int, minutes: int, standing: float, seed: int) -> list[Record]:
    rng = random.Random(seed)
    spots = [(rng.uniform(-HALF_M, HALF_M), rng.uniform(-HALF_M, HALF_M)) for _ in range(vehicles)]
    records: list[Record] = []
    for minute in range(minutes):
        for number, (east, north) in enumerate(spots):
            event = {
                "car": f"c{number}",
                "at": T0 + minute * 60_000 + number * 30_000 // vehicles,
                "speed": 0 if number < standing * vehicles else 50,
                "lon": 120.9 + (east + rng.uniform(-10, 10)) / (M_PER_DEGREE * cos(radians(LAT))),
                "lat": LAT + (north + rng.uniform(-10, 10)) / M_PER_DEGREE,
            }
            records.append(Record(len(records), orjson.dumps(event)))
    return records


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--vehicles", type=int, default=2000)
    words.add_argument("--minutes", type=int, default=25)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    made = program()
    print("standing   fixes    notes to cells   in company   changes   fixes/s a core")
    for standing in (0.0, 0.1, 0.3, 1.0):
        records = story(asked.vehicles, asked.minutes, standing, asked.seed)
        spaces, chain = Engine(made).spaces, Chain(made.spaces, keeps=False)
        spaces["car"].announce(SourceId("gps"))
        chain.announce(spaces)
        sent, changes, begun = dict.fromkeys(spaces, 0), 0, time.process_time()
        for start in range(0, len(records), BATCH):
            spaces["car"].ingest("gps", SourceId("gps"), records[start : start + BATCH])
            for name, outcome, _ in chain.advance(spaces, spaces):
                sent[name] += len(outcome.sent)
                changes += len(outcome.changes)
        spent = time.process_time() - begun
        notes = f"{sent['car']:14,}   {sent['place-2048m']:10,}   {changes:7,}"
        print(f"{standing:8.0%}   {len(records):,}   {notes}   {len(records) / spent:14,.0f}")


if __name__ == "__main__":
    main()
