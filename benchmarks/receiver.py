"""A webhook receiver that writes down every request it is sent, whatever becomes of the sender."""

import json
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Inbox:
    """Raw deliveries in the order of their arrival; answers after `delay_s`.

    With `refuse_each` one in so many delivery ids is refused for good, the same ones each time;
    with `busy_each` the first try of one in so many is put off.
    """

    def __init__(self, delay_s: float = 0.0, refuse_each: int = 0, busy_each: int = 0) -> None:
        self.busy_each = busy_each
        self.delay_s = delay_s
        self.refuse_each = refuse_each
        self.raw: list[tuple[str, bytes]] = []
        self.open = 0
        self.url = ""
        self._lock = threading.Lock()

    def take(self, name: str, body: bytes) -> None:
        """Write one request down and let the sender wait."""
        with self._lock:
            self.raw.append((name, body))
            self.open += 1
        time.sleep(self.delay_s)
        with self._lock:
            self.open -= 1

    def refuses(self, name: str) -> bool:
        """Whether this delivery is one that the peer will never take."""
        return bool(self.refuse_each) and zlib.crc32(name.encode()) % self.refuse_each == 0

    def puts_off(self, name: str) -> bool:
        """Whether the first try of this delivery is put off."""
        return bool(self.busy_each) and zlib.crc32(name.encode()) % self.busy_each == 1

    def is_busy(self, name: str) -> bool:
        """Whether this is the first try of a delivery that is put off once."""
        return self.puts_off(name) and self.ids.count(name) == 1

    def first_answers(self) -> list[tuple[str, bytes]]:
        """What was sent, without the tries that were put off."""
        seen: set[str] = set()
        kept: list[tuple[str, bytes]] = []
        for name, body in self.raw:
            if not self.puts_off(name) or name in seen:
                kept.append((name, body))
            seen.add(name)
        return kept

    @property
    def ids(self) -> list[str]:
        """Delivery ids, repeats included."""
        with self._lock:
            return [name for name, _ in self.raw]

    def settled(self, quiet_s: float = 0.1) -> list[str]:
        """Delivery ids once nothing more comes from a dead sender's open connections."""
        known = -1
        while known != len(self.raw):
            known = len(self.raw)
            time.sleep(quiet_s)
        return self.ids

    def facts(self) -> set[tuple[Any, ...]]:
        """Distinct (rule, key, transition, event time)."""
        with self._lock:
            bodies = [json.loads(body) for _, body in self.raw]
        return {(one["rule"], one["key"], one["transition"], one["at_ms"]) for one in bodies}


@contextmanager
def receiver(inbox: Inbox) -> Iterator[Inbox]:
    """Serve an inbox on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            inbox.take(self.headers["webhook-id"], body)
            with suppress(OSError):  # the sender may be dead by now
                name = self.headers["webhook-id"]
                busy, refused = inbox.is_busy(name), inbox.refuses(name)
                self.send_response(503 if busy else 410 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Nothing: the proof prints figures only."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_ignored: object) -> None:
            """A sender that was killed is no news here."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
