"""Terminals that call a gateway: JT/T 808 vehicles that report until each report is answered.

A terminal shows its code, sends a report, waits for the answer with result 0 and goes on; a report
without an answer is sent again, after a new call where the line broke. Some of its frames are
damaged on the way (the checksum is wrong), as on a real line; the report is then sent again.

    python -m simulators.terminals --port 8808 --terminals 100 --reports 20
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))
FIRST = 13_900_000_000
_LOCATION, _AUTHENTICATE, _GENERAL = 0x0200, 0x0102, 0x8001
_ANSWER_S, _AGAIN_S = 10.0, 0.2


def frame(kind: int, number: str, serial: int, body: bytes) -> bytes:
    """A message of the 2013 version between its flags."""
    inner = kind.to_bytes(2) + len(body).to_bytes(2) + bytes.fromhex(number.rjust(12, "0"))
    inner += serial.to_bytes(2) + body
    total = 0
    for byte in inner:
        total ^= byte
    sent = bytearray()
    for byte in (*inner, total):
        sent += {0x7D: b"\x7d\x01", 0x7E: b"\x7d\x02"}.get(byte, bytes([byte]))
    return b"\x7e" + bytes(sent) + b"\x7e"


def position(at: datetime, lon: float, lat: float, kmh: float) -> bytes:
    """The body of a location report: located, engine on."""
    time = bytes.fromhex(at.astimezone(BEIJING).strftime("%y%m%d%H%M%S"))
    numbers = (0, 3, round(lat * 1e6), round(lon * 1e6))
    head = b"".join(number.to_bytes(4) for number in numbers)
    return head + (10).to_bytes(2) + round(kmh * 10).to_bytes(2) + (90).to_bytes(2) + time


@dataclass(slots=True)
class Answers:
    """Cuts what comes into answers; nothing else is looked at."""

    rest: bytes = b""

    def take(self, data: bytes) -> list[tuple[int, int, int]]:
        """Serial, kind and result of every general answer."""
        *pieces, self.rest = (self.rest + data).split(b"\x7e")
        found = []
        for piece in filter(None, pieces):
            plain = piece.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
            if int.from_bytes(plain[:2]) == _GENERAL:
                body = plain[12:17]
                found.append((int.from_bytes(body[:2]), int.from_bytes(body[2:4]), body[4]))
        return found


@dataclass(slots=True)
class Fleet:
    """What all terminals of a run did together.

    Attributes:
        acknowledged: Number and serial of every report that was answered with 0.
        counts: Reports sent, sent again, damaged, calls made.

    """

    host: str
    port: int
    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    waits_s: list[float] = field(default_factory=list)

    async def drive(self, count: int, reports: int, *, damaged: float = 0.0, seed: int = 7) -> None:
        """Let so many terminals send so many reports each."""
        drivers = [
            Terminal(self, str(FIRST + n), random.Random(f"{seed}/{n}"), damaged)
            for n in range(count)
        ]
        await asyncio.gather(*(one.drive(reports) for one in drivers))


class Terminal:
    """One vehicle."""

    def __init__(
        self,
        fleet: Fleet,
        number: str,
        chance: random.Random,
        damaged: float = 0.0,
        serial: int = 0,
    ) -> None:
        """A terminal that sent `serial` reports before."""
        self.fleet, self.number, self.chance, self.damaged = fleet, number, chance, damaged
        self._serial = serial

    async def drive(self, reports: int) -> None:
        """Send reports 1 to `reports`, each until it is answered."""
        while self._serial < reports:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._call(reports)
            if self._serial < reports:
                await asyncio.sleep(_AGAIN_S * self.chance.uniform(0.5, 2))

    async def _call(self, reports: int) -> None:
        self.fleet.counts["calls"] += 1
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(self.fleet.host, self.fleet.port)
        try:
            answers = Answers()
            hello = frame(_AUTHENTICATE, self.number, 0, b"code")
            await self._until_answered(reader, writer, answers, hello, (0, _AUTHENTICATE))
            while self._serial < reports:
                await self._report(reader, writer, answers)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _report(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answers
    ) -> None:
        serial = self._serial + 1
        at = self.fleet.begun + timedelta(seconds=serial)
        body = position(at, 120.8 + self.chance.random(), 32 + self.chance.random(), 60.0)
        good = frame(_LOCATION, self.number, serial, body)
        if self.chance.random() < self.damaged:
            self.fleet.counts["damaged"] += 1
            place = good.index(body[:4])  # no alarm: zero bytes, one of which is no zero now
            writer.write(good[:place] + b"\x01" + good[place + 1 :])
        begun = asyncio.get_running_loop().time()
        self.fleet.counts["sent"] += 1
        await self._until_answered(reader, writer, answers, good, (serial, _LOCATION))
        self.fleet.waits_s.append(asyncio.get_running_loop().time() - begun)
        self.fleet.acknowledged.add((self.number, serial))
        self._serial = serial

    async def _until_answered(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: Answers,
        sent: bytes,
        wanted: tuple[int, int],
    ) -> None:
        """Send until the answer is 0; the line may break meanwhile."""
        writer.write(sent)
        while True:
            async with asyncio.timeout(_ANSWER_S):
                data = await reader.read(4096)
            if not data:
                raise ConnectionResetError
            for serial, kind, result in answers.take(data):
                if (serial, kind) != wanted:
                    continue
                if result == 0:
                    return
                await asyncio.sleep(_AGAIN_S)
                self.fleet.counts["sent again"] += 1
                writer.write(sent)


def main(argv: Sequence[str] | None = None) -> int:
    """Drive a fleet; prints what it did."""
    parser = argparse.ArgumentParser("simulators.terminals", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8808)
    parser.add_argument("--terminals", type=int, default=10)
    parser.add_argument("--reports", type=int, default=10)
    parser.add_argument("--damaged", type=float, default=0.0, help="share of damaged frames")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args(argv)
    fleet = Fleet(asked.host, asked.port)
    asyncio.run(fleet.drive(asked.terminals, asked.reports, damaged=asked.damaged, seed=asked.seed))
    print(f"acknowledged {len(fleet.acknowledged)}, {dict(fleet.counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
