"""Fixtures that fail any test which leaves something behind: a thread, an environment."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

_PATIENCE_S = 2.0


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.is_alive()}


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """A test ends every thread it starts (pools that the interpreter keeps are no leak)."""
    before = _threads()
    yield
    until = time.monotonic() + _PATIENCE_S
    while (left := _threads() - before) and time.monotonic() < until:
        time.sleep(0.01)
    kept = [thread.name for thread in left if not thread.name.startswith("ThreadPoolExecutor")]
    assert not kept, f"threads left behind: {kept}"


@pytest.fixture(autouse=True)
def logs_are_set_up_anew() -> Iterator[None]:
    """A command that a test ran has set up logging onto that test's captured output."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def the_environment_stays_as_it_was() -> Iterator[None]:
    """A test puts back every variable it sets, and the working folder."""
    before, folder = dict(os.environ), Path.cwd()
    yield
    after = dict(os.environ)
    for name in ("PYTEST_CURRENT_TEST",):
        before.pop(name, None)
        after.pop(name, None)
    assert after == before
    assert Path.cwd() == folder
