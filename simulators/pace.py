"""Sending at a rate: batches of records, and the waits between them."""

import time
from collections.abc import Iterator
from itertools import islice

from simulators.scenario import Item

MOST = 500


def paced(items: Iterator[Item], rate: float, most: int = MOST) -> Iterator[list[Item]]:
    """Cut records into batches and give them out at `rate` records a second; 0 is full speed.

    The rate is kept on average: a receiver that is slow for a moment is made up for.
    """
    size = most if rate <= 0 else max(1, min(most, int(rate / 10)))
    begun, given = time.monotonic(), 0
    while batch := list(islice(items, size)):
        if rate > 0:
            ahead = given / rate - (time.monotonic() - begun)
            if ahead > 0:
                time.sleep(ahead)
        given += len(batch)
        yield batch
