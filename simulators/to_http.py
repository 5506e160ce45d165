"""A world as HTTP: `POST <url>/feeds/<feed>` with NDJSON, as the intake of the daemon takes it.

202 means the records are durable. On 429 and 503 the sender waits as long as `Retry-After` says
and sends the same batch again; on 413 it halves the batch. Anything else ends the run.
"""

import http.client
import time
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from simulators.pace import paced
from simulators.scenario import Item, World
from simulators.to_files import as_lines

WAIT_S, TRIES = 0.5, 240


class IntakeError(Exception):
    """The intake refused a batch for good, or could not be reached."""


class Intake:
    """One HTTP connection to an intake; used from one thread."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"'{url}' is not an http address"
            raise IntakeError(message)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)
        self._path = parts.path.rstrip("/")
        self.waits = 0

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def send(self, feed: str, items: Sequence[Item]) -> None:
        """Hand over records of one feed; returns when the intake has them durably."""
        for _ in range(TRIES):
            status, wait, text = self._post(feed, as_lines(items))
            if status in {200, 202}:
                return
            if status == 413 and len(items) > 1:
                half = len(items) // 2
                self.send(feed, items[:half])
                self.send(feed, items[half:])
                return
            if status not in {0, 429, 503}:
                message = f"the intake answered {status} for feed '{feed}': {text[:300]}"
                raise IntakeError(message)
            self.waits += 1
            time.sleep(wait)
        message = f"the intake took nothing of feed '{feed}' after {TRIES} tries"
        raise IntakeError(message)

    def _post(self, feed: str, body: bytes) -> tuple[int, float, str]:
        """One attempt: status (0 if unreachable), seconds to wait, text of the answer."""
        try:
            headers = {"Content-Type": "application/x-ndjson"}
            self._connection.request("POST", f"{self._path}/feeds/{feed}", body, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, WAIT_S, "unreachable"
        try:
            wait = float(answer.headers.get("Retry-After", WAIT_S))
        except ValueError:
            wait = WAIT_S
        return answer.status, min(max(wait, 0.01), 30.0), text


def post_records(world: World, url: str, rate: float = 0.0) -> Counter[str]:
    """Send all records in order of arrival; answers how many of each feed were taken."""
    counts: Counter[str] = Counter()
    intake = Intake(url)
    try:
        for batch in paced(world.items(), rate):
            by_feed: dict[str, list[Item]] = {}
            for item in batch:
                by_feed.setdefault(item.feed, []).append(item)
            for feed, items in by_feed.items():
                intake.send(feed, items)
                counts[feed] += len(items)
    finally:
        intake.close()
    return counts
