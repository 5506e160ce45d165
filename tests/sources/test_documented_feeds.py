"""The feeds of the page on gateways take what the gateways give."""

import re
from pathlib import Path

import orjson
import pytest

from connectors.protocols import Garbled, hj212, jtt808, nmea
from connectors.protocols.jtt808_bodies import read_position, read_positions
from engine.decode.record import Bad, FeedDecoder
from engine.ruleset.compile import compile_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile

PAGE = Path(__file__).parents[2] / "docs/gateways.md"
VECTORS = Path(__file__).parent / "vectors"
PACK = b"pack: page\ntitle: {en: Page, zh: Page}\nowner: docs\nversion: 0.1.0\n"
RULE = """
rule: any-{feed}
title: {{en: Any, zh: 任意}}
owner: docs
severity: blue
from: {feed}
by: {key}
when: {{match: {{condition: {condition}}}}}
annotations: {{summary: {{en: any, zh: 任意}}}}
"""
READS = {
    "vehicle-positions": ("terminal", "speed > 1 km/h and located and alarm > 0 and serial > 0"),
    "site-monitors": ("monitor", "tsp > 1 ug/m3 or pm10 > 1 ug/m3 or noise > 1"),
    "ship-positions": ("mmsi", "speed > 1 kn and course > 1"),
}


@pytest.fixture(scope="module")
def decoders() -> dict[str, FeedDecoder]:
    """The feeds of the page, each read by a rule."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    files = [DeclaredFile("page/pack.yaml", PACK)]
    for block in blocks:
        name = block.split("\n", 1)[0].removeprefix("feed: ")
        files.append(DeclaredFile(f"page/feeds/{name}.yaml", block.encode()))
        key, condition = READS[name]
        rule = RULE.format(feed=name, key=key, condition=condition)
        files.append(DeclaredFile(f"page/any-{name}.yaml", rule.encode()))
    loaded = load_project(files, LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    return {name: one.decoder for name, one in compile_project(loaded.project).feeds.items()}


def lines(name: str) -> list[list[str]]:
    found = (VECTORS / name).read_text().splitlines()
    return [line.split(" ", 3 if name.startswith("jtt") else 1) for line in found if line[0] != "#"]


def test_positions_of_other_programs_fit_the_feed_of_vehicles(
    decoders: dict[str, FeedDecoder],
) -> None:
    taken = 0
    for source, kind, _, frame in lines("jtt808.txt"):
        if kind not in {"0200", "0704"} or source == "yezhihao":  # its latitude is a longitude
            continue
        (message,) = jtt808.Frames().take(bytes.fromhex(frame))
        assert isinstance(message, jtt808.Message)
        for record in (read_position if kind == "0200" else read_positions)(message):
            found = decoders["vehicle-positions"].decode(orjson.dumps(record))
            assert isinstance(record, dict)
            if not record["located"]:
                assert isinstance(found, Bad)
                assert found.reason == "not-located"
                continue
            assert not isinstance(found, Bad), found
            taken += 1
    assert taken >= 5


def test_readings_of_other_programs_fit_the_feed_of_monitors(
    decoders: dict[str, FeedDecoder],
) -> None:
    taken = 0
    for _, frame in lines("hj212.txt"):
        (packet,) = hj212.Frames().take(f"{frame}\r\n".encode())
        assert isinstance(packet, hj212.Packet)
        if packet.cn not in hj212.KINDS:
            continue
        record = hj212.read_readings(packet, packet.cp)
        assert not isinstance(record, Garbled)
        found = decoders["site-monitors"].decode(orjson.dumps(record))
        assert not isinstance(found, Bad), found
        taken += 1
    assert taken >= 8


def test_sentences_fit_the_feed_of_ships(decoders: dict[str, FeedDecoder]) -> None:
    line = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C\n"
    (heard,) = nmea.Sentences().take(line, 1_600_000_000_000)
    assert isinstance(heard, nmea.Heard)
    found = decoders["ship-positions"].decode(orjson.dumps(heard.record))
    assert not isinstance(found, Bad), found
