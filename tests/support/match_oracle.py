"""Episodes of a match by brute force: every hit is kept and counted anew at each event."""

# Imports nothing of the engine, so that it cannot share its mistakes.

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """How often within how long, and what ends it; with neither `quiet` nor `clear` a miss does."""

    count: int = 1
    within: int = 0
    quiet: int = 0
    clear: bool = False


def episodes(marks: list[tuple[int, str]], words: Words, until: int) -> list[tuple[str, int, int]]:
    """(what, since, at): `x` hits, `c` clears, anything else does neither."""
    told: list[tuple[str, int, int]] = []
    hits: list[int] = []
    since = None
    for at, mark in [*marks, (until, "")]:
        if since is not None and words.quiet and hits[-1] + words.quiet < at:
            told.append(("cleared", since, hits[-1] + words.quiet))
            since, hits = None, []
        if mark == "x":
            hits.append(at)
            recent = [hit for hit in hits if words.count == 1 or at - hit < words.within]
            if since is None and len(recent) >= words.count:
                since = recent[-words.count]
                told.append(("fired", since, at))
        elif since is not None and (mark == "c" if words.clear else mark and not words.quiet):
            told.append(("cleared", since, at))
            since, hits = None, []
    return told
