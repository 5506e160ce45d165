"""sequence by brute force: every event that may begin it is followed to its end by itself."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Ev(NamedTuple):
    """An event: minute, which kind, and a number that later steps may ask for again."""

    minute: int
    kind: str
    number: int


class Want(NamedTuple):
    """A step: events of a kind; `within` 0 for none; `same` asks for the first event's number."""

    kind: str
    absent: bool = False
    within: int = 0
    times: int = 1
    same: bool = False


@dataclass(frozen=True)
class Declared:
    """A sequence in minutes; `again` is after-end, at-once or how long nothing begins."""

    steps: tuple[Want, ...]
    whole: int = 0
    strict: bool = False
    again: str | int = "after-end"
    overlap: bool = True
    quiet: int = 0


@dataclass
class Try:
    """What becomes of one beginning: at which event or after which minute it ends, seen or not.

    `named` is the last event of its first step.
    """

    begin: int
    named: int = 0
    used: set[int] = field(default_factory=set)
    seen: bool = False
    at_event: int | None = None
    after_minute: int | None = None


def fits(want: Want, event: Ev, first: Ev) -> bool:
    return event.kind == want.kind and (not want.same or event.number == first.number)


def follow(said: Declared, events: list[Ev], begin: int) -> Try:
    """One beginning, by itself."""
    first, found = events[begin], Try(begin, begin, {begin})
    named = first
    musts = [index for index, step in enumerate(said.steps) if not step.absent]
    place, count, before = 0, 1, first.minute
    if count == said.steps[musts[0]].times:
        place, count = 1, 0
    number = begin
    while place < len(musts):
        step = said.steps[musts[place]]
        ends = [before + step.within] if step.within else []
        ends += [first.minute + said.whole] if said.whole else []
        number += 1
        if number == len(events) or events[number].minute > min(ends):
            found.after_minute = min(ends)
            return found
        event = events[number]
        if fits(step, event, named):
            found.used.add(number)
            count += 1
            if place == 0:
                found.named, named = number, event
            if count == step.times:
                place, count, before = place + 1, 0, event.minute
            continue
        between = said.steps[musts[place - 1] + 1 : musts[place]] if place else ()
        if said.strict or any(spoils(not_, event, named, before) for not_ in between):
            found.at_event = number
            return found
    closing = said.steps[musts[-1] + 1 :]
    if not closing:
        found.seen, found.at_event = True, number
        return found
    due = max(before + one.within if one.within else first.minute + said.whole for one in closing)
    while number + 1 < len(events) and events[number + 1].minute <= due:
        number += 1
        if any(spoils(not_, events[number], named, before) for not_ in closing):
            found.at_event = number
            return found
    found.seen, found.after_minute = True, due
    return found


def spoils(not_: Want, event: Ev, first: Ev, before: int) -> bool:
    watched = not not_.within or event.minute <= before + not_.within
    return watched and fits(not_, event, first)


def told(said: Declared, events: list[Ev], until: int) -> list[tuple[str, int, int]]:
    """What is announced: what, since which minute, at which minute."""
    out: list[tuple[str, int, int]] = []
    going: list[Try] = []
    missed: list[Try] = []
    open_since: int | None = None
    quiet_end, rest_end = 0, -1
    closing = said.steps[-1].absent

    def end(minute: int) -> None:
        nonlocal open_since, quiet_end
        assert open_since is not None
        out.append(("cleared", open_since, minute))
        open_since, quiet_end = None, 0
        missed.clear()

    def seen(done: list[Try], minute: int) -> None:
        nonlocal open_since, quiet_end, rest_end
        if open_since is None:
            open_since = events[done[-1].begin].minute
            out.append(("fired", open_since, minute))
        if said.again != "at-once":
            going.clear()
        if isinstance(said.again, int):
            rest_end = minute + said.again
        if closing:
            missed.extend(done)
        if said.quiet:
            quiet_end = minute + said.quiet
        elif not closing:
            end(minute)

    def timers(minute: int) -> None:
        if open_since is not None and quiet_end == minute:
            end(minute)
        done = [one for one in going if one.after_minute == minute and one.seen]
        going[:] = [one for one in going if one.after_minute != minute]
        if done:
            seen(done, minute)

    ends = [step for step in said.steps[-1:] if step.absent]
    for step in reversed(said.steps[:-1]):
        if not (step.absent and ends):
            break
        ends.append(step)
    number = 0
    for minute in range(until + 1):
        while number < len(events) and events[number].minute == minute:
            event, was_open = events[number], open_since is not None
            left = [
                one
                for one in missed
                if not any(fits(step, event, events[one.named]) for step in ends)
            ]
            if missed and not left:
                end(minute)
            missed[:] = left
            done = [one for one in going if one.at_event == number and one.seen]
            used = any(number in one.used for one in going)
            going[:] = [one for one in going if one.at_event != number]
            others = bool(going)
            if done:
                seen(done, minute)
            barred = minute < rest_end or (said.again == "after-end" and was_open)
            barred = barred or (bool(done) and said.again != "at-once")
            may = said.overlap or not (used or others)
            if event.kind == said.steps[0].kind and may and not barred:
                going.append(follow(said, events, number))
            number += 1
        timers(minute)
    return out
