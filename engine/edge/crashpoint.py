"""Named places at which a proof can end the process: `FOREWARN_CRASHPOINT=before-commit:3`.

The process ends by SIGKILL, as by `kill -9` or a power cut, when it comes to that place for the
third time; with `before-commit:3:stop` it is paused there by SIGSTOP. Unset, a place costs one
look into an empty table, and none of them lies on the way of a single record: they are met once a
batch, a request or a timer.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

VARIABLE = "FOREWARN_CRASHPOINT"
IN_FLIGHT_S = 0.05
"""A request that has had no answer for this long has left us."""

POINTS: Mapping[str, str] = {
    "after-fetch": "records are in hand, none is decoded",
    "after-decode": "records are decoded and wait for their turn, no rule has seen them",
    "timer-due": "event time has passed a timer, which has not fired",
    "timer-fired": "a timer has fired, nothing of it is stored",
    "after-core-step": "the rules have run, nothing of it is stored",
    "effect-sent": "alerts are sent to Kafka in an open transaction, not acknowledged",
    "state-sent": "state is written to its changelog too, not acknowledged",
    "before-commit": "everything is written (on Kafka: acknowledged), not committed",
    "after-commit": "the batch is committed, the process has not gone on from it",
    "alert-row-inserted": "a transition is in the store's open transaction",
    "committed-not-claimed": "outbox rows are on disk, no sender knows of them",
    "outbox-claimed": "a sender has taken rows, nothing is sent",
    "send-begun": "a sender turns to a delivery, nothing of it has left",
    "request-sent": "a delivery is on its way, the peer has not answered",
    "answer-read": "the peer has taken a delivery, which is not marked",
    "mark-not-committed": "what became of a delivery is in the open transaction",
    "sent-marked": "a delivery is marked as taken, the sender has not gone on",
    "retry-marked": "a failed delivery is noted for later, the sender has not gone on",
    "dead-letter-moved": "a refused delivery is in the dead letter, the sender has not gone on",
    "hand-not-committed": "what somebody did to deliveries by hand is in the open transaction",
    "retention-half": "the first old rows are deleted in the open transaction, others are not",
    "recovery-start": "saved state is about to be read",
    "recovery-half": "part of the saved state is read",
    "recovery-end": "state is restored, nothing is read on from it",
    "reload-built": "edited rules are checked and compiled, nothing of them works yet",
    "swap-begun": "between two batches, the edited rules have taken up what they remember",
    "swap-in-memory": "every partition of a worker has gone over in memory, nothing is written",
    "swap-not-committed": "the change of rules is in the open transaction",
    "swap-committed": "the change of rules is on disk, no event was worked on under it",
    "partitions-revoked": "partitions are taken away, their units still have their memory",
    "partitions-assigned": "partitions are given, none of their units is open",
    "desk-read": "the desk has alerts in hand, none is taken",
    "desk-decided": "the desk has decided about an alert, request, receipt or clock, none stored",
    "desk-cases-kept": "a case is in the desk's open transaction, its moves are not",
    "desk-move-kept": "a move of a case is in the desk's open transaction",
    "desk-paper-queued": "a paper is queued in the desk's open transaction",
    "desk-change-kept": "a transition is in the desk's open transaction, with all it led to",
    "desk-position-kept": "how far alerts were read is in the desk's open transaction",
    "desk-receipt-kept": "a receipt is in the desk's open transaction",
    "desk-audited": "the audit's rows are in the desk's open transaction",
    "desk-not-committed": "all that the desk does at once is in its open transaction",
    "desk-committed": "the desk's transaction is on disk, the process has not gone on from it",
    "receipt-trusted": "a receipt's signature and age are right, its case was not looked up",
    "receipt-understood": "what a receipt asks of its case is known, nothing of it is stored",
    "receipt-taken": "a receipt is on disk with what it led to, the outside system has no answer",
}
"""Every place there is, with what has happened when it is met."""

_left: dict[str, int] = {}
_DOES = {"": signal.SIGKILL, "stop": signal.SIGSTOP}
_does = [signal.SIGKILL]


def arm(environment: Mapping[str, str]) -> None:
    """Read which place ends this process, if any.

    Raises:
        ValueError: not `name`, `name:n` or `name:n:stop` with a known name and n from 1 on;
            carries what was said.

    """
    _left.clear()
    said = environment.get(VARIABLE, "")
    if not said:
        return
    name, *more = said.split(":")
    times, what = (more[0] if more else "1"), ":".join(more[1:])
    if name not in POINTS or not times.isdecimal() or int(times) < 1 or what not in _DOES:
        raise ValueError(said)
    _left[name], _does[0] = int(times), _DOES[what]


def passing(name: str) -> None:
    """The process is at this place now; it may be its last."""
    if name in _left:
        _left[name] -= 1
        if not _left[name]:
            os.kill(os.getpid(), _does[0])


@contextmanager
def in_flight(name: str) -> Iterator[None]:
    """The place is met inside, once what was sent there has gone without an answer for a while."""
    if name not in _left:
        yield
        return
    due = asyncio.get_running_loop().call_later(IN_FLIGHT_S, passing, name)
    try:
        yield
    finally:
        due.cancel()


def watch_timers(core: object) -> None:
    """Let the timers of a partition meet their places; does nothing unless one of them is armed."""
    if "timer-due" in _left or "timer-fired" in _left:
        logics: list[Any] = getattr(core, "logics", [])
        logics[:] = [one if type(one) is _Timed else _Timed(one) for one in logics]


class _Timed:
    """A rule's logic that says when its timers fire."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logic, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What it stands for: whoever asks what kind of logic this is means that one."""
        return type(self._logic)

    def on_timer(self, key: str, at_ms: int) -> None:
        """Fire, and be seen before and after."""
        passing("timer-due")
        self._logic.on_timer(key, at_ms)
        passing("timer-fired")
