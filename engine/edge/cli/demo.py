"""`forewarn demo`: a simulated city through the real daemon into a receiver, in about a minute.

simulated city --HTTP--> daemon (a process of its own) --signed webhooks--> receiver, here
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError

from engine.edge.cli.card import Card, score
from engine.edge.cli.exits import Exit
from engine.edge.cli.receive import Inbox, serve
from engine.edge.cli.voice import voice
from engine.edge.files import shipped_packs
from engine.errors import EnvironmentUnusable
from engine.model.change import Change, Transition
from simulators import to_files
from simulators.scenario import World
from simulators.to_http import post_records
from simulators.worlds import make

CITY = {"vehicles": 16, "hours": 8.0, "projects": 24, "days": 150}
_SECONDS = 30
"""So long the city's records take to flow in, whatever their number."""
_QUIET_S = 4.0
_LONGEST_S = 120.0
_START_S = 30.0


def show(*, seed: int, keep: Path | None) -> int:
    """Run the demonstration; exit code 1 when an alert is missing or false."""
    speak = voice()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(TemporaryDirectory(prefix="forewarn-demo-")))
        world = make("city", seed=seed, **CITY)
        records = sum(1 for _ in world.items())
        to_files.write_truth(world, folder)
        speak.note(speak.say("demo-city", records=f"{records:,}", **CITY))
        packs = _packs(world, folder)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        card = Card.reading(packs)
        inbox = Inbox(secret, lambda change: speak.line(card.text(change)))
        receiver = stack.enter_context(_receiver(inbox))
        intake, operations = _free_port(), _free_port()
        _settings(folder, world, secret, receiver, intake, operations)
        speak.note(speak.say("demo-daemon", folder=folder))
        stack.enter_context(_daemon(folder, operations))
        speak.note(speak.say("demo-flows", seconds=_SECONDS))
        speak.line()
        post_records(world, f"http://127.0.0.1:{intake}", rate=records / _SECONDS)
        _until_quiet(inbox)
        return _close(inbox.changes, inbox.repeats, folder / "truth.jsonl")


def _close(changes: list[Change], repeats: int, truth: Path) -> int:
    """The last line: how many alerts, and how they compare with what really happened."""
    speak = voice()
    scored = score(changes, truth)
    fired = sum(change.transition is Transition.FIRED for change in changes)
    speak.line()
    speak.line(speak.say("demo-end", alerts=fired, repeats=repeats, **scored))
    perfect = scored["found"] == scored["hits"] and not scored["false"] and not scored["wrong"]
    return Exit.FINE if perfect else Exit.FAILED


def _packs(world: World, folder: Path) -> list[Path]:
    """The packs that come along, with the city's own rows in their tables."""
    home = folder / "packs"
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
    for file in shipped_packs():
        place = home / file.path.removeprefix("rules/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.raw)
    to_files.write_tables(world, folder)
    for table in (folder / "tables").glob("*.csv"):
        for declared in home.glob(f"*/tables/{table.stem}.yaml"):
            shutil.copy(table, declared.with_suffix(".csv"))
    return sorted(path.parent for path in home.glob("*/pack.yaml"))


def _settings(
    folder: Path, world: World, secret: str, receiver: int, intake: int, operations: int
) -> None:
    """A settings file as an operator would write it; JSON is YAML too."""
    url = f"http://127.0.0.1:{receiver}/"
    settings = {
        "packs": ["packs"],
        "data_folder": "data",
        "sources": {feed.name: {"kind": "http", "feed": feed.name} for feed in world.feeds},
        "sinks": {"console-webhook": {"kind": "webhook", "url": url, "secret": secret}},
        "http": {"port": intake},
        "metrics": {"port": operations},
        "log": {"format": "json"},
    }
    path = folder / "forewarn.yaml"
    path.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    path.chmod(0o600)


@contextmanager
def _receiver(inbox: Inbox) -> Iterator[int]:
    """A webhook receiver in this process; gives its port."""
    server = serve(0, inbox)
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _daemon(folder: Path, operations: int) -> Iterator[None]:
    """The daemon as a process of its own; ended gently."""
    log = folder / "daemon.log"
    command = [sys.executable, "-m", "engine", "run", str(folder), "--lang", voice().lang]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ)  # noqa: S603
        try:
            _until_ready(process, operations, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until the daemon says that it is ready."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
                if answer.status == 200:  # noqa: PLR2004
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    said = log.read_text("utf-8", "replace")[-2000:]
    raise EnvironmentUnusable(voice().say("demo-no-daemon", log=said))


def _until_quiet(inbox: Inbox) -> None:
    """Wait until no alert came for a while."""
    begun = time.monotonic()
    while time.monotonic() - begun < _LONGEST_S:
        now = time.monotonic()
        if now - max(inbox.last_s, begun) >= _QUIET_S:
            return
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
