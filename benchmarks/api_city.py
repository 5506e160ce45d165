"""A daemon with the desk and its API over a simulated fleet, asked from outside by every role.

Whatever it tells goes to systems that refuse all of it and say back what they were sent, so that
everything is a notification once and lies in a dead letter afterwards.
"""

import base64
import http.client
import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT
from benchmarks.worlds import RULES, copy_pack, settings, sources, write_world
from engine.edge.api.roles import BASE, PERSONS

SYSTEM = "order-system"
PEOPLE = "duty-room"
REFUSING = (SYSTEM, "console-webhook")
_STILL = 4
"""So many looks without a new case, and the recording was read."""
_PATIENCE_S = 240.0
"""A daemon that has made no case more for so long will make none."""


@dataclass
class Api:
    """A running API, the tokens and secrets of it, what its process wrote and whom it told.

    Attributes:
        canaries: Every secret there is, by what it is for; none may be read anywhere.
        told: Bodies that were sent to systems.

    """

    port: int
    tokens: dict[str, str]
    secret: str
    folder: Path
    log: Path
    daemon: "subprocess.Popen[bytes]"
    canaries: dict[str, str]
    told: list[bytes] = field(default_factory=list)

    def ask(
        self, method: str, path: str, role: str = "", body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """One request; answers status and document."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            sent["Authorization"] = f"Bearer {self.tokens[role]}"
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        if method == "POST":
            sent.setdefault("Content-Type", "application/json")
            sent.setdefault("Idempotency-Key", secrets.token_hex(8))
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            link.request(method, path, raw, sent)
            answer = link.getresponse()
            if answer.getheader("Content-Type", "").startswith("text/event-stream"):
                return answer.status, None
            return answer.status, json.loads(answer.read())
        finally:
            link.close()


@contextmanager
def running(folder: Path, seed: int, reduced: bool) -> Iterator[Api]:
    """A daemon with the hazmat pack over a simulated fleet, and the shipped desk."""
    place = folder / "city"
    write_world("fleet", folder / "world", seed=seed, vehicles=30 if reduced else 120,
                hours=8.0 if reduced else 24.0)  # fmt: skip
    copy_pack(RULES / "hazmat", place / "hazmat", folder / "world")
    shutil.copytree(RULES / "desk", place / "desk")
    (place / "desk/routes_test.yaml").unlink()  # it speaks of rules of all packs
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    canaries = {"key of receipts": secret, "token of the intake": _canary()}
    canaries |= {f"token of {name}": _canary() for name in REFUSING}
    canaries["key that signs"] = base64.b64encode(secrets.token_bytes(24)).decode()
    port, told = free_port(), list[bytes]()
    with refusing(told) as url:
        sinks: dict[str, Any] = {
            name: {"kind": "webhook", "url": f"{url}/{name}", "personal": "masked",
                   "token": canaries[f"token of {name}"], "secret": canaries["key that signs"]}
            for name in REFUSING
        }  # fmt: skip
        sinks[PEOPLE] = {"kind": "jsonl", "path": f"{PEOPLE}.jsonl", "personal": "masked"}
        settings(
            place, packs=["hazmat"], sources=sources(["vehicle-gps"], str(folder / "world")),
            sinks=sinks, metrics={"port": -1}, http={"token": canaries["token of the intake"]},
            desk={}, api={"port": port, "per_minute": 0, "per_address": 0,
                          "systems": {SYSTEM: {"secret": secret}}},
        )  # fmt: skip
        tokens = {}
        for role in map(str, PERSONS):
            file = folder / f"{role}.token"
            words = ("token", "add", f"{role}-1", "--role", role, "--out", str(file))
            forewarn(*words, "-f", str(place))
            tokens[role] = file.read_text("utf-8").strip()
            canaries[f"token of {role}"] = tokens[role].split("_", 2)[2]
        log = folder / "daemon.log"
        with log.open("wb") as out:
            run = (sys.executable, "-m", "engine", "run", str(place))
            daemon = subprocess.Popen(run, cwd=ROOT, stdout=out, stderr=out)
            try:
                yield Api(port, tokens, secret, place, log, daemon, canaries, told)
            finally:
                daemon.terminate()
                daemon.wait(60)


def wait_for_cases(api: Api) -> list[dict[str, Any]]:
    """Until the recording was read and its cases are there."""
    since, before, same = time.monotonic(), -1, 0
    while time.monotonic() - since < _PATIENCE_S and api.daemon.poll() is None:
        time.sleep(3)
        try:
            _, page = api.ask("GET", f"{BASE}/incidents?only=all&limit=200", "operator")
        except OSError:
            continue
        found: list[dict[str, Any]] = page["items"]
        if len(found) != before:
            since, same = time.monotonic(), 0
        elif found:
            same += 1
        if same >= _STILL:
            return found
        before = len(found)
    message = f"no cases: {api.log.read_text('utf-8')[-3000:]}"
    raise RuntimeError(message)


@contextmanager
def refusing(told: list[bytes]) -> Iterator[str]:
    """A system that keeps what it is sent and refuses it for good, in its own words and ours."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            told.append(body)
            said = {"refused": body.decode(), "of": dict(self.headers.items())}
            raw = json.dumps(said, ensure_ascii=False).encode()
            self.send_response(410)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def forewarn(*words: str) -> str:
    """Run a verb; answers what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "engine", *words], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def free_port() -> int:
    """A port that nobody has."""
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _canary() -> str:
    return f"canary-{secrets.token_hex(16)}"
