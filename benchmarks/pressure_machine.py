"""The machine under workers, dispatcher and broker: a clock that is set, disks that are full.

The clock is Python's wall clock (`set_clock.py`, decision 29). Full disks are small file systems
in memory; mounting them needs root.
"""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

from benchmarks import set_clock
from benchmarks.cluster import own_cluster
from benchmarks.installation import DISPATCHER, Installation
from benchmarks.pressure_stage import WORKERS, Proof, Seen
from benchmarks.prove_embedded_faults import disk
from benchmarks.steady import figures_at
from benchmarks.streams import Sent

PIECES = 16
STEPS_S = (3600, 0, -3600, 0, 3600, -3600, 0)
"""By how much the clock is wrong, one after the other."""
HOLD_S, BROKER_HOLD_S = 5.0, 8.0
"""How long a disk stays full."""
BROKER_MB, PAGE = 160, 4096


def clock_set(proof: Proof) -> None:
    """Workers and dispatcher live with a clock that is set by an hour, back and forth."""
    report, seen, clock = proof.report, Seen(), proof.folder / "clock"
    set_clock.set_clock(clock, 0)

    async def act(stage: Installation) -> None:
        for number, some in enumerate(pieces(proof)):
            await stage.send(some)
            if number % 2 == 0 and number // 2 < len(STEPS_S):
                set_clock.set_clock(clock, STEPS_S[number // 2])
            await asyncio.sleep(0.5)

    report.head("The wall clock is set by an hour")
    found = proof.run("set-clock", act, seen, more={set_clock.VARIABLE: str(clock)}, delay_s=0.05)
    said = sum((proof.city.folder / f"set-clock/{name}.log").read_text().count("clock-stepped")
               for name in (*WORKERS, DISPATCHER))  # fmt: skip
    report.claim(f"{len(STEPS_S)} times while records flowed; the dispatcher, whose deliveries "
                 "have a time, noticed", said > 0, f"{said} steps logged")  # fmt: skip
    report.claim("no worker ended and no unit lost its memory", not (seen.ended or seen.lost),
                 f"{seen.ended}, {seen.lost}")  # fmt: skip
    proof.same(found)


def local_disk_full(proof: Proof) -> None:
    """The disk with the logs of all processes and the dispatcher's store is full, twice."""
    report, seen = proof.report, Seen()
    report.head("The disk under workers and dispatcher is full")
    report.say("A worker keeps nothing on a disk: state, positions and alerts are on Kafka. What "
               "is local are logs, and the dispatcher's store. For each place at which the daemon "
               "without a broker writes, see `make prove-embedded-faults`.")  # fmt: skip
    with disk(proof.folder / "small") as full:
        if not full.is_mounted:
            report.say("Not shown: mounting a file system needs root.")
            return

        def settle(stage: Installation) -> None:
            (full.folder / "data").mkdir()
            (stage.folder / "data").symlink_to(full.folder / "data")
            for name in (*WORKERS, DISPATCHER):
                (full.folder / f"{name}.log").touch()
                (stage.folder / f"{name}.log").symlink_to(full.folder / f"{name}.log")

        fallen: list[str] = []
        refused: list[float] = []

        async def act(stage: Installation) -> None:
            parts = pieces(proof)
            for number, some in enumerate(parts):
                await stage.send(some)
                if number in (PIECES // 4, PIECES // 2):
                    await _at_work(stage)
                    _pad(full.folder)
                    full.fill(None)
                    await asyncio.sleep(0.5)
                    stage.kill(WORKERS[number % 2])  # whoever takes over has much to say
                if number in (PIECES // 4 + 2, PIECES // 2 + 2):
                    await asyncio.sleep(HOLD_S)
                    refused.append(_blocked(proof))
                    report.say(f"Full for {HOLD_S:.0f} s: {_free(full.folder)} bytes free; alive: "
                               f"{_alive(stage)}; the dispatcher's forewarn_store_blocked: "
                               f"{refused[-1]:.0f}.")  # fmt: skip
                    full.free(None)
                    ended = [name for name, life in stage.lives.items() if life.code is not None]
                    fallen.extend(name for name in ended if name != WORKERS[number % 2])
                    for name in ended:
                        stage.start(name, "dispatcher" if name == DISPATCHER else "worker")
                await asyncio.sleep(0.3)

        found = proof.run("local-disk", act, seen, before=settle)
        went_on = (full.folder / f"{DISPATCHER}.log").read_text().count('"store-unblocked"')
        report.claim("the dispatcher told Prometheus that it could not write, and the log, once "
                     "that had room, that it can again", max(refused) == 1 and went_on > 0,
                     f"{sum(refused):.0f} of {len(refused)} times, {went_on} lines")  # fmt: skip
        report.claim("no process ended but those that were killed", not (fallen or seen.ended),
                     ", ".join(fallen) or seen.ended)  # fmt: skip
        proof.same(found)


def broker_disk_full(proof: Proof) -> None:
    """The broker's own disk is full: it dies, is given room, and is started again."""
    report, seen = proof.report, Seen()
    report.head("The broker's disk is full")
    with disk(proof.folder / "broker-small", BROKER_MB) as full:
        if not full.is_mounted:
            report.say("Not shown: mounting a file system needs root.")
            return
        with own_cluster(full.folder) as cluster:
            facts: list[str] = []

            async def act(stage: Installation) -> None:
                parts = pieces(proof)
                half = len(parts) // 2
                for some in parts[:half]:
                    await stage.send(some)
                    await asyncio.sleep(0.2)
                await _at_work(stage)
                full.fill(None)
                rest = [one for some in parts[half:] for one in some]
                sending = asyncio.create_task(stage.send(rest))
                await asyncio.sleep(BROKER_HOLD_S)
                died = not _lives(full.folder / "broker-1/node-1/pid")
                facts.append(f"alive after {BROKER_HOLD_S:.0f} s: {_alive(stage)}; "
                             f"the broker {'died' if died else 'lived on'}")  # fmt: skip
                full.free(None)
                begun = time.monotonic()
                if died:
                    await asyncio.to_thread(cluster.start)
                    facts.append(f"started again in {time.monotonic() - begun:.1f} s")
                await sending
                await stage.settled(proof.city.end_ms, timeout_s=120)
                facts.append(f"all done {time.monotonic() - begun:.1f} s after there was room")

            found = proof.run("broker-disk", act, seen, bootstrap=cluster.address)
    report.say("; ".join(facts) + ".")
    report.claim("no worker ended: they waited for the broker", not seen.ended, seen.ended)
    proof.same(found)


def pieces(proof: Proof) -> list[list[Sent]]:
    """The city's records in parts, to be sent one after the other."""
    records = proof.city.records
    step = len(records) // PIECES + 1
    return [records[start : start + step] for start in range(0, len(records), step)]


async def _at_work(stage: Installation) -> None:
    """Wait until both workers have work, and the dispatcher has delivered something."""
    for _ in range(600):
        if all('"assigned"' in stage.lives[name].said() for name in WORKERS) and stage.inbox.ids:
            return
        await asyncio.sleep(0.1)


def _pad(folder: Path) -> None:
    """Use up what room is left in the last page of each log."""
    for log in folder.glob("*.log"):
        with log.open("ab") as file:
            file.write(b" " * (-log.stat().st_size % PAGE - 1) + b"\n")


def _alive(stage: Installation) -> str:
    return ", ".join(name for name, life in stage.lives.items() if life.code is None)


def _blocked(proof: Proof) -> float:
    with suppress(OSError):
        return figures_at(proof.ports[DISPATCHER]).get(("forewarn_store_blocked", ""), 0.0)
    return 0.0


def _free(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def _lives(pid: Path) -> bool:
    """Whether this process is there, and not only its grave."""
    stat = Path(f"/proc/{pid.read_text().strip()}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
