"""`forewarn demo`: a simulated city through the real daemon into a receiver, in about a minute.

simulated city --HTTP---> daemon (a process of its own) ----------signed webhooks--> receiver
simulated city --Kafka--> two workers --alerts topic--> dispatcher --signed webhooks--> receiver
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from engine.edge.cli.card import Card, score
from engine.edge.cli.demo_stage import (
    broker,
    free_port,
    process,
    receiver,
    until_quiet,
    write_packs,
    write_settings,
)
from engine.edge.cli.exits import Exit
from engine.edge.cli.receive import Inbox
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.model.change import Change, Transition
from simulators import to_files
from simulators.scenario import World
from simulators.to_http import post_records
from simulators.to_kafka import produce_records
from simulators.worlds import make

CITY: Mapping[str, Any] = {"vehicles": 16, "hours": 8.0, "projects": 24, "days": 150}
SECONDS = 30
"""So long the city's records take to flow in, whatever their number."""
_QUIET_S, _KAFKA_QUIET_S, _LONGEST_S = 4.0, 12.0, 120.0
_PARTITIONS = 3


class Desk(NamedTuple):
    """Where alerts arrive: port, signing secret and the box they fall into."""

    port: int
    secret: str
    inbox: Inbox


def show(
    *,
    seed: int,
    keep: Path | None,
    kafka: bool,
    city: Mapping[str, Any] = CITY,
    seconds: int = SECONDS,
) -> int:
    """Run the demonstration; exit code 1 when an alert is missing or false."""
    speak = voice()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(TemporaryDirectory(prefix="forewarn-demo-")))
        world = make("city", seed=seed, **city)
        records = sum(1 for _ in world.items())
        try:
            folder.mkdir(parents=True, exist_ok=True)
            to_files.write_truth(world, folder)
        except OSError as error:
            sentence = speak.say("init-unwritable", path=folder, why=error.strerror)
            raise EnvironmentUnusable(sentence) from error
        speak.note(speak.say("demo-city", records=f"{records:,}", **city))
        write_packs(world, folder)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        card = Card()
        inbox = Inbox(secret, lambda change: speak.line(card.text(change)))
        port = stack.enter_context(receiver(inbox))
        flow = _on_kafka if kafka else _on_one_machine
        flow(stack, folder, world, records / seconds, Desk(port, secret, inbox))
        return _close(inbox.changes, inbox.repeats, folder / "truth.jsonl")


def _on_one_machine(stack: ExitStack, folder: Path, world: World, rate: float, desk: Desk) -> None:
    """The embedded daemon with an HTTP intake."""
    speak, intake = voice(), free_port()
    sources = {feed.name: {"kind": "http", "feed": feed.name} for feed in world.feeds}
    write_settings(folder, desk.port, desk.secret, {"sources": sources, "http": {"port": intake}})
    speak.note(speak.say("demo-daemon", folder=folder))
    stack.enter_context(process(folder, "daemon"))
    speak.note(speak.say("demo-flows"))
    speak.line()
    post_records(world, f"http://127.0.0.1:{intake}", rate=rate)
    until_quiet(desk.inbox, _QUIET_S, _LONGEST_S)


def _on_kafka(stack: ExitStack, folder: Path, world: World, rate: float, desk: Desk) -> None:
    """Two workers and a dispatcher on a broker of our own."""
    speak = voice()
    speak.note(speak.say("demo-broker"))
    address = stack.enter_context(broker(folder))
    kafka = {"broker": f"kafka://{address}", "kafka": {"partitions": _PARTITIONS}}
    write_settings(folder, desk.port, desk.secret, kafka)
    speak.note(speak.say("demo-workers", address=address, folder=folder))
    roles: Sequence[tuple[str, str]] = (
        ("dispatcher", "dispatcher"),
        ("worker-1", "worker"),
        ("worker-2", "worker"),
    )
    for name, role in roles:
        stack.enter_context(process(folder, name, ["--role", role]))
    speak.note(speak.say("demo-flows-kafka"))
    speak.line()
    produce_records(world, address, rate=rate, partitions=_PARTITIONS)
    until_quiet(desk.inbox, _KAFKA_QUIET_S, _LONGEST_S)


def _close(changes: list[Change], repeats: int, truth: Path) -> int:
    """The last line: how many alerts, and how they compare with what really happened."""
    speak = voice()
    scored = score(changes, truth)
    fired = sum(change.transition is Transition.FIRED for change in changes)
    speak.line()
    speak.line(speak.say("demo-end", alerts=fired, repeats=repeats, **scored))
    perfect = scored["found"] == scored["hits"] and not scored["false"] and not scored["wrong"]
    return Exit.FINE if perfect else Exit.FAILED
