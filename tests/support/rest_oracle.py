"""Cooldown and flapping of one on/off signal, told minute by minute, without the engine."""

from collections.abc import Mapping

Told = list[tuple[str, int]]


def told(
    samples: Mapping[int, bool],
    until: int,
    *,
    cooldown: int = 0,
    keep: int = 0,
    flaps: tuple[int, int, int] | None = None,
) -> tuple[Told, int]:
    """What is announced, and how many alerts the pause held back altogether.

    `samples`: minute to whether the signal is on; between samples it stays. `flaps`: so many
    alerts, within so many minutes, quiet after so many.
    """
    said: Told = []
    on = is_open = flapping = False
    held_back, since_off, changed, ended = 0, None, 0, None
    fired: list[int] = []
    for minute in range(until + 1):
        before, on = on, samples.get(minute, on)
        if before and not on and not is_open and _rests(minute, ended, cooldown):
            held_back += 1
        if is_open and on != before:
            if flapping and flaps is not None and minute - changed >= flaps[2]:
                flapping, fired = False, []
            changed = minute
            since_off = None if on else minute
        if is_open and not on and since_off is not None:
            wait = max(keep, flaps[2]) if flapping and flaps is not None else keep
            if minute - since_off >= wait:
                said.append(("cleared", minute))
                is_open, ended = False, minute
                if flapping:
                    flapping, fired = False, []
        elif not is_open and on and not _rests(minute, ended, cooldown):
            said.append(("fired", minute))
            is_open, since_off, changed = True, None, minute
            if flaps is not None:
                fired = [one for one in fired if one > minute - flaps[1]] + [minute]
                flapping = len(fired) >= flaps[0]
    return said, held_back


def _rests(minute: int, ended: int | None, cooldown: int) -> bool:
    return ended is not None and minute < ended + cooldown
