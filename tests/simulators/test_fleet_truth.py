"""The fleet's truth against a brute-force reading of its records, knowing nothing of the script."""

import json
import math
from collections import defaultdict
from datetime import datetime
from itertools import pairwise

import pytest

from simulators.area import layers
from simulators.fleet import Fleet
from simulators.fleet_plots import DWELL, OVERSTAY

MINUTE = 60_000
RADIUS, OUTSIDE, SILENT = 150.0, 3 * MINUTE, 5 * MINUTE


def apart(one, other):
    """Metres between two fixes on a locally flat earth."""
    scale = 6_371_008.8 * math.pi / 180
    middle = math.radians((one["lat"] + other["lat"]) / 2)
    east = (one["lon"] - other["lon"]) * scale * math.cos(middle)
    return math.hypot(east, (one["lat"] - other["lat"]) * scale)


def boxes(layer):
    """Each zone of a layer as west, south, east, north."""
    found = {}
    for feature in layers()[layer]["features"]:
        ring = feature["geometry"]["coordinates"][0]
        lons, lats = [lon for lon, _ in ring], [lat for _, lat in ring]
        found[feature["properties"]["id"]] = (min(lons), min(lats), max(lons), max(lats))
    return found


def zone_at(zones, fix):
    for name, (west, south, east, north) in zones.items():
        if west <= fix["lon"] <= east and south <= fix["lat"] <= north:
            return name
    return None


def stays(fixes, limit, holds):
    """Brute force: from each slow fix on, how long does it hold? Answers (since, fire, anchor)."""
    found, first = [], 0
    while first < len(fixes):
        anchor = fixes[first]
        if anchor["speed"] >= 5 or not holds(anchor, anchor):
            first += 1
            continue
        fired, last, out = None, anchor["t"], None
        index = first + 1
        while index < len(fixes):
            fix = fixes[index]
            due = anchor["t"] + limit
            if fired is None and out is None and last < due < fix["t"] and due - last <= SILENT:
                fired = due
            if fix["speed"] >= 5:
                break
            if holds(anchor, fix):
                out, last = None, fix["t"]
                if fired is None and fix["t"] >= due:
                    fired = fix["t"]
            else:
                out = fix["t"] if out is None else out
                last = fix["t"]
                if fix["t"] - out > OUTSIDE:
                    break
            index += 1
        if fired is not None:
            found.append((anchor["t"], fired, anchor))
            first = index
        else:
            first += 1
    return found


@pytest.fixture(scope="module", params=[(1, 25), (2, 25)], ids=["seed-1", "seed-2"])
def world(request):
    seed, vehicles = request.param
    return Fleet(seed=seed, vehicles=vehicles, hours=24.0, datum="wgs84")


def read(world):
    tracks = defaultdict(list)
    for item in world.items():
        if item.key:
            fix = json.loads(item.value)
            stamp = datetime.fromisoformat(fix["gps_time"] + "+08:00")
            fix["t"] = int(stamp.timestamp() * 1000)
            assert fix["t"] == item.time_ms
            tracks[item.key].append(fix)
    return tracks


def waybills(world):
    rows = defaultdict(list)
    for row in world.tables()["waybills"]:
        spans = [datetime.fromisoformat(f"{row[name]}+08:00") for name in ("depart", "return")]
        begin, end = (int(moment.timestamp() * 1000) for moment in spans)
        rows[row["vehicle"]].append((begin, end, row["destination_zone"]))
    return rows


def test_a_brute_force_scan_finds_the_dwell_stories_and_nothing_else(world):
    licensed, service, customers = map(boxes, ("licensed-sites", "service-areas", "customer-sites"))
    orders, found = waybills(world), set()
    for vehicle, track in read(world).items():
        if track[0]["hazard_class"] is None:
            continue
        for since, fire, anchor in stays(track, 30 * MINUTE, lambda a, b: apart(a, b) <= RADIUS):
            goal = [zone for begin, end, zone in orders[vehicle] if begin <= fire < end]
            here = zone_at(customers, anchor)
            excused = zone_at(licensed, anchor) or zone_at(service, anchor)
            if (
                excused
                or anchor["load"] == "empty"
                or (here and here in goal)
                or fire >= world.end_ms
            ):
                continue
            found.add((vehicle, since, fire))
    told = {
        (s.key, s.since_ms, s.fire_ms) for s in world.stories() if s.rule == DWELL and s.fire_ms
    }
    assert len(told) > 40
    assert found == told


def test_a_brute_force_scan_finds_the_overstays_and_nothing_else(world):
    service, found = boxes("service-areas"), set()

    def same(one, other):
        return (zone := zone_at(service, one)) is not None and zone == zone_at(service, other)

    for vehicle, track in read(world).items():
        if track[0]["hazard_class"] is not None:
            found |= {
                (vehicle, since, fire)
                for since, fire, _ in stays(track, 120 * MINUTE, same)
                if fire < world.end_ms
            }
    told = {
        (s.key, s.since_ms, s.fire_ms) for s in world.stories() if s.rule == OVERSTAY and s.fire_ms
    }
    assert len(told) > 5
    assert found == told


def test_vehicles_drive_at_plausible_speeds(world):
    for track in read(world).values():
        for one, other in pairwise(track):
            pace = apart(one, other) / ((other["t"] - one["t"]) / 1000) * 3.6
            assert pace < 90


def test_waybills_of_a_vehicle_do_not_overlap(world):
    for rows in waybills(world).values():
        rows.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(rows))
