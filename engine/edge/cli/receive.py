"""`forewarn receive`: a small webhook receiver that prints alerts as people want to read them."""

import base64
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from engine.edge.cli.card import Card, closing_line
from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.model.change import Change

SKEW_S = 300
_LARGEST = 1_000_000
_DIGITS = 10
_LOOK_S = 0.2


def signature(secret: str, name: str, moment: str, body: bytes) -> str:
    """The Standard Webhooks signature of a delivery: HMAC-SHA256 over id, time and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{name}.{moment}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


@dataclass(slots=True)
class Inbox:
    """What came in: each delivery once, and how many came again or could not be trusted."""

    secret: str | None
    show: Callable[[Change], None]
    clock: Callable[[], float] = time.time
    changes: list[Change] = field(default_factory=list)
    repeats: int = 0
    refused: int = 0
    last_s: float = field(default_factory=time.monotonic)
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, headers: Any, body: bytes) -> int:
        """Judge one delivery; answers the HTTP status."""
        name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        with self._lock:
            self.last_s = time.monotonic()
            if self.secret is not None and not self._trusted(headers, name, moment, body):
                self.refused += 1
                return 401
            if name and name in self._seen:
                self.repeats += 1
                return 204
            try:
                change = msgspec.json.decode(body, type=Change)
            except msgspec.DecodeError:
                self.refused += 1
                return 422
            self._seen.add(name or change.delivery_id)
            self.changes.append(change)
            self.show(change)
        return 204

    def _trusted(self, headers: Any, name: str, moment: str, body: bytes) -> bool:
        """Whether one of the signatures is ours and the moment is now."""
        if not moment.isdecimal() or abs(self.clock() - int(moment)) > SKEW_S:
            return False
        wanted = signature(self.secret or "", name, moment, body).encode()
        offered = headers.get("webhook-signature", "").encode().split()
        return any(hmac.compare_digest(wanted, one) for one in offered)


def serve(port: int, inbox: Inbox) -> ThreadingHTTPServer:
    """A server on this machine only that hands deliveries to the inbox; the caller runs it.

    Raises:
        EnvironmentUnusable: The port is taken.

    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take one delivery."""
            told = self.headers.get("content-length") or "0"
            length = int(told) if told.isdecimal() and len(told) < _DIGITS else _LARGEST + 1
            fits = length <= _LARGEST
            status = inbox.take(self.headers, self.rfile.read(length)) if fits else 413
            self.send_response(status)
            if not fits:  # the body stays unread, so nothing more can be read either
                self.send_header("connection", "close")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_said: Any) -> None:
            """Say nothing: what matters is printed as an alert."""

    try:
        return ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise EnvironmentUnusable(voice().say("receive-port", port=port, why=error)) from error


def receive_alerts(
    port: int, *, secret: str | None, truth: Path | None, quiet_after_s: float
) -> int:
    """Receive until interrupted or quiet; prints each alert and a count at the end."""
    speak = voice()
    card = Card()
    show = _as_record if speak.json else lambda change: speak.line(card.text(change))
    inbox = Inbox(secret or os.environ.get("FOREWARN_RECEIVE_SECRET"), show)
    server = serve(port, inbox)
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK_S,), daemon=True)
    thread.start()
    speak.note(speak.say("receive-listens", url=f"http://127.0.0.1:{server.server_port}/"))
    try:
        while not quiet_after_s or time.monotonic() - inbox.last_s < quiet_after_s:
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        speak.note(closing_line(inbox.changes, inbox.repeats, inbox.refused, truth))
    return Exit.FINE


def _as_record(change: Change) -> None:
    voice().record(msgspec.to_builtins(change))
