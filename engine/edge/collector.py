"""Python's garbage collector, told what a daemon is like: much that stays, much that is brief."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 50
"""Batches make thousands of tuples that die unaided; looking through them every 700 costs 10 %."""


@contextmanager
def calm_collector() -> Iterator[None]:
    """Leave alone what is loaded by now, and look for cycles seldom, as long as this lasts."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def no_collector() -> Iterator[None]:
    """Look for no cycles as long as this lasts: for work that makes much and drops little."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
