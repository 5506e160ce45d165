"""Worlds go to files, to an HTTP intake and to a broker, at the rate asked for."""

import asyncio
import csv
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from simulators.__main__ import main
from simulators.scenario import Item
from simulators.to_files import read_truth
from simulators.to_http import Intake, IntakeError, post_records
from simulators.to_kafka import _sends
from simulators.worlds import make

SIZES = {"vehicles": 3, "hours": 1.0, "seed": 5}


def test_files_hold_the_world_its_tables_its_truth_and_its_card(tmp_path, capsys):
    options = ["--vehicles", "3", "--hours", "1", "--seed", "5"]
    assert main(["fleet", *options, "--out", str(tmp_path), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card == json.loads((tmp_path / "world.json").read_text("utf-8"))
    lines = (tmp_path / "vehicle-gps.jsonl").read_bytes().splitlines()
    world = make("fleet", **SIZES)
    assert lines == [item.value for item in world.items()]
    assert card["records"] == {"vehicle-gps": len(lines)}
    with (tmp_path / "tables" / "waybills.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [
            {name: str(value) for name, value in row.items()} for row in world.tables()["waybills"]
        ]
    truth = read_truth(tmp_path / "truth.jsonl")
    assert [story["story"] for story in truth] == [story.story for story in world.stories()]
    assert sum(card["stories"].values()) == len(truth)


def test_a_rate_is_kept(tmp_path):
    count = sum(1 for _ in make("fleet", **SIZES).items())
    begun = time.monotonic()
    arguments = ["--vehicles", "3", "--hours", "1", "--seed", "5", "--out", str(tmp_path)]
    main(["fleet", *arguments, "--rate", str(count * 2)])
    assert 0.35 < time.monotonic() - begun < 5


def test_a_calendar_that_ends_is_said_in_one_sentence(tmp_path, capsys):
    arguments = ["payroll", "--start", "2026-09-01T00:00:00+08:00", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "2026" in capsys.readouterr().err


class _Answers(BaseHTTPRequestHandler):
    """An intake that is busy first, takes no more than 100 lines, and refuses one feed."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        if server.busy:
            server.busy -= 1
            self._answer(429, {"Retry-After": "0.02"})
        elif self.path.endswith("refused"):
            self._answer(422)
        elif body.count(b"\n") > 100:
            self._answer(413)
        else:
            server.taken.append((self.path, body))
            self._answer(202)

    def _answer(self, status, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class _Server(HTTPServer):
    busy = 2

    def __init__(self):
        self.taken: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Answers)


@pytest.fixture
def intake():
    server = _Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_records_are_posted_in_order_whatever_the_intake_answers(intake):
    world = make("fleet", **SIZES)
    counts = post_records(world, f"http://127.0.0.1:{intake.server_port}/")
    sent = [item.value for item in world.items()]
    assert counts == {"vehicle-gps": len(sent)}
    assert {path for path, _ in intake.taken} == {"/feeds/vehicle-gps"}
    assert b"".join(body for _, body in intake.taken).splitlines() == sent
    assert intake.busy == 0


def test_a_refused_batch_ends_the_run_with_the_reason(intake):
    sender = Intake(f"http://127.0.0.1:{intake.server_port}")
    with pytest.raises(IntakeError, match="answered 422 for feed 'refused'"):
        sender.send("refused", [Item(0, 0, "refused", "k", b"{}")])
    sender.close()


def test_an_address_without_http_is_refused():
    with pytest.raises(IntakeError, match="not an http address"):
        Intake("127.0.0.1:8000")


class _Producer:
    """Notes what would be sent."""

    def __init__(self):
        self.sent = []

    async def send(self, topic, value, key=None, partition=None, timestamp_ms=None):
        self.sent.append((topic, value, key, partition, timestamp_ms))


def test_a_heartbeat_goes_to_every_partition_and_a_record_to_that_of_its_key():
    producer = _Producer()
    topics, shares = {"gps": "feed.gps"}, {"gps": {0, 1, 2}}

    async def send():
        for item in (Item(7, 5, "gps", "car", b"a"), Item(9, 8, "gps", "", b"w")):
            for one in _sends(producer, topics, shares, item):
                await one

    asyncio.run(send())
    assert producer.sent == [
        ("feed.gps", b"a", b"car", None, 7),
        ("feed.gps", b"w", None, 0, 9),
        ("feed.gps", b"w", None, 1, 9),
        ("feed.gps", b"w", None, 2, 9),
    ]
