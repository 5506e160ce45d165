"""cluster by brute force: every record is kept, and every question asked of all of them."""

from collections.abc import Callable, Sequence
from typing import Any

Told = list[tuple[str, int, int]]


def told(
    records: Sequence[Any],
    alike: Callable[[Any, Any], bool],
    at_least: int,
    within: int,
    grows: Sequence[int],
) -> Told:
    """What is announced about one key: transition, instant, size.

    `records` have `at` and `who` (None for nobody), in order of time.
    """
    said: Told = []
    groups: list[dict[str, Any]] = []
    taken: set[int] = set()
    last_at = 0

    def close(before: int, *, at_too: bool) -> None:
        due = [g for g in groups if g["open"] and g["last"] + within < before + at_too]
        for group in sorted(due, key=lambda g: (g["last"], groups.index(g))):
            said.append(("cleared", group["last"] + within, group["size"]))
            group["open"] = False

    for number, record in enumerate(records):
        now = last_at = record.at
        close(now, at_too=False)
        home = next(
            (
                group
                for group in groups
                if group["open"]
                and now < group["last"] + within
                and alike(records[group["anchor"]], record)
            ),
            None,
        )
        if home is not None:
            taken.add(number)
            home["last"] = now
            if record.who is None or record.who not in home["who"]:
                home["who"].add(record.who)
                home["size"] += 1
                if home["size"] in grows:
                    said.append(("updated", now, home["size"]))
            continue
        free = [
            other
            for other in range(number + 1)
            if other not in taken and records[other].at > now - within
        ]
        for anchor in free:
            if not alike(records[anchor], record):
                continue
            members = [one for one in free if alike(records[anchor], records[one])]
            callers = {records[one].who or ("#", one) for one in members}
            if len(callers) >= at_least:
                taken |= set(members)
                named = {records[one].who for one in members} - {None}
                groups.append(
                    {"anchor": anchor, "last": now, "who": named, "size": len(callers),
                     "open": True}
                )  # fmt: skip
                said.append(("fired", now, len(callers)))
                break
    close(last_at + 10 * within, at_too=True)
    return said
