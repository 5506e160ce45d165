"""What a demonstration needs around it: packs and tables of a city, receiver, processes, broker."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from engine.edge.cli.receive import Inbox, serve
from engine.edge.cli.voice import voice
from engine.edge.files import shipped_packs
from engine.errors import EnvironmentUnusable
from simulators import to_files
from simulators.scenario import World

_START_S = 60.0
_STOP_S = 20.0
_BROKER = Path(__file__).resolve().parents[3] / "tests" / "broker" / "kafka.py"


def write_packs(world: World, folder: Path) -> list[Path]:
    """The packs that come along, with the city's own rows in their tables."""
    home = folder / "packs"
    for old in (home, folder / "data"):
        shutil.rmtree(old, ignore_errors=True)
    for file in shipped_packs():
        place = home / file.path.removeprefix("rules/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.raw)
    to_files.write_tables(world, folder)
    for table in (folder / "tables").glob("*.csv"):
        for declared in home.glob(f"*/tables/{table.stem}.yaml"):
            shutil.copy(table, declared.with_suffix(".csv"))
    return sorted(path.parent for path in home.glob("*/pack.yaml"))


def write_settings(folder: Path, receiver: int, secret: str, more: Mapping[str, Any]) -> None:
    """A settings file as an operator would write it; JSON is YAML too."""
    url = f"http://127.0.0.1:{receiver}/"
    settings = {
        "packs": ["packs"],
        "data_folder": "data",
        "sinks": {"console-webhook": {"kind": "webhook", "url": url, "secret": secret}},
        "log": {"format": "json"},
        **more,
    }
    path = folder / "forewarn.yaml"
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


@contextmanager
def receiver(inbox: Inbox) -> Iterator[int]:
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
def process(folder: Path, name: str, words: Sequence[str] = ()) -> Iterator[None]:
    """`forewarn run FOLDER ...` as a process of its own, ready when this gives; ended gently."""
    log, port = folder / f"{name}.log", free_port()
    command = [sys.executable, "-m", "engine", "run", str(folder), "--lang", voice().lang, *words]
    environment = {**os.environ, "FOREWARN_METRICS__PORT": str(port)}
    with log.open("wb") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out, env=environment)  # noqa: S603
        try:
            _until_ready(running, port, log)
            yield
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Kafka of our own, as the tests use it, for as long as this lasts; gives its address.

    Raises:
        EnvironmentUnusable: Java, Maven or the checkout is missing.

    """
    if not _BROKER.exists():
        raise EnvironmentUnusable(voice().say("demo-no-checkout"))
    home = ["--home", str(folder / "kafka")]
    started = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(_BROKER), "start", *home], capture_output=True, text=True, check=False
    )
    if started.returncode != 0:
        said = (started.stderr or started.stdout).strip()[-2000:]
        raise EnvironmentUnusable(voice().say("demo-no-broker", why=said))
    try:
        yield started.stdout.strip().splitlines()[-1]
    finally:
        stop = [sys.executable, str(_BROKER), "stop", *home]
        subprocess.run(stop, capture_output=True, check=False)  # noqa: S603 - our own script


def until_quiet(inbox: Inbox, quiet_s: float, longest_s: float) -> None:
    """Wait until no alert came for a while."""
    begun = time.monotonic()
    while time.monotonic() - begun < longest_s:
        if time.monotonic() - max(inbox.last_s, begun) >= quiet_s:
            return
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _until_ready(running: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until the process says that it is ready."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until and running.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    said = log.read_text("utf-8", "replace")[-2000:]
    raise EnvironmentUnusable(voice().say("demo-no-daemon", log=said))
