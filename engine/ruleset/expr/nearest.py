"""The nearest right name for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 60


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or nothing if none is like it."""
    near = get_close_matches(name[:_LONGEST], list(known), n=1, cutoff=0.6)
    return near[0] if near else ""
