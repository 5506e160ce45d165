"""The one thread that writes: jobs that wait together share a transaction and its disk flush."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from engine.edge.store.schema import connect

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
_Waiting = tuple[Job[Any], "Future[Any]"]

TOGETHER = 64
"""At most this many jobs share one transaction."""

TRANSIENT = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN}
)


def may_pass(error: BaseException) -> bool:
    """Whether the same write may succeed later (disk full, device trouble), nothing being lost."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in TRANSIENT


class Writer:
    """Runs jobs in order on one connection. A job's writes are kept whole or not at all.

    A job that raises leaves no trace and does not disturb the jobs beside it. The answer of a
    job is given only after its transaction is on disk.
    """

    def __init__(self, path: Path, lang: str) -> None:
        """Start the thread and open the database in it; raises what opening raises."""
        self._jobs: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(path, lang, opened), name="store-writer", daemon=True
        )
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            self._closed = True
            self._thread.join()
            raise

    def submit(self, job: Job[T]) -> "Future[T]":
        """Queue a job; the future is done when the job's transaction is on disk."""
        done: Future[T] = Future()
        if self._closed:
            message = "the store is closed"
            raise RuntimeError(message)
        self._jobs.put((job, done))
        return done

    async def run(self, job: Job[T]) -> T:
        """Queue a job and wait off the loop. Once queued it runs, even if we are cancelled."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(job)))

    def close(self) -> None:
        """Finish the queued jobs and close the database; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self, path: Path, lang: str, opened: "Future[None]") -> None:
        try:
            link = connect(path, lang)
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            opened.set_exception(error)
            return
        opened.set_result(None)
        try:
            while (group := self._take()) is not None:
                _commit(link, group)
        finally:
            link.close()

    def _take(self) -> list[_Waiting] | None:
        """The next job and those that already wait behind it; None at the end."""
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < TOGETHER:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return group


def _commit(link: sqlite3.Connection, group: list[_Waiting]) -> None:
    """Run a group of jobs in one transaction and tell each how it went."""
    live = [(job, done) for job, done in group if done.set_running_or_notify_cancel()]
    answers: list[tuple[Future[Any], Any, BaseException | None]] = []
    try:
        link.execute("BEGIN IMMEDIATE")
        for job, done in live:
            link.execute("SAVEPOINT job")
            try:
                answer = job(link)
            except BaseException as error:
                if not link.in_transaction:
                    raise
                link.execute("ROLLBACK TO job")
                answers.append((done, None, error))
            else:
                answers.append((done, answer, None))
            link.execute("RELEASE job")
        link.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 - handed to those who wait
        if link.in_transaction:
            link.execute("ROLLBACK")
        for _, done in live:
            done.set_exception(error)
        return
    for done, answer, failure in answers:
        if failure is None:
            done.set_result(answer)
        else:
            done.set_exception(failure)
